import TraceMaintenance
import TraceModel

/// How long spans are kept. Every bound is off unless it is set.
///
/// Segments go whole. A segment's age is that of its newest span, by its start, or by the newest arrival where starts make
/// no sense (zero, or later than everything had arrived); older spans in it stay as long. Spans that are not in a segment
/// yet stay; an open store seals them when the first has waited for a quarter of the age.
public struct RetentionPolicy: Hashable, Sendable {
  /// Segments whose newest span is older are dropped. A span may outstay it by the range of times in its segment, which
  /// merges keep to a quarter of the age.
  public var maximumAgeNanoseconds: UInt64?
  /// When segments take more bytes, the oldest are dropped until they do not; the newest one stays in any case.
  public var maximumByteCount: UInt64?
  /// What is dropped leaves hourly figures behind (see <doc:Retention>), which are dropped when they are older; nil keeps
  /// them, 0 makes none.
  public var maximumMetricsAgeNanoseconds: UInt64?

  public init(
    maximumAgeNanoseconds: UInt64? = nil, maximumByteCount: UInt64? = nil, maximumMetricsAgeNanoseconds: UInt64? = nil
  ) {
    self.maximumAgeNanoseconds = maximumAgeNanoseconds
    self.maximumByteCount = maximumByteCount
    self.maximumMetricsAgeNanoseconds = maximumMetricsAgeNanoseconds
  }

  /// Nothing goes.
  public static let keepAll = RetentionPolicy()

  var rules: RetentionRules {
    RetentionRules(
      maximumAgeNanoseconds: maximumAgeNanoseconds, maximumByteCount: maximumByteCount,
      maximumMetricsAgeNanoseconds: maximumMetricsAgeNanoseconds)
  }

  func validate() throws {
    // Either would drop everything at once, which nobody means.
    guard maximumAgeNanoseconds != 0 else {
      throw TracestoreError(.invalidArgument, "The maximum age of spans is 0; it must be at least 1 ns, or nil.")
    }
    guard maximumByteCount != 0 else {
      throw TracestoreError(.invalidArgument, "The maximum byte count is 0; it must be at least 1, or nil.")
    }
  }
}
