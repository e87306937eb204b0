import TraceFiles
import TraceModel
import TraceSegment

/// Every column of one or several segments with what each encoding would take for it.
package struct TrialReport: Sendable {
  /// How many bytes the segments have.
  package var byteCount: UInt64 = 0
  package var spanCount: UInt64 = 0
  package var segmentCount = 0
  /// Largest first, of all stripes and segments together.
  package var columns: [ColumnTrial] = []
  /// Columns of texts that are too long to be tried.
  package var untriedNames: [String] = []
  package var damages: [InspectedDamage] = []

  package func columns(_ kind: ColumnTrial.Kind) -> [ColumnTrial] { columns.filter { $0.kind == kind } }

  /// All columns of a kind together.
  package func total(_ kind: ColumnTrial.Kind) -> ColumnTrial {
    columns(kind).reduce(into: ColumnTrial("total", kind)) { $0.add($1) }
  }

  package func json(_ path: String) -> JSONValue {
    .object([
      ("schema", .count(Explanation.schemaVersion)), ("path", .string(path)), ("bytes", .number(byteCount)),
      ("segments", .count(segmentCount)), ("spans", .number(spanCount)), ("columns", .array(columns.map(\.json))),
      ("totals", .array(ColumnTrial.Kind.allCases.map { total($0).json })),
      ("untried", .array(untriedNames.map { .string($0) })), ("damaged", .array(damages.map(\.json))),
    ])
  }
}

extension Inspector {
  /// A column of a stripe with more bytes of text than this is not tried: its raw form would be as large.
  private static let maximumTrialTextByteCount = 64 << 20

  /// Tries every encoding on every column of a segment, or of all segments of a store. Takes about as long as writing
  /// them ten times.
  ///
  /// - Parameter progress: called after each stripe with how many spans were tried, of how many.
  package func tryEncodings(
    _ path: String, progress: (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
  ) throws -> TrialReport {
    guard let kind = try fileSystem.kind(of: path) else {
      throw TracestoreError(.notFound, "there is no file or folder \(path); check the name", path: path)
    }
    let paths =
      kind == .file
      ? [path] : try fileSystem.contents(ofDirectory: path).filter { Self.isSegment($0) }.map { joinedPath(path, $0) }
    guard !paths.isEmpty else {
      throw TracestoreError(.notFound, "there is no segment in \(path); give a store or a segment", path: path)
    }
    var report = TrialReport()
    var total: UInt64 = 0
    for path in paths {
      do { total += try withSegment(path) { $0.totals.rowCount } } catch {
        if kind == .file { throw error }
        report.damages.append(InspectedDamage(error, file: path, offset: 0))
      }
    }
    var trials: [String: ColumnTrial] = [:]
    var done: UInt64 = 0
    for path in paths where !report.damages.contains(where: { $0.file == path }) {
      try withSegment(path) { segment in
        report.segmentCount += 1
        report.byteCount += segment.byteCount
        report.spanCount += segment.totals.rowCount
        for stripe in try segment.spanStripes() {
          tryEncodings(stripe, path, &trials, &report)
          done += UInt64(stripe.rowCount)
          progress(done, total)
        }
      }
    }
    report.columns = trials.values.sorted {
      $0.storedByteCount != $1.storedByteCount
        ? $0.storedByteCount > $1.storedByteCount : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
    }
    report.untriedNames.sort()
    return report
  }

  private func tryEncodings(
    _ stripe: SegmentStripe, _ path: String, _ trials: inout [String: ColumnTrial], _ report: inout TrialReport
  ) {
    let encodings = EncodingTrials()
    do {
      let damages = try stripe.forEachColumn(maximumTextByteCount: Self.maximumTrialTextByteCount) { content in
        guard let trial = encodings.run(content) else {
          if !report.untriedNames.contains(content.name) { report.untriedNames.append(content.name) }
          return
        }
        trials["\(trial.kind) \(trial.name)", default: ColumnTrial(trial.name, trial.kind)].add(trial)
      }
      report.damages += damages.map { InspectedDamage($0, file: path, offset: 0) }
    } catch {
      report.damages.append(InspectedDamage(error, file: path, offset: 0))
    }
  }
}
