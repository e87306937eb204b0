package import TraceManifest
import TraceSegment

/// What goes, and when: a pure function of manifest entries and the time.
///
/// Segments go whole, by the newest span in them, so that dropping one is one manifest edit and frees its bytes at once;
/// what is older in it stays as long.
package struct RetentionRules: Hashable, Sendable {
  /// Segments whose newest span is older go; nil keeps them whatever their age.
  package var maximumAgeNanoseconds: UInt64?
  /// Above this the oldest segments go, never the newest one; nil sets no bound.
  package var maximumByteCount: UInt64?
  /// Hourly figures that are older go; nil keeps them, 0 keeps none in the first place.
  package var maximumMetricsAgeNanoseconds: UInt64?

  package init(
    maximumAgeNanoseconds: UInt64? = nil, maximumByteCount: UInt64? = nil, maximumMetricsAgeNanoseconds: UInt64? = nil
  ) {
    self.maximumAgeNanoseconds = maximumAgeNanoseconds
    self.maximumByteCount = maximumByteCount
    self.maximumMetricsAgeNanoseconds = maximumMetricsAgeNanoseconds
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
      let isOld = Self.isOver(segment.agingNanoseconds, maximumAgeNanoseconds, nowNanoseconds)
      let isTooMuch = maximumByteCount.map { byteCount > $0 && place + 1 < ordered.count }
      // Oldest first: behind one that stays nothing goes.
      guard isOld || isTooMuch == true else { break }
      byteCount -= segment.byteCount
      result.append(segment)
    }
    return result
  }

  private static func isOver(_ time: UInt64, _ age: UInt64?, _ nowNanoseconds: UInt64) -> Bool {
    guard let age, nowNanoseconds > age else { return false }
    return time < nowNanoseconds - age
  }

  // MARK: Metrics segments

  package var keepsMetrics: Bool { maximumMetricsAgeNanoseconds != 0 }

  /// The metrics segments that go now.
  package func expiredMetrics(_ segments: some Sequence<ManifestFile>, nowNanoseconds: UInt64) -> [ManifestFile] {
    segments.filter { Self.isOver($0.agingNanoseconds, maximumMetricsAgeNanoseconds, nowNanoseconds) }
  }

  /// Whether an hour since the epoch is not to be kept any more.
  func isExpired(hour: UInt64, nowNanoseconds: UInt64) -> Bool {
    let (end, isBeyond) = (hour + 1).multipliedReportingOverflow(by: HourlyFigures.hourNanoseconds)
    return !isBeyond && Self.isOver(end - 1, maximumMetricsAgeNanoseconds, nowNanoseconds)
  }

  /// The last instant of an hour that begins there.
  private static func endOfHour(at start: UInt64) -> UInt64 {
    let (end, isBeyond) = start.addingReportingOverflow(HourlyFigures.hourNanoseconds - 1)
    return isBeyond ? .max : end
  }

  /// Metrics segments smaller than this are merged when so many have gathered.
  package static let mergedMetricsByteCount: UInt64 = 4 << 20
  package static let mergedMetricsCount = 8
  /// What is written again at a time: it is held decoded.
  private static let maximumRewrittenByteCount: UInt64 = 64 << 20

  /// The metrics segments that are written again: small ones with a new one when they are many, and those that have hours
  /// which have outstayed the age by a quarter, to be rid of these.
  func metricsToRewrite(_ segments: [ManifestFile], hasNew: Bool, nowNanoseconds: UInt64) -> [ManifestFile] {
    let age = maximumMetricsAgeNanoseconds.map { $0 + min($0 / Self.mergeWindowCount, .max - $0) }
    let small = segments.filter { $0.byteCount < Self.mergedMetricsByteCount }
    let areMany = hasNew && small.count + 1 >= Self.mergedMetricsCount
    let due = segments.filter {
      areMany && $0.byteCount < Self.mergedMetricsByteCount
        || Self.isOver(Self.endOfHour(at: $0.minimumStartNanoseconds), age, nowNanoseconds)
    }
    var byteCount: UInt64 = 0
    return Array(
      due.prefix { segment in
        defer { byteCount += segment.byteCount }
        return byteCount == 0 || byteCount + segment.byteCount <= Self.maximumRewrittenByteCount
      })
  }
}

extension ManifestFile {
  /// The time from which a segment ages: its newest start, or its newest arrival.
  package var agingNanoseconds: UInt64 { aging == .byStart ? maximumStartNanoseconds : maximumArrivalNanoseconds }

  /// What makes a segment age. A newest start of zero and one after everything had arrived are the work of a broken clock,
  /// and the newest arrival counts.
  enum Aging: CaseIterable {
    case byStart, withoutStart, afterArrival
  }

  /// Merges keep segments of each kind apart: only then is what they make of the same kind, and ages from the newest of its
  /// inputs.
  var aging: Aging {
    if maximumStartNanoseconds == 0 { return .withoutStart }
    return maximumStartNanoseconds > maximumArrivalNanoseconds ? .afterArrival : .byStart
  }
}
