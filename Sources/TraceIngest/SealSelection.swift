package import TraceColumns
import TraceMerge
package import TraceModel
import TraceSegment
package import TraceSource

/// Which rows of a memtable go into a segment: every final that is not live already (LAW 7), and the partial records
/// that say something.
///
/// A record whose content stands earlier in the memtable is dropped, a final also when it stands in a live segment;
/// different records under equal ids are all kept. Partial records are kept apart, and of those of one span only the
/// ones that contribute. They are not compared with segments: each would have to be decoded, an update is rarely equal
/// to an earlier one, and one that is changes no answer until a merge drops it (LAW 5).
package struct SealSelection: Sendable {
  /// Final records, ascending.
  package private(set) var rows: [UInt32] = []
  /// Partial records, ascending.
  package private(set) var partialRows: [UInt32] = []
  package private(set) var droppedCount = 0

  /// - Parameters:
  ///   - live: the sources that rows are compared with.
  ///   - spared: traces whose rows are not.
  package init(_ view: SpanTable.View, live: [any SpanSource], sparing spared: Set<TraceID> = []) throws {
    var isDropped = RowMask(count: view.rows.count)
    var candidates = DuplicateFinder(view)
    for index in 0..<view.rows.count {
      let marks = view.rows.pointer(at: index).pointee.marks
      if marks.contains(.isDead) {
        isDropped.set(index)
      } else if try !marks.contains(.isPartial) && candidates.isRepeated(index) {
        isDropped.set(index)
        droppedCount += 1
      }
    }
    let traces = live.isEmpty ? [] : view.finalsByTrace().filter { spared.isEmpty || !spared.contains($0.id) }
    for source in live { try Self.drop(&isDropped, &droppedCount, view, traces, liveIn: source) }
    rows.reserveCapacity(view.rows.count)
    for index in 0..<view.rows.count where !isDropped[index] {
      if view.rows.pointer(at: index).pointee.marks.contains(.isPartial) {
        partialRows.append(UInt32(index))
      } else {
        rows.append(UInt32(index))
      }
    }
    let partialCount = partialRows.count
    var partials = PartialRows(view)
    partialRows = try partials.contributing(partialRows)
    droppedCount += partialCount - partialRows.count
  }

  /// Drops the finals that stand in a live source. A source without the trace costs one probe of its filter.
  ///
  /// What cannot be read is not known to be live: the rows stay, for the damage of one segment must not keep a memtable
  /// from being sealed, and with it every write.
  private static func drop(
    _ isDropped: inout RowMask, _ droppedCount: inout Int, _ view: SpanTable.View,
    _ traces: [(id: TraceID, rows: [Int])], liveIn source: any SpanSource
  ) throws {
    guard !source.stripes.isEmpty else { return }
    for trace in traces {
      let fragments = try unlessDamaged { try source.rows(of: trace.id) } ?? []
      for located in fragments where located.stripe.holdsFinals {
        try unlessDamaged { try drop(&isDropped, &droppedCount, view, trace.rows, liveIn: located) }
      }
    }
  }

  private static func drop(
    _ isDropped: inout RowMask, _ droppedCount: inout Int, _ view: SpanTable.View, _ rows: [Int],
    liveIn located: LocatedRows
  ) throws {
    let rows = rows.filter { !isDropped[$0] }
    let ids = Set(rows.map { view.rows.pointer(at: $0).pointee.spanID })
    var storedIDs: Set<UInt64> = []
    var storedRows: [Int] = []
    for (row, id) in zip(located.rows, try located.stripe.spanIDs(located.rows)) where ids.contains(id) {
      storedIDs.insert(id)
      storedRows.append(row)
    }
    guard !storedRows.isEmpty else { return }
    let contents = Set(
      try located.stripe.records(storedRows).map {
        ContentHash.canonicalBytes(resource: $0.resource, scope: $0.scope, span: $0.span)
      })
    for row in rows where storedIDs.contains(view.rows.pointer(at: row).pointee.spanID) {
      if contents.contains(try view.canonicalBytes(row)) {
        isDropped.set(row)
        droppedCount += 1
      }
    }
  }

  @discardableResult
  private static func unlessDamaged<Result>(_ body: () throws -> Result) throws -> Result? {
    do { return try body() } catch let error as TracestoreError where error.code == .corrupt { return nil }
  }
}

extension SpanTable.View {
  /// The finals of each trace, ascending, in the order in which the first ones came.
  func finalsByTrace() -> [(id: TraceID, rows: [Int])] {
    var traces: [(id: TraceID, rows: [Int])] = []
    // A trace gets its code with its first row, so none is above the index of its row.
    var places = [UInt32](repeating: .max, count: rows.count)
    for index in 0..<rows.count {
      let row = rows.pointer(at: index)
      guard row.pointee.marks.isFinal else { continue }
      let trace = Int(row.pointee.trace)
      if places[trace] < .max {
        traces[Int(places[trace])].rows.append(index)
      } else {
        places[trace] = UInt32(traces.count)
        traces.append((TraceID(high: row.pointee.traceHigh, low: row.pointee.traceLow), [index]))
      }
    }
    return traces
  }
}
