import TraceModel
import TraceSegment

/// In which order the traces of several segments are merged: by their least start, then id.
///
/// The order depends on the records alone, so that what is cut along it does too. Starts count in whole milliseconds,
/// which is what stripes say without being decoded.
struct MergePlan {
  /// What one input holds of a trace.
  struct Part {
    var fragment: TraceFragment
    /// The index of the input.
    var input: Int
  }

  /// Parts of a trace stand side by side.
  private(set) var parts: [Part]
  /// For each trace in order, its range in `parts`.
  private(set) var traces: [Range<Int>] = []
  /// For each trace in order, when it starts.
  private var starts: [UInt64] = []
  /// How many parts each stripe of each input still has to give.
  private var pending: [[Int: Int]]

  init(_ unordered: consuming [Part], inputCount: Int) {
    parts = unordered
    pending = [[Int: Int]](repeating: [:], count: inputCount)
    for part in parts {
      if let stripe = part.fragment.stripe { pending[part.input][stripe, default: 0] += 1 }
    }
    parts.sort { left, right in
      if left.fragment.trace != right.fragment.trace { return left.fragment.trace < right.fragment.trace }
      if left.input != right.input { return left.input < right.input }
      return (left.fragment.stripe ?? .max, left.fragment.place) < (right.fragment.stripe ?? .max, right.fragment.place)
    }
    var keyed: [(start: UInt64, range: Range<Int>)] = []
    var first = 0
    while first < parts.count {
      var end = first + 1
      while end < parts.count, parts[end].fragment.trace == parts[first].fragment.trace { end += 1 }
      keyed.append((Self.start(parts[first..<end]), first..<end))
      first = end
    }
    // Ranges ascend by trace id.
    keyed.sort { ($0.start, $0.range.lowerBound) < ($1.start, $1.range.lowerBound) }
    traces = keyed.map(\.range)
    starts = keyed.map(\.start)
  }

  /// Aligned windows of times, at most so many, that traces are told apart by. Starts that make no sense may lie
  /// anywhere, and must not get a segment each.
  private static let maximumWindowCount = 64

  /// The places in `traces` where the next window begins, for windows of `length` nanoseconds, or twice as long as often
  /// as it takes to have few of them.
  func windowBounds(_ length: UInt64) -> Set<Int> {
    var length = length
    while true {
      var bounds: Set<Int> = []
      for place in starts.indices.dropFirst() where starts[place] / length != starts[place - 1] / length {
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
    pending[part.input][stripe, default: 1] -= 1
    return pending[part.input][stripe] == 0
  }
}
