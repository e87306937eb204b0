import TraceColumns
package import TraceFiles
package import TraceManifest
import TraceModel
package import TraceSegment

/// What sealing a memtable left behind.
package struct SealResult: Sendable {
  /// Nil when every row was live already.
  package var segment: Segment?
  package var rowCount = 0
  package var droppedCount: Int
  package var byteCount: UInt64 = 0
}

/// Writes a memtable to a segment and publishes it (LAW 2): temporary file, sync, rename, sync of the directory,
/// manifest edit.
package final class Sealer: Sendable {
  private let fileSystem: any FileSystem
  private let directory: String
  private let manifest: ManifestStore
  private let cache: BlockCache
  private let segmentOptions: SegmentOptions
  private let parallel: SegmentParallelism

  package init(
    fileSystem: any FileSystem, directory: String, manifest: ManifestStore, cache: BlockCache,
    segmentOptions: SegmentOptions, parallel: @escaping SegmentParallelism
  ) {
    self.fileSystem = fileSystem
    self.directory = directory
    self.manifest = manifest
    self.cache = cache
    self.segmentOptions = segmentOptions
    self.parallel = parallel
  }

  /// Seals every row of a memtable whose rows are all published. One manifest edit adds the segment and lets the log
  /// go; until it is durable nothing has changed.
  ///
  /// - Parameter live: the live segments; records that stand there are dropped.
  package func seal(_ memtable: Memtable, live: [Segment]) throws -> SealResult {
    let view = memtable.source().view
    let range = view.startRange
    let selection = try SealSelection(view, live: live.filter { $0.mayHoldFragments(of: range) })
    var result = SealResult(droppedCount: selection.droppedCount)
    var edit = ManifestEdit()
    if let sequences = memtable.sequences { edit.entries.append(.walTrimmedBelow(sequences.upperBound &+ 1)) }
    if selection.rows.isEmpty, selection.partialRows.isEmpty {
      try manifest.commit(edit)
      return result
    }
    let key = ManifestFileKey(kind: .segment, number: manifest.allocateFileNumber())
    let statistics = try write(view, selection, name: StoreLayout.fileName(key))
    edit.add(entry(key, statistics, memtable))
    try manifest.commit(edit)
    result.segment = try Self.openSegment(
      edit.addedFiles[0], fileSystem: fileSystem, directory: directory, cache: cache)
    result.rowCount = selection.rows.count + selection.partialRows.count
    result.byteCount = statistics.byteCount
    return result
  }

  /// Opens the segment that a manifest entry names.
  package static func openSegment(
    _ file: ManifestFile, fileSystem: any FileSystem, directory: String, cache: BlockCache
  ) throws -> Segment {
    let path = joinedPath(directory, StoreLayout.fileName(file.key))
    return try Segment.open(
      file: try fileSystem.open(path, .read), number: file.key.number, path: path, cache: cache,
      expectedFooterHash: file.footerHash)
  }

  private func write(_ view: SpanTable.View, _ selection: SealSelection, name: String) throws -> SegmentStatistics {
    let path = joinedPath(directory, name)
    let temporary = path + StoreLayout.temporarySuffix
    do {
      let file = try fileSystem.open(temporary, .create)
      defer { file.close() }
      let statistics = try SegmentWriter.write(
        view, rows: selection.rows, partialRows: selection.partialRows, options: segmentOptions, to: file,
        parallel: parallel)
      try file.sync()
      try fileSystem.rename(temporary, to: path)
      try fileSystem.syncDirectory(directory)
      return statistics
    } catch {
      // Whatever is left is swept when the store is opened; removing it now gives a full disk its room back.
      try? fileSystem.remove(temporary)
      throw error
    }
  }

  private func entry(_ key: ManifestFileKey, _ statistics: SegmentStatistics, _ memtable: Memtable) -> ManifestFile {
    var file = ManifestFile(key: key)
    let totals = statistics.totals
    file.byteCount = statistics.byteCount
    file.footerHash = statistics.footerHash
    file.rowCount = totals.rowCount
    file.partialRecordCount = totals.partialCount
    file.traceCount = totals.traceCount
    if totals.rowCount > 0 {
      file.minimumStartNanoseconds = totals.minimumStart
      file.maximumStartNanoseconds = totals.maximumStart
      file.maximumEndNanoseconds = totals.maximumEnd
      file.longestTraceNanoseconds = totals.longestTraceDuration
    }
    let arrivals = memtable.arrivals
    file.minimumArrivalNanoseconds = arrivals.minimum
    file.maximumArrivalNanoseconds = arrivals.maximum
    if let sequences = memtable.sequences {
      file.firstSequence = sequences.lowerBound
      file.lastSequence = sequences.upperBound
    }
    return file
  }
}

extension ManifestEdit {
  fileprivate var addedFiles: [ManifestFile] {
    entries.compactMap { if case .addFile(let file) = $0 { file } else { nil } }
  }
}

extension SpanTable.View {
  /// The least and the greatest start of the rows; nil when there are none.
  var startRange: ClosedRange<UInt64>? {
    var minimum = UInt64.max
    var maximum = UInt64.min
    rows.forEachRun(in: 0..<rows.count) { run, _ in
      for row in run {
        minimum = min(minimum, row.start)
        maximum = max(maximum, row.start)
      }
    }
    return minimum <= maximum ? minimum...maximum : nil
  }
}

extension Segment {
  /// Whether a trace with a span in the range may have spans here: the ranges overlap when both are widened by the
  /// longest trace seen. What lies farther apart is found when the trace is read.
  func mayHoldFragments(of range: ClosedRange<UInt64>?) -> Bool {
    guard let range else { return false }
    let totals = totals
    if totals.partialCount > 0 { return true }
    let reach = max(totals.longestTraceDuration, 60_000_000_000)
    let (low, isBelow) = totals.minimumStart.subtractingReportingOverflow(reach)
    let (high, isAbove) = max(totals.maximumStart, totals.maximumEnd).addingReportingOverflow(reach)
    return range.upperBound >= (isBelow ? 0 : low) && range.lowerBound <= (isAbove ? .max : high)
  }
}
