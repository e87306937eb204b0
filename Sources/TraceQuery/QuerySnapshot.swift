package import TraceModel
package import TraceSegment
package import TraceSource

/// Everything a query may look at: taken at one moment, unchanged while the query runs.
package struct QuerySnapshot: Sendable {
  /// Spans as readers see them: what searches and listings look at.
  package let sources: [any SpanSource]
  /// Records as they were written: what traces are assembled from.
  package private(set) var recordSources: [any SpanSource]
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

  /// For each of the traces, the snapshot with those of the record sources that may hold it. One filter that is asked about
  /// many traces in a row costs less than all filters that are asked about each.
  package func narrowed(to traces: [TraceID]) -> [QuerySnapshot] {
    var held = [[any SpanSource]](repeating: [], count: traces.count)
    for source in recordSources {
      // A source that cannot say is asked for rows, and says why it has none.
      for place in (try? source.mayHold(among: traces)) ?? Array(traces.indices) { held[place].append(source) }
    }
    return held.map { sources in
      var narrowed = self
      narrowed.recordSources = sources
      return narrowed
    }
  }
}
