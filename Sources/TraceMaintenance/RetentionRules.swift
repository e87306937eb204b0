package import TraceManifest

/// What goes, and when: a pure function of manifest entries and the time.
///
/// Segments go whole, by the newest span in them, so that dropping one is one manifest edit and frees its bytes at once;
/// what is older in it stays as long.
package struct RetentionRules: Hashable, Sendable {
  /// Segments whose newest span is older go; nil keeps them whatever their age.
  package var maximumAgeNanoseconds: UInt64?
  /// Above this the oldest segments go, never the newest one; nil sets no bound.
  package var maximumByteCount: UInt64?

  package init(maximumAgeNanoseconds: UInt64? = nil, maximumByteCount: UInt64? = nil) {
    self.maximumAgeNanoseconds = maximumAgeNanoseconds
    self.maximumByteCount = maximumByteCount
  }

  /// Into how many parts merges cut the age, so that no span outstays it by more than one of them.
  private static let mergeWindowCount: UInt64 = 4

  /// Merges keep apart what does not age in one window of this length; nil when nothing goes by its age.
  package var mergeWindowNanoseconds: UInt64? { maximumAgeNanoseconds.map { max(1, $0 / Self.mergeWindowCount) } }

  /// The segments that go now, oldest first.
  package func expired(_ segments: some Sequence<ManifestFile>, nowNanoseconds: UInt64) -> [ManifestFile] {
    let ordered = segments.sorted { ($0.agingNanoseconds, $0.key.number) < ($1.agingNanoseconds, $1.key.number) }
    var byteCount = ordered.reduce(0) { $0 + $1.byteCount }
    var result: [ManifestFile] = []
    for (place, segment) in ordered.enumerated() {
      let isOld = maximumAgeNanoseconds.map {
        nowNanoseconds > $0 && segment.agingNanoseconds < nowNanoseconds - $0
      }
      let isTooMuch = maximumByteCount.map { byteCount > $0 && place + 1 < ordered.count }
      // Oldest first: behind one that stays nothing goes.
      guard isOld == true || isTooMuch == true else { break }
      byteCount -= segment.byteCount
      result.append(segment)
    }
    return result
  }
}

extension ManifestFile {
  /// The time from which a segment ages: its newest start. A start of zero and one after everything had arrived are the
  /// work of a broken clock, and then its newest arrival counts.
  package var agingNanoseconds: UInt64 {
    maximumStartNanoseconds == 0
      ? maximumArrivalNanoseconds : min(maximumStartNanoseconds, maximumArrivalNanoseconds)
  }
}
