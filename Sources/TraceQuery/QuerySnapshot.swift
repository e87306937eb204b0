package import TraceSegment
package import TraceSource

/// Everything a query may look at: taken at one moment, unchanged while the query runs.
package struct QuerySnapshot: Sendable {
  /// Spans as readers see them: what searches and listings look at.
  package let sources: [any SpanSource]
  /// Records as they were written: what traces are assembled from.
  package let recordSources: [any SpanSource]
  /// Figures of what has expired.
  package let metrics: [MetricsSegment]
  /// Names the store in page tokens.
  package let storeFingerprint: UInt64
  private let knownDamage: [String]
  private let joinDamage: @Sendable () -> [String]
  /// What its segments repeat of each other, as far as it was looked for before.
  package let repeats: RepeatMemory

  /// - Parameters:
  ///   - records: nil when no span has more than one record, so that records and spans are the same.
  ///   - damage: what was left out before the query began.
  ///   - joinDamage: what was found since, while spans of several records were joined.
  package init(
    sources: [any SpanSource], records: [any SpanSource]? = nil, metrics: [MetricsSegment] = [],
    storeFingerprint: UInt64, damage: [String] = [], joinDamage: @escaping @Sendable () -> [String] = { [] },
    repeats: RepeatMemory = RepeatMemory()
  ) {
    self.repeats = repeats
    self.sources = sources
    recordSources = records ?? sources
    self.metrics = metrics
    self.storeFingerprint = storeFingerprint
    knownDamage = damage
    self.joinDamage = joinDamage
  }

  /// One sentence for every damaged place whose rows no source has, as far as is known: ask when the query is done.
  package var damage: [String] { knownDamage + joinDamage().filter { !knownDamage.contains($0) } }
}
