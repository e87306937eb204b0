public import TraceModel

/// Deterministic OpenTelemetry traffic for tests, demos and benchmarks.
///
/// A sequence of requests in order of span end time, as a collector with a batch processor sends them: each holds up to
/// `requestSpanCount` spans, grouped by resource and scope. In total there are exactly `spanCount` spans, and the last
/// one ends exactly at `until`. Every span's parent is in its trace; ids are unique and never zero. The output is a
/// function of the parameters alone, on every platform, and the content of a span does not depend on how requests are cut.
///
/// Memory is bounded: the skeletons of about 100,000 spans and one request. Iterating costs a few microseconds a span.
/// The generator is a value and safe to share; each iterator belongs to one thread.
public struct TrafficGenerator: Sequence, Sendable {
  /// What kind of traffic.
  public enum Shape: String, Sendable, CaseIterable {
    /// The shape of Jaeger's storage benchmark: 10 spans a trace, 10 services, 11 attributes a child span from 97 keys
    /// and 1,000 values, spread over 10 days.
    case uniform
    /// 40 services in layers that call each other, with semantic-convention attributes, Kubernetes resources, errors
    /// with exception events, retries, links, some traces of up to 6,000 spans, microsecond clocks in some languages,
    /// over 6 hours.
    case realistic

    /// How long the traffic lasts, whatever its span count.
    public var windowNanoseconds: UInt64 {
      switch self {
      case .uniform: 10 * 86_400 * 1_000_000_000
      case .realistic: 6 * 3600 * 1_000_000_000
      }
    }

    /// Where the traffic ends unless told otherwise: 2026-01-11T00:00:00Z, and 2026-01-07T16:00:00Z for the realistic
    /// shape, whose six hours then lie inside one UTC day.
    public var defaultUntil: Timestamp {
      switch self {
      case .uniform: Timestamp(nanoseconds: 1_768_089_600 * 1_000_000_000)
      case .realistic: Timestamp(nanoseconds: 1_767_801_600 * 1_000_000_000)
      }
    }

    /// The earliest `until` that keeps every span after 1970.
    public var minimumUntil: Timestamp { Timestamp(nanoseconds: windowNanoseconds + 3600 * 1_000_000_000) }
  }

  public let shape: Shape
  /// How many spans the whole sequence holds.
  public let spanCount: Int
  public let seed: UInt64
  /// The end of the last span.
  public let until: Timestamp
  /// The most spans that one request holds; all requests but the last hold exactly that many.
  public let requestSpanCount: Int
  /// How many times as many operations the services of the realistic shape have; the uniform shape ignores it. Rare ones
  /// do not happen in little traffic: among a million spans of seed 1 there are 1,419 operations with 1, 2,862 with 3
  /// and 4,622 with 5.
  public let operationFactor: Int

  /// - Parameters:
  ///   - shape: what kind of traffic.
  ///   - spanCount: zero or more.
  ///   - seed: equal seeds make equal traffic.
  ///   - until: `shape.defaultUntil` when nil; not before `shape.minimumUntil`.
  ///   - requestSpanCount: one or more.
  ///   - operationFactor: from 1, about 15 operations a service beside those with which it calls others, to
  ///     `maximumOperationFactor`.
  public init(
    shape: Shape, spanCount: Int, seed: UInt64 = 1, until: Timestamp? = nil, requestSpanCount: Int = 512,
    operationFactor: Int = 1
  ) {
    let until = until ?? shape.defaultUntil
    precondition(spanCount >= 0, "a span count is not negative")
    precondition(requestSpanCount >= 1, "a request holds at least one span")
    precondition(
      (1...Self.maximumOperationFactor).contains(operationFactor), "operationFactor goes from 1 to 10")
    precondition(until >= shape.minimumUntil, "traffic has to end after Shape.minimumUntil")
    self.shape = shape
    self.spanCount = spanCount
    self.seed = seed
    self.until = until
    self.requestSpanCount = requestSpanCount
    self.operationFactor = operationFactor
  }

  /// Beyond it most operations would share a name with another one: there are only so many words.
  public static let maximumOperationFactor = 10

  public func makeIterator() -> Iterator { Iterator(self) }

  public var underestimatedCount: Int { (spanCount + requestSpanCount - 1) / requestSpanCount }
}
