import TraceColumns
package import TraceManifest
package import TraceModel
package import TraceSegment

/// What sealing a memtable left behind.
package struct SealResult: Sendable {
  /// Nil when every row was live already.
  package var segment: Segment?
  package var rowCount = 0
  package var droppedCount: Int
  package var byteCount: UInt64 = 0
}

/// Writes a memtable to a segment and publishes it with a manifest edit.
package final class Sealer: Sendable {
  private let manifest: ManifestStore
  private let files: SegmentFiles
  private let parallel: SegmentParallelism

  package init(manifest: ManifestStore, files: SegmentFiles, parallel: @escaping SegmentParallelism) {
    self.manifest = manifest
    self.files = files
    self.parallel = parallel
  }

  /// Seals every row of a memtable whose rows are all published. One manifest edit adds the segment and lets the log
  /// go; until it is durable nothing has changed.
  ///
  /// - Parameters:
  ///   - live: the live segments; records that stand there are dropped.
  ///   - spared: traces of which nothing is dropped for that.
  package func seal(
    _ memtable: Memtable, live: [Segment], sparing spared: Set<TraceID> = []
  ) throws -> SealResult {
    let view = memtable.source().view
    let range = view.startRange
    let selection = try SealSelection(
      view, live: live.filter { $0.mayHoldFragments(of: range) }, sparing: spared)
    var result = SealResult(droppedCount: selection.droppedCount)
    var edit = ManifestEdit()
    if let sequences = memtable.sequences { edit.entries.append(.walTrimmedBelow(sequences.upperBound &+ 1)) }
    if selection.rows.isEmpty, selection.partialRows.isEmpty {
      try manifest.commit(edit)
      return result
    }
    var file = try files.write(view, rows: selection.rows, partialRows: selection.partialRows, parallel: parallel)
    let arrivals = memtable.arrivals
    file.minimumArrivalNanoseconds = arrivals.minimum
    file.maximumArrivalNanoseconds = arrivals.maximum
    if let sequences = memtable.sequences {
      file.firstSequence = sequences.lowerBound
      file.lastSequence = sequences.upperBound
    }
    edit.add(file)
    do {
      // Opened first: after the edit there is no way back.
      result.segment = try files.open(file)
      try manifest.commit(edit)
    } catch let error as TracestoreError where error.code == .poisoned {
      // The edit may be durable, and then it names the file.
      throw error
    } catch {
      files.discard(file)
      throw error
    }
    result.rowCount = selection.rows.count + selection.partialRows.count
    result.byteCount = file.byteCount
    return result
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
