package import TraceManifest
package import TraceModel
package import TraceSegment

/// What a delete did.
package struct DeletionResult: Sendable {
  /// A segment that held some of the traces, and what has taken its place: nothing when it held nothing else.
  package struct Change: Sendable {
    package var old: ManifestFile
    package var new: [ManifestFile]
    /// Finals and partial records that are gone.
    package var recordCount: Int
  }

  package var changes: [Change] = []
  package var traces: Set<TraceID> = []
  /// Segments that stay as they are, because bytes of them are damaged. They may hold some of the traces.
  package var damaged: [(number: UInt64, reason: String)] = []

  package init() {}
}

/// Writes segments anew without certain traces, and puts them in the place of the old ones with one manifest edit: all of
/// the traces are there, or none. Dictionaries, filters, cells and counts are made anew too, so that nothing of the traces
/// is left in any. No merge beside it, and seals spare the traces; the caller sees to that.
package final class Deleter: Sendable {
  private let manifest: ManifestStore
  private let files: SegmentFiles
  private let policy: CompactionPolicy
  private let exchange: SegmentExchange

  package init(manifest: ManifestStore, files: SegmentFiles, policy: CompactionPolicy, exchange: SegmentExchange) {
    self.manifest = manifest
    self.files = files
    self.policy = policy
    self.exchange = exchange
  }

  /// Segments that may hold some of the traces, and those of which nobody knows.
  package struct Candidates: Sendable {
    fileprivate var files: [ManifestFile] = []
    fileprivate var damaged: [(number: UInt64, reason: String)] = []
  }

  /// - Parameter segments: the live ones that could be opened, while no other is made; what else the manifest names is
  ///   told as damaged.
  package func candidates(for traces: Set<TraceID>, among segments: [Segment]) -> Candidates {
    var candidates = Candidates()
    let live = Dictionary(uniqueKeysWithValues: segments.map { ($0.number, $0) })
    for file in manifest.current.files(of: .segment) {
      guard let segment = live[file.key.number] else {
        candidates.damaged.append((file.key.number, "segment \(file.key.number) cannot be opened"))
        continue
      }
      if mayHold(traces, segment) { candidates.files.append(file) }
    }
    return candidates
  }

  /// Deletes the traces from the segments that may hold them.
  ///
  /// - Throws: what files and manifest throw; `diskFull` says how much room is missed. Nothing has changed then, except when
  ///   the manifest itself could not be written: then the next opening finds all of the traces or none.
  package func delete(
    _ traces: Set<TraceID>, from candidates: Candidates, parallel: @escaping SegmentParallelism,
    isCancelled: @escaping () -> Bool, report: @escaping (MergeProgress) -> Void
  ) throws -> DeletionResult {
    var result = DeletionResult()
    result.damaged = candidates.damaged
    var progress = MergeProgress()
    let holding = candidates.files
    progress.totalRecordCount = holding.reduce(0) { $0 + $1.recordCount }
    do {
      for file in holding {
        let done = progress
        try rewrite(file, without: traces, parallel, isCancelled, &result) { step in
          report(
            MergeProgress(
              recordCount: done.recordCount + step.recordCount, totalRecordCount: done.totalRecordCount))
        }
        progress.recordCount += file.recordCount
      }
      report(progress)
      if result.changes.isEmpty { return result }
    } catch {
      result.changes.flatMap(\.new).forEach(files.discard)
      throw noRoom(for: holding, error)
    }
    do {
      try exchange.perform(result.changes.map(\.old), for: result.changes.flatMap(\.new), .purged)
    } catch {
      throw noRoom(for: holding, error)
    }
    return result
  }

  /// Filters that cannot be read know nothing. Many traces are looked for in the segment at once.
  private func mayHold(_ traces: Set<TraceID>, _ segment: Segment) -> Bool {
    traces.count > Self.maximumProbeCount || traces.contains { (try? segment.mayHold($0)) ?? true }
  }

  private static let maximumProbeCount = 1 << 12

  private func rewrite(
    _ file: ManifestFile, without traces: Set<TraceID>, _ parallel: @escaping SegmentParallelism,
    _ isCancelled: @escaping () -> Bool, _ result: inout DeletionResult, report: @escaping (MergeProgress) -> Void
  ) throws {
    var merge = Merge(
      files: files, policy: policy, excluding: traces, parallel: parallel, isCancelled: isCancelled, report: report)
    do {
      guard try merge.rewrite(file) else { return }
    } catch let damage as DamagedInput {
      merge.written.forEach(files.discard)
      result.damaged.append((damage.number, "\(damage.cause)"))
      return
    } catch {
      merge.written.forEach(files.discard)
      throw error
    }
    let new = merge.written.map { written in
      var new = written
      new.inherit(from: [file])
      // What is small now is merged with others again; what a full compaction would make is not known.
      let isSmall = new.recordCount < policy.segmentRowCount * 3 / 4
      new.level = isSmall ? CompactionPolicy.unmergedLevel : min(file.level, CompactionPolicy.mergedLevel)
      return new
    }
    result.changes.append(DeletionResult.Change(old: file, new: new, recordCount: merge.excludedRecordCount))
    result.traces.formUnion(merge.excludedTraces)
  }

  /// How much room a full disk lacks; other errors as they are.
  private func noRoom(for segments: [ManifestFile], _ error: any Error) -> any Error {
    guard let error = error as? TracestoreError, error.code == .diskFull else { return error }
    let byteCount = segments.reduce(0) { $0 + $1.byteCount }
    return manifest.noRoom(
      for: "writing \(segments.count) segments anew without what is deleted", byteCount: byteCount, error)
  }
}
