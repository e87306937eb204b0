import TraceBytes
import TraceColumns
import TraceSource

extension StripeEncoder {
  /// The columns with one value for each row, apart from parents, envelopes, shapes and attributes.
  func encodeFixedColumns() {
    rows.withUnsafeBufferPointer { rows in
      ordinals.withUnsafeBufferPointer { ordinals in
        bases.withUnsafeBufferPointer { bases in
          encodeTimes(rows, ordinals, bases)
        }
      }
      let count = rows.count
      encodeColumn(ChunkID.statusCode, count: count) { zigzag(Int64(rows[$0].statusCode)) }
      encodeColumn(ChunkID.statusAbsence, count: count) { rows[$0].marks.contains(.hasStatus) ? 0 : 1 }
      encodeColumn(ChunkID.flags, count: count) { UInt64(rows[$0].flags) }
      encodeColumn(ChunkID.eventCount, count: count) { UInt64(rows[$0].eventCount) }
      encodeColumn(ChunkID.linkCount, count: count) { UInt64(rows[$0].linkCount) }
      // Most stripes have none of these: one pass finds out.
      var rare: UInt32 = 0
      for index in 0..<count {
        rare |= rows[index].droppedAttributeCount | rows[index].droppedEventCount | rows[index].droppedLinkCount
        rare |= rows[index].traceState | rows[index].unknownFields | rows[index].statusUnknownFields
      }
      encodeText(ChunkID.statusMessage, count: count) { rows[$0].statusMessage }
      guard rare != 0 else { return }
      encodeColumn(ChunkID.droppedAttributeCount, count: count) { UInt64(rows[$0].droppedAttributeCount) }
      encodeColumn(ChunkID.droppedEventCount, count: count) { UInt64(rows[$0].droppedEventCount) }
      encodeColumn(ChunkID.droppedLinkCount, count: count) { UInt64(rows[$0].droppedLinkCount) }
      encodeText(ChunkID.traceState, count: count) { rows[$0].traceState }
      encodeText(ChunkID.unknownFields, count: count) { rows[$0].unknownFields }
      encodeText(ChunkID.statusUnknownFields, count: count) { rows[$0].statusUnknownFields }
    }
  }

  private func encodeTimes(
    _ rows: UnsafeBufferPointer<SpanRow>, _ ordinals: UnsafeBufferPointer<UInt32>,
    _ bases: UnsafeBufferPointer<UInt64>
  ) {
    encodeColumn(ChunkID.traceOrdinal, count: rows.count) { UInt64(ordinals[$0]) }
    encodeColumn(ChunkID.start, count: rows.count) { rows[$0].start &- bases[Int(ordinals[$0])] }
    encodeColumn(ChunkID.duration, count: rows.count) { rows[$0].end &- rows[$0].start }
    encodeColumn(ChunkID.spanID, count: rows.count) { rows[$0].spanID }
  }

  /// Parents as ranks inside the trace's rows of this stripe.
  func encodeParents(traceCount: Int) {
    let count = rows.count
    var firsts = [Int](repeating: 0, count: traceCount + 1)
    for ordinal in ordinals { firsts[Int(ordinal) + 1] += 1 }
    for ordinal in 0..<traceCount { firsts[ordinal + 1] += firsts[ordinal] }
    var next = firsts
    var ids = [UInt64](repeating: 0, count: count)
    for index in 0..<count {
      let ordinal = Int(ordinals[index])
      ids[next[ordinal]] = rows[index].spanID
      next[ordinal] += 1
    }
    var escapes: [UInt64] = []
    var ranks = LargeTraceRanks()
    ids.withUnsafeBufferPointer { ids in
      encodeColumn(ChunkID.parent, count: count) { index in
        guard rows[index].marks.contains(.hasParent) else { return 0 }
        let parent = rows[index].parentSpanID
        let ordinal = Int(ordinals[index])
        let first = firsts[ordinal]
        let spanCount = firsts[ordinal + 1] - first
        if spanCount > LargeTraceRanks.threshold {
          if let rank = ranks.rank(of: parent, ordinal: ordinal, ids: ids, range: first..<first + spanCount) {
            return UInt64(rank + 2)
          }
        } else {
          var rank = 0
          while rank < spanCount {
            if ids[first &+ rank] == parent { return UInt64(rank + 2) }
            rank &+= 1
          }
        }
        escapes.append(parent)
        return 1
      }
    }
    encodeColumn(ChunkID.escapedParent, count: escapes.count) { escapes[$0] }
  }

  /// Resources and scopes, as places in the stripe's own lists.
  func encodeEnvelopes() {
    let rows = rows
    let resources = encodeList(ChunkID.resources, rows.count) { context.resources.indices[Int(rows[$0].resource)] }
    let scopes = encodeList(ChunkID.scopes, rows.count) { context.scopes.indices[Int(rows[$0].scope)] }
    result.summary.resources = resources.list
    result.summary.scopes = scopes.list
    encodeColumn(ChunkID.resource, count: rows.count) {
      UInt64(resources.places[Int(context.resources.indices[Int(rows[$0].resource)])])
    }
    encodeColumn(ChunkID.scope, count: rows.count) {
      UInt64(scopes.places[Int(context.scopes.indices[Int(rows[$0].scope)])])
    }
  }

  /// Encodes the ascending list of the indices that occur; gives it back with the place of each index in it.
  private func encodeList(
    _ id: UInt32, _ count: Int, _ index: (Int) -> UInt32
  ) -> (list: [UInt32], places: [UInt32]) {
    var occurs: [Bool] = []
    for row in 0..<count {
      let index = Int(index(row))
      if index >= occurs.count { occurs.append(contentsOf: repeatElement(false, count: index + 1 - occurs.count)) }
      occurs[index] = true
    }
    var list: [UInt32] = []
    var places = [UInt32](repeating: 0, count: occurs.count)
    for index in occurs.indices where occurs[index] {
      places[index] = UInt32(list.count)
      list.append(UInt32(index))
    }
    encodeColumn(id, count: list.count) { UInt64(list[$0]) }
    return (list, places)
  }
}

/// Finds spans by id in traces that are too large to be searched from the front.
private struct LargeTraceRanks {
  static let threshold = 32
  private var tables: [Int: [(id: UInt64, rank: Int)]] = [:]

  /// The first place in `range` with this id, counted from the start of `range`.
  mutating func rank(of id: UInt64, ordinal: Int, ids: UnsafeBufferPointer<UInt64>, range: Range<Int>) -> Int? {
    if tables[ordinal] == nil {
      var table = range.map { (id: ids[$0], rank: $0 - range.lowerBound) }
      table.sort { ($0.id, $0.rank) < ($1.id, $1.rank) }
      tables[ordinal] = table
    }
    return tables[ordinal].flatMap { table in
      var low = 0
      var high = table.count
      while low < high {
        let middle = (low + high) / 2
        if table[middle].id < id { low = middle + 1 } else { high = middle }
      }
      return low < table.count && table[low].id == id ? table[low].rank : nil
    }
  }
}
