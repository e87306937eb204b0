import TraceModel
import TraceSegment

/// In which order the traces of several segments are merged: by their least start, then id.
///
/// The order depends on the records alone, so that what is cut along it does too. Starts count in whole milliseconds,
/// which is what stripes say without being decoded.
struct MergePlan {
  /// What one input holds of a trace.
  struct Part {
    let fragment: TraceFragment
    private let storedInput: UInt32

    init(fragment: TraceFragment, input: Int) {
      self.fragment = fragment
      storedInput = UInt32(input)
    }

    /// The index of the input.
    var input: Int { Int(storedInput) }
  }

  private struct Trace {
    var start: UInt64
    /// In `parts`.
    var first: Int
  }

  /// Parts of a trace stand side by side, traces ascend by id.
  private(set) var parts: [Part]
  /// In the order of the merge.
  private var traces: [Trace] = []
  /// What each stripe of each input has, and how many parts it still has to give.
  private var stripes: [[Int: (rowCount: Int, pendingCount: Int)]]

  init(inputCount: Int) {
    parts = []
    stripes = [[Int: (rowCount: Int, pendingCount: Int)]](repeating: [:], count: inputCount)
  }

  mutating func add(_ fragment: TraceFragment, input: Int) {
    parts.append(Part(fragment: fragment, input: input))
    guard let stripe = fragment.stripe else { return }
    stripes[input][stripe, default: (0, 0)].rowCount += fragment.rowCount
    stripes[input][stripe, default: (0, 0)].pendingCount += 1
  }

  /// Rows of a stripe of an input.
  func rowCount(ofStripe stripe: Int, input: Int) -> Int { stripes[input][stripe]?.rowCount ?? 0 }

  /// Puts what was added in order.
  mutating func arrange() {
    parts.sort { left, right in
      if left.fragment.trace != right.fragment.trace { return left.fragment.trace < right.fragment.trace }
      if left.input != right.input { return left.input < right.input }
      return (left.fragment.stripe ?? .max, left.fragment.place) < (right.fragment.stripe ?? .max, right.fragment.place)
    }
    var first = 0
    while first < parts.count {
      let end = end(ofTraceAt: first)
      traces.append(Trace(start: Self.start(parts[first..<end]), first: first))
      first = end
    }
    traces.sort { ($0.start, $0.first) < ($1.start, $1.first) }
  }

  private func end(ofTraceAt first: Int) -> Int {
    var end = first + 1
    while end < parts.count, parts[end].fragment.trace == parts[first].fragment.trace { end += 1 }
    return end
  }

  var traceCount: Int { traces.count }

  /// The range in `parts` of a trace.
  func parts(ofTrace place: Int) -> Range<Int> { traces[place].first..<end(ofTraceAt: traces[place].first) }

  /// Aligned windows of times, at most so many, that traces are told apart by. Starts that make no sense may lie
  /// anywhere, and must not get a segment each.
  private static let maximumWindowCount = 64

  /// The places of traces where the next window begins, for windows of `length` nanoseconds, or twice as long as often
  /// as it takes to have few of them.
  func windowBounds(_ length: UInt64) -> Set<Int> {
    var length = length
    while true {
      var bounds: Set<Int> = []
      for place in traces.indices.dropFirst() where traces[place].start / length != traces[place - 1].start / length {
        bounds.insert(place)
      }
      if bounds.count < Self.maximumWindowCount || length > .max / 2 { return bounds }
      length *= 2
    }
  }

  /// Of the finals; of the partial records when there are none. Partial records without a start say nothing of it: they
  /// may be dropped.
  private static func start(_ parts: ArraySlice<Part>) -> UInt64 {
    var start = UInt64.max
    for part in parts where part.fragment.stripe != nil { start = min(start, part.fragment.start) }
    if start == .max { for part in parts { start = min(start, part.fragment.start) } }
    return start
  }

  /// Notes that a part has been merged; true when its stripe has nothing more to give.
  mutating func finish(_ part: Part) -> Bool {
    guard let stripe = part.fragment.stripe else { return false }
    stripes[part.input][stripe, default: (0, 1)].pendingCount -= 1
    return stripes[part.input][stripe]?.pendingCount == 0
  }

  /// Whether traces lie so far apart in the inputs that most rows would be decoded more than twice, with so many rows of
  /// decoded stripes at a time.
  func isScattered(holding maximumRowCount: Int) -> Bool {
    let totalCount = stripes.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.rowCount } }
    guard totalCount > maximumRowCount else { return false }
    var rest = self
    var held = HeldStripes(maximumRowCount: maximumRowCount)
    var decodedCount = 0
    for place in 0..<traceCount {
      for part in parts[parts(ofTrace: place)] {
        guard let stripe = part.fragment.stripe else { continue }
        let rowCount = rowCount(ofStripe: stripe, input: part.input)
        let own = HeldStripes.Place(input: part.input, stripe: stripe)
        if held.hold(own, rowCount: rowCount) != nil { decodedCount += rowCount }
        if rest.finish(part) { held.release(own) }
      }
      if decodedCount > 2 * totalCount { return true }
    }
    return false
  }
}

/// The decoded stripes that a merge has in memory.
struct HeldStripes {
  struct Place: Hashable {
    var input: Int
    var stripe: Int
  }

  let maximumRowCount: Int
  private var rowCounts: [Place: Int] = [:]
  private var rowCount = 0

  init(maximumRowCount: Int) { self.maximumRowCount = maximumRowCount }

  /// Takes up a stripe, however large. Gives back those that have to go for it; nil when it is held.
  mutating func hold(_ place: Place, rowCount new: Int) -> [Place]? {
    if rowCounts[place] != nil { return nil }
    var released: [Place] = []
    if rowCount + new > maximumRowCount {
      released = Array(rowCounts.keys)
      rowCounts.removeAll(keepingCapacity: true)
      rowCount = 0
    }
    rowCounts[place] = new
    rowCount += new
    return released
  }

  mutating func release(_ place: Place) { rowCount -= rowCounts.removeValue(forKey: place) ?? 0 }
}
