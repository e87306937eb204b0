import TraceBytes
package import TraceColumns
import TraceModel
package import TraceSource

// Conditions on single events and links.
extension SegmentStripe: ElementStripe {
  package func elementOffsets(_ level: ChildLevel) throws -> [UInt32]? {
    try reading { loaded, scratch in
      try level == .event ? loaded.eventOffsets(scratch) : loaded.linkOffsets(scratch)
    }
  }

  package func mayMatch(_ leaf: ElementLeaf, _ level: ChildLevel) throws -> Bool {
    try core.stripeTest(leaf, level)(summary)
  }

  package func filterElements(_ mask: inout RowMask, of level: ChildLevel, by leaf: ElementLeaf) throws {
    guard let first = mask.firstSet(), let last = mask.lastSet, (try? mayMatch(leaf, level)) ?? true else {
      return mask.clear(0..<mask.count)
    }
    var result = mask
    let range = first..<(last + 1)
    try reading { loaded, scratch in
      let count = loaded.elementCount(level.columnLevel)
      guard mask.count == count else {
        throw TracestoreError(
          .invalidArgument, "a mask of \(mask.count) elements meets a stripe of \(count)", path: core.path)
      }
      func integers(_ id: UInt32) throws -> IntegerChunk { try loaded.integers(id, count: count) }
      func keepTexts(_ id: UInt32, _ test: TextTest) throws {
        var hits = RowMask(count: count)
        try loaded.text(id, count: count, scratch).forEachIndex(
          passing: test, in: range, neededRows: result, try core.strings(), scratch
        ) { hits.set($0) }
        result.formIntersection(hits)
      }
      switch leaf {
      case .name(let test): try keepTexts(ChunkID.eventName, test)
      case .traceState(let test): try keepTexts(ChunkID.linkTraceState, test)
      case .linkedTrace(let id):
        if let id {
          try keepValues(try integers(ChunkID.linkTraceLow), &result, scratch) { $0 == id.low }
          try keepValues(try integers(ChunkID.linkTraceHigh), &result, scratch) { $0 == id.high }
        }
        // An id that is not there stands as zero.
        try keepValues(try integers(ChunkID.linkAbsence), &result, scratch) { $0 & 1 == 0 }
      case .linkedSpan(let id):
        if let id { try keepValues(try integers(ChunkID.linkSpanID), &result, scratch) { $0 == id } }
        try keepValues(try integers(ChunkID.linkAbsence), &result, scratch) { $0 & 2 == 0 }
      case .time, .timeSinceStart: try keepTimes(leaf, &result, loaded, scratch)
      case .attribute(let key, let test):
        var hits = RowMask(count: count)
        try forEachElement(with: key, level.columnLevel, passing: test, in: range, loaded, scratch) { hits.set($0) }
        result.formIntersection(hits)
      }
    }
    mask = result
  }

  private func keepTimes(
    _ leaf: ElementLeaf, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    guard let offsets = try loaded.eventOffsets(scratch) else { return mask.clear(0..<mask.count) }
    let column = try loaded.integers(ChunkID.eventTime, count: mask.count)
    let owners = ElementOwners(offsets)
    let times = try StripeTimes(loaded)
    var known = (row: -1, start: UInt64(0))
    for event in mask.rows {
      let row = owners.owner(of: event, from: max(0, known.row))
      if row != known.row { known = (row, try times.start(row)) }
      // The event's time may lie before the span's start, and further away than a signed number says.
      let time = known.start &+ UInt64(bitPattern: unzigzag(try column.value(at: event)))
      let passes =
        switch leaf {
        case .time(let range): range.contains(time)
        case .timeSinceStart(let range): range.contains(ElementLeaf.timeSinceStart(time, known.start))
        default: false
        }
      if !passes { mask.clear(event) }
    }
  }
}
