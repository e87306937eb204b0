import TraceColumns
package import TraceManifest

/// Which segments are merged, and when. A pure function of manifest entries.
///
/// Segments are merged inside time windows, and only with others of their size, so that a span is written again about
/// once for each tier its segments climb: for spans that come in order and memtables that seal by size, at most three
/// times in all. Reads never wait for any of this: it only makes them cheaper.
package struct CompactionPolicy: Sendable {
  /// The most spans of a merged segment, apart from a trace that has more on its own.
  package var segmentRowCount: Int
  /// The most bytes that the rows of a merged segment hold, each value counted as often as it occurs. It bounds the
  /// memory of a merge over large values; spans of the usual size stay below it (generated traffic: 121 MB).
  package var segmentWeight = 128 << 20
  /// The most strings of the table that a merged segment is written from. Tests lower it.
  package var maximumStringCount = ByteDictionary.maximumCount
  /// The most rows of decoded stripes that a merge holds, unless a single stripe has more: about 130 MB of usual spans.
  package var maximumHeldRowCount = 12 << 15
  /// The most bytes of partial records that a merge has read ahead, unless a single trace has more.
  package var maximumUnpackedByteCount = 32 << 20
  /// How many segments of a tier call for a merge.
  package var triggerCount = 4
  /// The most segments and spans that one merge takes: what bounds its memory, its time and its room on disk.
  package var maximumInputCount = 16
  package var maximumInputRowCount = 4 << 20
  /// A window is worth a merge of its own from here on.
  package var minimumWindowRowCount = 1 << 16
  /// Where spans go by their age: only what ages in one aligned window of this length is merged, and a full compaction
  /// is cut along such windows, or spans would stay as long as younger ones keep coming. See `RetentionRules`.
  package var agingWindowNanoseconds: UInt64?

  package init(segmentRowCount: Int = 1 << 18) { self.segmentRowCount = segmentRowCount }

  /// Levels in manifest entries. A sealed segment is unmerged.
  package static let unmergedLevel: UInt8 = 0
  package static let mergedLevel: UInt8 = 1
  /// Made by a full compaction, from everything there was.
  package static let fullLevel: UInt8 = 2

  private static let hour: UInt64 = 3_600_000_000_000
  private static let windowLengths: [UInt64] = [hour, 24 * hour, 240 * hour]

  /// The level of one of the segments that a merge has written, in order: those that were cut off are as large as
  /// rows or values allow, so that only the last of a merge may be merged again.
  static func level(ofOutput index: Int, of count: Int, in merge: UInt8) -> UInt8 {
    merge == mergedLevel && index == count - 1 ? unmergedLevel : merge
  }

  /// The aligned window that holds a range of times: the narrowest of hour, day and ten days; nil when it spans more.
  package static func window(of range: ClosedRange<UInt64>) -> (start: UInt64, length: UInt64)? {
    for length in windowLengths where range.lowerBound / length == range.upperBound / length {
      return (range.lowerBound / length * length, length)
    }
    return nil
  }

  /// The inputs of the next merge, ascending by number; empty when nothing is worth one.
  ///
  /// - Parameters:
  ///   - files: the live segments.
  ///   - excluded: numbers that must be left alone.
  package func inputs(of files: some Sequence<ManifestFile>, excluding excluded: Set<UInt64> = []) -> [ManifestFile] {
    let small = files.filter {
      $0.level == Self.unmergedLevel && $0.recordCount < segmentRowCount * 3 / 4 && !excluded.contains($0.key.number)
    }
    guard let agingWindowNanoseconds else { return inputs(ofAlike: small) }
    for aging in ManifestFile.Aging.allCases {
      let groups = Dictionary(grouping: small.filter { $0.aging == aging }) {
        $0.agingNanoseconds / agingWindowNanoseconds
      }
      for (_, group) in groups.sorted(by: { $0.key < $1.key }) {
        let chosen = inputs(ofAlike: group)
        if !chosen.isEmpty { return chosen }
      }
    }
    return []
  }

  /// Of small segments that may go together.
  private func inputs(ofAlike small: [ManifestFile]) -> [ManifestFile] {
    guard small.count >= triggerCount else { return [] }
    for length in Self.windowLengths + [.max] {
      var groups: [UInt64: [ManifestFile]] = [:]
      for file in small where file.lies(inWindowOf: length) {
        groups[file.minimumStartNanoseconds / length, default: []].append(file)
      }
      for (_, group) in groups.sorted(by: { $0.key < $1.key }) {
        let isWide = length == .max
        guard isWide || group.reduce(0, { $0 + $1.recordCount }) >= minimumWindowRowCount else { continue }
        let chosen = tier(of: group)
        if !chosen.isEmpty { return chosen }
      }
    }
    return []
  }

  /// The segments of the lowest tier that has gathered enough, with everything smaller.
  private func tier(of group: [ManifestFile]) -> [ManifestFile] {
    var limit = segmentRowCount / 64
    while limit <= segmentRowCount {
      let below = group.filter { $0.recordCount < limit }
      if below.count >= triggerCount { return bounded(below) }
      limit *= 4
    }
    return []
  }

  /// The oldest segments that fit into one merge.
  private func bounded(_ files: [ManifestFile]) -> [ManifestFile] {
    var result: [ManifestFile] = []
    var rowCount = 0
    let oldest = files.sorted {
      ($0.maximumStartNanoseconds, $0.key.number) < ($1.maximumStartNanoseconds, $1.key.number)
    }
    for file in oldest {
      guard result.count < maximumInputCount, rowCount + file.recordCount <= maximumInputRowCount else { break }
      result.append(file)
      rowCount += file.recordCount
    }
    return result.count < 2 ? [] : result.sorted { $0.key < $1.key }
  }
}

extension ManifestFile {
  /// Finals and partial records.
  package var recordCount: Int { Int(clamping: rowCount) + Int(clamping: partialRecordCount) }

  fileprivate func lies(inWindowOf length: UInt64) -> Bool {
    minimumStartNanoseconds / length == maximumStartNanoseconds / length
  }
}
