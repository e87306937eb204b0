package import TraceManifest
import TraceModel
package import TraceSegment

/// What a compaction did.
package struct CompactionResult: Sendable {
  package var inputCount = 0
  package var outputCount = 0
  package var inputByteCount: UInt64 = 0
  package var outputByteCount: UInt64 = 0
  /// Records that were written.
  package var recordCount = 0
  /// Records that stood in several inputs, beyond the first.
  package var droppedCount = 0
  /// Segments that were left as they are, because bytes of them are damaged.
  package var damaged: [(number: UInt64, reason: String)] = []

  package init() {}

  package mutating func add(_ other: CompactionResult) {
    inputCount += other.inputCount
    outputCount += other.outputCount
    inputByteCount += other.inputByteCount
    outputByteCount += other.outputByteCount
    recordCount += other.recordCount
    droppedCount += other.droppedCount
    damaged += other.damaged
  }
}

/// Merges segments and puts the outputs in their place. One merge at a time; the caller sees to that.
package final class Compactor: Sendable {
  private let manifest: ManifestStore
  private let files: SegmentFiles
  private let exchange: SegmentExchange
  package let policy: CompactionPolicy

  package init(manifest: ManifestStore, files: SegmentFiles, policy: CompactionPolicy, exchange: SegmentExchange) {
    self.manifest = manifest
    self.files = files
    self.policy = policy
    self.exchange = exchange
  }

  /// What the policy would merge next.
  package func nextInputs(excluding excluded: Set<UInt64> = []) -> [ManifestFile] {
    policy.inputs(of: manifest.current.files(of: .segment), excluding: excluded)
  }

  /// Every live segment; empty when they are what a full compaction made.
  package func allInputs() -> [ManifestFile] {
    let all = Array(manifest.current.files(of: .segment))
    return Self.areFull(all) ? [] : all
  }

  private static func areFull(_ files: [ManifestFile]) -> Bool {
    files.allSatisfy { $0.level == CompactionPolicy.fullLevel }
  }

  /// Merges `inputs`. A damaged input is left alone, and the others are merged.
  ///
  /// - Throws: what files and manifest throw; `diskFull` says how much room is missed. Nothing has changed then, except
  ///   when the manifest itself could not be written: then the outputs stay, and the next opening keeps them or sweeps
  ///   them, as the manifest says.
  package func merge(
    _ inputs: [ManifestFile], level: UInt8, parallel: @escaping SegmentParallelism,
    isCancelled: @escaping () -> Bool = { false }, report: @escaping (MergeProgress) -> Void = { _ in }
  ) throws -> CompactionResult {
    var result = CompactionResult()
    var inputs = inputs
    while true {
      // Beside a damaged segment stand those that an earlier full compaction made of the others: they would come out
      // as they are.
      if inputs.isEmpty || level == CompactionPolicy.fullLevel && Self.areFull(inputs) { return result }
      var merge = Merge(
        files: files, policy: policy,
        windowNanoseconds: level == CompactionPolicy.fullLevel ? policy.agingWindowNanoseconds : nil,
        parallel: parallel, isCancelled: isCancelled, report: report)
      do {
        try merge.run(inputs)
      } catch let damage as DamagedInput {
        merge.written.forEach(files.discard)
        result.damaged.append((damage.number, "\(damage.cause)"))
        inputs.removeAll { $0.key.number == damage.number }
        continue
      } catch {
        merge.written.forEach(files.discard)
        throw manifest.noRoom(toMerge: inputs, error)
      }
      try commit(inputs, merge, level: level, &result)
      return result
    }
  }

  private func commit(
    _ inputs: [ManifestFile], _ merge: Merge, level: UInt8, _ result: inout CompactionResult
  ) throws {
    var outputs = merge.written
    for index in outputs.indices {
      outputs[index].inherit(from: inputs)
      outputs[index].level = CompactionPolicy.level(ofOutput: index, of: outputs.count, in: level)
      if level == CompactionPolicy.fullLevel { outputs[index].isTakenIn = false }
    }
    do { try exchange.perform(inputs, for: outputs, .merged) } catch { throw manifest.noRoom(toMerge: inputs, error) }
    result.inputCount = inputs.count
    result.outputCount = outputs.count
    result.inputByteCount = inputs.reduce(0) { $0 + $1.byteCount }
    result.outputByteCount = outputs.reduce(0) { $0 + $1.byteCount }
    result.recordCount = outputs.reduce(0) { $0 + $1.recordCount }
    result.droppedCount = merge.droppedCount
  }
}

extension ManifestStore {
  /// How much room a full disk lacks; other errors as they are.
  fileprivate func noRoom(toMerge inputs: [ManifestFile], _ error: any Error) -> any Error {
    guard let error = error as? TracestoreError, error.code == .diskFull else { return error }
    let byteCount = inputs.reduce(0) { $0 + $1.byteCount }
    return noRoom(for: "merging \(inputs.count) segments", byteCount: byteCount, error)
  }
}
