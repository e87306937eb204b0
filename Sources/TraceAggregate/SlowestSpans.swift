package import TraceModel

/// The slowest spans of many, as examples: longest first, ties by trace id, then span id.
package struct SlowestSpans: Hashable, Sendable {
  /// How many are kept: they stand beside a figure, and nobody reads more of them there.
  package static let maximumCount = 3

  package struct Entry: Hashable, Comparable, Sendable {
    package var duration: UInt64
    package var trace: TraceID
    package var span: UInt64

    package init(duration: UInt64, trace: TraceID, span: UInt64) {
      self.duration = duration
      self.trace = trace
      self.span = span
    }

    /// Whether it comes first.
    package static func < (left: Entry, right: Entry) -> Bool {
      if left.duration != right.duration { return left.duration > right.duration }
      if left.trace != right.trace { return left.trace < right.trace }
      return left.span < right.span
    }
  }

  private var entries: [Entry] = []

  package init() {}

  /// A shorter span is not among them any more; 0 while there is room.
  package var minimumDuration: UInt64 {
    entries.count < Self.maximumCount ? 0 : entries.last?.duration ?? 0
  }

  package mutating func update(_ batch: [Entry]) {
    entries = Array((entries + batch).sorted().prefix(Self.maximumCount))
  }

  package mutating func merge(_ other: SlowestSpans) { update(other.entries) }

  package func finish() -> [Entry] { entries }
}
