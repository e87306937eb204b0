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
    try core.stripeTest(leaf, level).map { try $0(self) } ?? false
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
      // An id that is not there stands as zero.
      case .linkedTrace(nil):
        var zeros = result
        try keepValues(try integers(ChunkID.linkTraceLow), &zeros, scratch) { $0 == 0 }
        try keepValues(try integers(ChunkID.linkTraceHigh), &zeros, scratch) { $0 == 0 }
        result.subtract(zeros)
      case .linkedTrace(let id?):
        try keepValues(try integers(ChunkID.linkTraceLow), &result, scratch) { $0 == id.low }
        try keepValues(try integers(ChunkID.linkTraceHigh), &result, scratch) { $0 == id.high }
        try keepValues(try integers(ChunkID.linkAbsence), &result, scratch) { $0 & 1 == 0 }
      case .linkedSpan(nil):
        try keepValues(try integers(ChunkID.linkSpanID), &result, scratch) { $0 != 0 }
      case .linkedSpan(let id?):
        try keepValues(try integers(ChunkID.linkSpanID), &result, scratch) { $0 == id }
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

  /// Whether an event of the stripe may pass a condition on its time; false is certain.
  func mayHaveEvent(passing leaf: ElementLeaf) -> Bool {
    guard let distances = summary.eventDistances else { return summary.eventCount > 0 }
    return DistanceAnswers(leaf, bounds).mayPass(distances)
  }

  /// The time of an event stands as its distance from the start of its span, modulo 2^64.
  private func keepTimes(
    _ leaf: ElementLeaf, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    guard let offsets = try loaded.eventOffsets(scratch), let first = mask.firstSet(), let last = mask.lastSet else {
      return mask.clear(0..<mask.count)
    }
    let column = try loaded.integers(ChunkID.eventTime, count: mask.count)
    let answers = DistanceAnswers(leaf, bounds)
    var kept = mask
    var open: [Int] = []
    try column.forEachPage(in: first..<(last + 1), scratch, neededRows: mask) { start, values in
      for index in 0..<values.count {
        let distance = unzigzag(values[index])
        if answers.accepted.contains(distance) { continue }
        if answers.open.contains(distance) || !answers.plain.contains(distance) {
          if mask[start &+ index] { open.append(start &+ index) }
        } else {
          kept.clear(start &+ index)
        }
      }
    }
    if !open.isEmpty {
      let owners = ElementOwners(offsets)
      let times = try StripeTimes(loaded)
      var known = (row: -1, start: UInt64(0))
      for (event, distance) in zip(open, try column.gather(open)) {
        let row = owners.owner(of: event, from: max(0, known.row))
        if row != known.row { known = (row, try times.start(row)) }
        let time = known.start &+ UInt64(bitPattern: unzigzag(distance))
        if !leaf.passes(time, start: known.start) { kept.clear(event) }
      }
    }
    mask = kept
  }
}

extension ElementLeaf {
  fileprivate func passes(_ time: UInt64, start: UInt64) -> Bool {
    switch self {
    case .time(let range): range.contains(time)
    case .timeSinceStart(let range): range.contains(Int128(time) - Int128(start))
    default: false
    }
  }
}

/// What the distance of an event from its span's start says before that start is known.
private struct DistanceAnswers {
  /// Distances that lead from no start in the stripe past either end of time, so that they are what they say.
  let plain: Distances
  /// Plain ones that pass, wherever the span starts.
  let accepted: Distances
  /// Plain ones that may pass.
  let open: Distances

  /// - Parameter bounds: of all spans of the stripe.
  init(_ leaf: ElementLeaf, _ bounds: StripeBounds) {
    let (earliest, latest) = (Int128(bounds.minimumStart), Int128(bounds.maximumStart))
    let (low, high) = (-earliest, Int128(UInt64.max) - latest)
    plain = Distances(from: low, through: high)
    func within(_ first: Int128, _ last: Int128) -> Distances {
      Distances(from: max(first, low), through: min(last, high))
    }
    switch leaf {
    case .time(let range):
      let (first, last) = (Int128(range.lowerBound), Int128(range.upperBound))
      accepted = within(first - earliest, last - latest)
      open = within(first - latest, last - earliest)
    case .timeSinceStart(let range):
      accepted = within(range.lowerBound, range.upperBound)
      open = accepted
    default:
      accepted = Distances(from: 1, through: 0)
      open = accepted
    }
  }

  /// Whether an event may pass when all distances are in a range. What lies between plain distances is plain.
  func mayPass(_ distances: ClosedRange<Int64>) -> Bool {
    open.overlaps(distances) || !plain.contains(distances.lowerBound) || !plain.contains(distances.upperBound)
  }
}

/// A range of distances, perhaps empty.
private struct Distances {
  private let first: Int64
  private let last: Int64

  init(from first: Int128, through last: Int128) {
    let isEmpty = first > last || first > Int128(Int64.max) || last < Int128(Int64.min)
    self.first = isEmpty ? 1 : Int64(clamping: first)
    self.last = isEmpty ? 0 : Int64(clamping: last)
  }

  @inline(__always)
  func contains(_ distance: Int64) -> Bool { first <= distance && distance <= last }

  func overlaps(_ other: ClosedRange<Int64>) -> Bool {
    first <= last && first <= other.upperBound && other.lowerBound <= last
  }
}
