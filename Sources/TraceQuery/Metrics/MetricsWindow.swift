import TraceModel
import TracestoreV2

/// When the spans of a metrics query start, and where its points stand.
struct MetricsWindow: Sendable {
  /// The starts that matter, both ends included.
  let starts: ClosedRange<UInt64>
  /// Buckets begin at multiples of it; every bound of a step or a rate window does.
  let bucketNanoseconds: UInt64
  /// The first and last point of rates, in buckets.
  let points: ClosedRange<UInt64>
  /// The distance of two points in buckets.
  let stride: UInt64
  /// The buckets before a point that its rate looks back on; 0 for latencies.
  let reach: UInt64

  /// Steps that begin before `end` and end after `start`: spans of a step that lie outside of [start, end) do not count.
  /// Nil when there are none.
  init?(latencies query: MetricsQuery) {
    guard let (start, last) = Self.bounds(query) else { return nil }
    starts = start...last
    bucketNanoseconds = query.stepNanoseconds
    points = start / query.stepNanoseconds...last / query.stepNanoseconds
    stride = 1
    reach = 0
  }

  /// Points at multiples of the step in [start, end), each over [point − ratePer, point). Nil when there are none.
  init?(rates query: MetricsQuery) {
    guard let (start, last) = Self.bounds(query) else { return nil }
    let step = query.stepNanoseconds
    let width = Self.greatestCommonDivisor(step, query.ratePerNanoseconds)
    let first = start / step + (start % step > 0 ? 1 : 0)
    // The rate at the epoch looks back on nothing.
    guard first <= last / step, last / step > 0 else { return nil }
    stride = step / width
    reach = query.ratePerNanoseconds / width
    points = max(first, 1) * stride...last / step * stride
    let lookback = query.ratePerNanoseconds
    let firstTime = points.lowerBound * width
    starts = (firstTime > lookback ? firstTime - lookback : 0)...points.upperBound * width - 1
    bucketNanoseconds = width
  }

  /// The first and the last start of the window; nil when it is empty. The greatest end means unbounded.
  private static func bounds(_ query: MetricsQuery) -> (first: UInt64, last: UInt64)? {
    let end = query.end.nanoseconds
    let start = end > query.lookbackNanoseconds ? end - query.lookbackNanoseconds : 0
    guard start < end else { return nil }
    return (start, query.end == .maximum ? end : end - 1)
  }

  private static func greatestCommonDivisor(_ left: UInt64, _ right: UInt64) -> UInt64 {
    var (left, right) = (left, right)
    while right > 0 { (left, right) = (right, left % right) }
    return left
  }
}
