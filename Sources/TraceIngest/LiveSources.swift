package import TraceSegment

/// Everything that is visible at one moment: a row is in exactly one of the sources, or it has expired and is counted
/// in exactly one of the metrics segments, if at all.
package struct LiveSources: Sendable {
  package var memtables: [MemtableSource] = []
  package var segments: [Segment] = []
  package var metrics: [MetricsSegment] = []
  /// How often segments have gone without others that took up their records; nil where that is not known.
  package var expiryCount: Int?
}
