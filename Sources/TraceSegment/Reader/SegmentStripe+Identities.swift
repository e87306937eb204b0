import TraceColumns
import TraceModel

// Conditions on ids: of the trace, of the span, of its parent.
extension SegmentStripe {
  func keepTrace(_ id: TraceID, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch) throws {
    var kept = RowMask(count: rowCount)
    let count = loaded.head.traceCount
    var ordinals: [Int] = []
    try loaded.integers(ChunkID.traceLow, count: count).forEachPage(in: 0..<count, scratch) { first, values in
      for index in 0..<values.count where values[index] == id.low { ordinals.append(first + index) }
    }
    for ordinal in ordinals where try loaded.traceID(ordinal) == id {
      for row in try loaded.rows(ofTrace: ordinal, scratch) { kept.set(Int(row)) }
    }
    mask.formIntersection(kept)
  }

  func keepParent(_ id: UInt64?, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch) throws {
    guard let id else {
      // One of zeros was written in full, and is none either.
      var kept = RowMask(count: rowCount)
      try loaded.escapedParents(scratch).forEachRow(ofParent: 0) { kept.set($0) }
      kept.formIntersection(mask)
      try keepValues(try loaded.integers(ChunkID.parent, count: rowCount), &mask, scratch) { $0 == 0 }
      return mask.formUnion(kept)
    }
    // A child stands in the trace of its parent, or has the parent's id in full.
    var kept = RowMask(count: rowCount)
    let escapes = try loaded.escapedParents(scratch)
    escapes.forEachRow(ofParent: id) { kept.set($0) }
    var parents = RowMask(count: rowCount, filled: true)
    let spanIDs = try loaded.integers(ChunkID.spanID, count: rowCount)
    try keepValues(spanIDs, &parents, scratch) { $0 == id }
    let times = try StripeTimes(loaded)
    let reader = try ParentReader(loaded, scratch)
    var seen: Set<Int> = []
    try parents.forEachSet { row in
      let ordinal = try times.ordinal(row)
      guard seen.insert(ordinal).inserted else { return }
      let rows = try loaded.rows(ofTrace: ordinal, scratch).map { Int($0) }
      let ids = try spanIDs.gather(rows)
      for (row, parent) in zip(rows, try reader.parents(of: rows, ids, times, scratch)) where parent == id {
        kept.set(row)
      }
    }
    mask.formIntersection(kept)
  }
}
