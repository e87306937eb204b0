import TraceBytes
import TraceColumns
import TraceSource

extension StripeEncoder {
  /// The columns with one value for each row, apart from parents, envelopes, shapes and attributes.
  func encodeFixedColumns() {
    let rows = rows
    encodeTimes()
    encodeColumn(ChunkID.statusCode, rows.statusCodes)
    let marks = rows.marks
    let statusMark = UInt64(SpanMarks.hasStatus.rawValue)
    encodeColumn(ChunkID.statusAbsence, count: rows.count) { marks[$0] & statusMark != 0 ? 0 : 1 }
    encodeColumn(ChunkID.flags, rows.flags)
    encodeColumn(ChunkID.eventCount, rows.eventCounts)
    encodeColumn(ChunkID.linkCount, rows.linkCounts)
    encodeText(ChunkID.statusMessage, rows.statusMessages)
    encodeRareColumns()
  }

  private func encodeRareColumns() {
    let rare = rows.rareFields
    let count = rows.count
    let table = context.view.rows
    let places = places
    @inline(__always)
    func row(_ index: Int) -> UnsafeMutablePointer<SpanRow> { table.pointer(at: Int(places[index].row)) }
    if rare.droppedAttributeCount != 0 {
      encodeColumn(ChunkID.droppedAttributeCount, count: count) { UInt64(row($0).pointee.droppedAttributeCount) }
    }
    if rare.droppedEventCount != 0 {
      encodeColumn(ChunkID.droppedEventCount, count: count) { UInt64(row($0).pointee.droppedEventCount) }
    }
    if rare.droppedLinkCount != 0 {
      encodeColumn(ChunkID.droppedLinkCount, count: count) { UInt64(row($0).pointee.droppedLinkCount) }
    }
    if rare.traceState != 0 { encodeText(ChunkID.traceState, count: count) { row($0).pointee.traceState } }
    if rare.unknownFields != 0 { encodeText(ChunkID.unknownFields, count: count) { row($0).pointee.unknownFields } }
    if rare.statusUnknownFields != 0 {
      encodeText(ChunkID.statusUnknownFields, count: count) { row($0).pointee.statusUnknownFields }
    }
  }

  private func encodeTimes() {
    let (ordinals, starts) = (rows.ordinals, rows.starts)
    encodeColumn(ChunkID.traceOrdinal, ordinals)
    bases.withUnsafeBufferPointer { bases in
      encodeColumn(ChunkID.start, count: rows.count) { starts[$0] &- bases[Int(truncatingIfNeeded: ordinals[$0])] }
    }
    encodeColumn(ChunkID.duration, rows.durations)
    encodeColumn(ChunkID.spanID, rows.spanIDs)
  }

  /// Parents as ranks inside the trace's rows of this stripe.
  func encodeParents(traceCount: Int) {
    let count = rows.count
    let (ordinals, spanIDs, parentIDs, marks) = (rows.ordinals, rows.spanIDs, rows.parentIDs, rows.marks)
    let parentMark = UInt64(SpanMarks.hasParent.rawValue)
    var firsts = [Int](repeating: 0, count: traceCount + 1)
    for index in 0..<count { firsts[Int(truncatingIfNeeded: ordinals[index]) + 1] += 1 }
    for ordinal in 0..<traceCount { firsts[ordinal + 1] += firsts[ordinal] }
    var next = firsts
    // The spans of each trace side by side.
    let ids = sortedCodes.reserve(count)
    for index in 0..<count {
      let ordinal = Int(truncatingIfNeeded: ordinals[index])
      ids[next[ordinal]] = spanIDs[index]
      next[ordinal] += 1
    }
    var escapes: [UInt64] = []
    var ranks = LargeTraceRanks()
    firsts.withUnsafeBufferPointer { firsts in
      encodeColumn(ChunkID.parent, count: count) { index in
        guard marks[index] & parentMark != 0 else { return 0 }
        let parent = parentIDs[index]
        let ordinal = Int(truncatingIfNeeded: ordinals[index])
        let first = firsts[ordinal]
        let spanCount = firsts[ordinal &+ 1] &- first
        if spanCount > LargeTraceRanks.threshold {
          let all = UnsafeBufferPointer(start: ids, count: count)
          if let rank = ranks.rank(of: parent, ordinal: ordinal, ids: all, range: first..<first + spanCount) {
            return UInt64(rank + 2)
          }
        } else {
          var rank = 0
          while rank < spanCount {
            if ids[first &+ rank] == parent { return UInt64(rank &+ 2) }
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
    result.summary.resources = encodeList(ChunkID.resources, of: rows.resources, as: ChunkID.resource)
    result.summary.scopes = encodeList(ChunkID.scopes, of: rows.scopes, as: ChunkID.scope)
  }

  /// Encodes the ascending list of the indices that occur, and `indices`, which are overwritten, as places in it.
  private func encodeList(
    _ listID: UInt32, of indices: UnsafeMutableBufferPointer<UInt64>, as id: UInt32
  ) -> [UInt32] {
    var greatest: UInt64 = 0
    for index in 0..<indices.count { greatest = max(greatest, indices[index]) }
    var places = [UInt64](repeating: 0, count: Int(greatest) + 1)
    for index in 0..<indices.count { places[Int(truncatingIfNeeded: indices[index])] = 1 }
    var list: [UInt32] = []
    for index in places.indices where places[index] != 0 {
      places[index] = UInt64(list.count)
      list.append(UInt32(index))
    }
    for index in 0..<indices.count { indices[index] = places[Int(truncatingIfNeeded: indices[index])] }
    encodeColumn(listID, count: list.count) { UInt64(list[$0]) }
    encodeColumn(id, indices)
    return list
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
