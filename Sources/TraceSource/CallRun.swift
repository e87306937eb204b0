package import TraceColumns
package import TraceModel

/// Final spans of one stripe that share service, name and kind, as a kernel takes them: whole columns, no records.
/// Buffers are valid during the call that hands them out.
package struct CallRun {
  /// Codes of the stripe's texts; equal texts of one source may have several codes.
  package var service: UInt32
  package var name: UInt32
  package var kind: Int32
  /// The rows in the stripe, ascending.
  package var rows: CallRows
  /// Nanoseconds since the epoch; ascending in a segment, as they came in a memtable.
  package var starts: UnsafeBufferPointer<UInt64>
  /// `max(0, end − start)` in nanoseconds; empty unless asked for.
  package var durations: UnsafeBufferPointer<UInt64>
  /// 1 where the status is an error; empty unless asked for, and when there is none.
  package var errors: UnsafeBufferPointer<UInt8>

  package init(
    service: UInt32, name: UInt32, kind: Int32, rows: CallRows, starts: UnsafeBufferPointer<UInt64>,
    durations: UnsafeBufferPointer<UInt64>, errors: UnsafeBufferPointer<UInt8>
  ) {
    self.service = service
    self.name = name
    self.kind = kind
    self.rows = rows
    self.starts = starts
    self.durations = durations
    self.errors = errors
  }
}

extension CallRun {
  /// Calls `body` with neighbouring calls that start in one bucket, as far as they stand side by side.
  ///
  /// - Parameter width: buckets begin at multiples of it, in nanoseconds.
  package func forEachBucket(
    of width: UInt64, _ body: (_ bucket: UInt64, _ places: Range<Int>, _ errorCount: UInt32) -> Void
  ) {
    var first = 0
    while first < starts.count {
      let bucket = starts[first] / width
      let begin = bucket &* width
      var end = first &+ 1
      // A start before the bucket wraps around to a distance that no bucket is wide.
      while end < starts.count, starts[end] &- begin < width { end &+= 1 }
      var errorCount: UInt32 = 0
      if !errors.isEmpty { for place in first..<end { errorCount &+= UInt32(errors[place]) } }
      body(bucket, first..<end, errorCount)
      first = end
    }
  }
}

/// Which rows the values of a run belong to.
package enum CallRows {
  case range(Range<Int>)
  case list(UnsafeBufferPointer<UInt32>)

  package subscript(place: Int) -> Int {
    switch self {
    case .range(let range): range.lowerBound &+ place
    case .list(let rows): Int(rows[place])
    }
  }
}

/// Which spans are measured, as far as run directories know, and which columns are wanted of them.
package struct CallSelection: Sendable {
  /// The service names, as UTF-8; nil for all.
  package var services: Set<[UInt8]>?
  /// The kinds; nil for all.
  package var kinds: Set<Int32>?
  /// The starts, both ends included.
  package var starts: ClosedRange<UInt64>
  package var needsDurations: Bool
  package var needsErrors: Bool

  package init(
    services: Set<[UInt8]>? = nil, kinds: Set<Int32>? = nil, starts: ClosedRange<UInt64> = 0...UInt64.max,
    needsDurations: Bool = true, needsErrors: Bool = true
  ) {
    self.services = services
    self.kinds = kinds
    self.starts = starts
    self.needsDurations = needsDurations
    self.needsErrors = needsErrors
  }
}

/// The texts of an attribute in rows of a stripe.
package struct RowTexts {
  /// The distinct texts; the first is empty and stands for rows without the attribute.
  package private(set) var texts: [[UInt8]] = [[]]
  private var places: [[UInt8]: UInt32] = [[]: 0]
  /// By row: an index of `texts`.
  package private(set) var codes: [UInt32]

  package init(rowCount: Int) { codes = [UInt32](repeating: 0, count: rowCount) }

  package mutating func code(of text: [UInt8]) -> UInt32 {
    if let known = places[text] { return known }
    let code = UInt32(texts.count)
    texts.append(text)
    places[text] = code
    return code
  }

  package mutating func set(_ code: UInt32, row: Int) { codes[row] = code }
}

extension SpanStripe {
  package func texts(of key: [UInt8], _ levels: [ColumnLevel], in mask: RowMask) throws -> RowTexts {
    var result = RowTexts(rowCount: rowCount)
    try mask.forEachBatch { rows in
      for (row, record) in zip(rows, try records(rows)) {
        guard let value = levels.lazy.compactMap({ record.firstValue(of: key, $0) }).first else { continue }
        result.set(result.code(of: Array(value.text.utf8)), row: row)
      }
    }
    return result
  }
}

extension RowMask {
  /// Calls `body` with the set rows, so many at a time that their records may be materialised together.
  package func forEachBatch(_ body: ([Int]) throws -> Void) rethrows {
    let rows = self.rows
    var first = 0
    while first < rows.count {
      let end = Swift.min(rows.count, first + 256)
      try body(Array(rows[first..<end]))
      first = end
    }
  }
}

extension SourceSpan {
  /// The first value of a key at a level.
  package func firstValue(of key: [UInt8], _ level: ColumnLevel) -> AttributeValue? {
    func first(_ attributes: [Attribute]) -> AttributeValue? {
      attributes.first { $0.key.utf8.elementsEqual(key) }?.value
    }
    switch level {
    case .span: return first(span.attributes)
    case .resource: return first(resource.attributes)
    case .scope: return first(scope.attributes)
    case .event: return span.events.lazy.compactMap { first($0.attributes) }.first
    case .link: return span.links.lazy.compactMap { first($0.attributes) }.first
    }
  }
}
