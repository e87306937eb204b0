package import TraceSource

/// Everything a query may look at: taken at one moment, unchanged while the query runs.
package struct QuerySnapshot: Sendable {
  package let sources: [any SpanSource]
  /// Names the store in page tokens.
  package let storeFingerprint: UInt64
  /// One sentence for every damaged place whose rows no source has.
  package let damage: [String]
  /// What its segments repeat of each other, as far as it was looked for before.
  package let repeats: RepeatMemory

  package init(
    sources: [any SpanSource], storeFingerprint: UInt64, damage: [String] = [], repeats: RepeatMemory = RepeatMemory()
  ) {
    self.repeats = repeats
    self.sources = sources
    self.storeFingerprint = storeFingerprint
    self.damage = damage
  }
}
