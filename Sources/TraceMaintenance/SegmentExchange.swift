package import TraceManifest
import TraceModel
package import TraceSegment

/// Puts segments in the place of others with one manifest edit: before it nothing has changed, after it the old ones are
/// unlinked.
package struct SegmentExchange: Sendable {
  private let manifest: ManifestStore
  private let files: SegmentFiles
  private let publish: @Sendable (_ removed: Set<UInt64>, _ added: [Segment], _ reason: RemovalReason) -> Void

  /// - Parameter publish: makes the new segments visible in place of the old ones, for all readers; called after the edit.
  package init(
    manifest: ManifestStore, files: SegmentFiles,
    publish: @escaping @Sendable (_ removed: Set<UInt64>, _ added: [Segment], _ reason: RemovalReason) -> Void
  ) {
    self.manifest = manifest
    self.files = files
    self.publish = publish
  }

  /// - Parameter written: segments that are nobody's yet, and no longer there when this throws, except when the manifest
  ///   itself could not be written: then they stay, and the next opening keeps or sweeps them, as the manifest says.
  func perform(_ removed: [ManifestFile], for written: [ManifestFile], _ reason: RemovalReason) throws {
    // No edit of a poisoned manifest is tried, so that none names what was written.
    if let failure = manifest.failure {
      written.forEach(files.discard)
      throw failure
    }
    var edit = ManifestEdit()
    for file in written { edit.add(file) }
    for file in removed { edit.remove(file.key, reason) }
    let segments: [Segment]
    do {
      // Opened first: after the edit there is no way back.
      segments = try written.map { try files.open($0) }
      try manifest.commit(edit)
    } catch let error as TracestoreError where error.code == .poisoned {
      throw error
    } catch {
      written.forEach(files.discard)
      throw error
    }
    publish(Set(removed.map(\.key.number)), segments, reason)
    removed.forEach(files.discard)
  }
}

extension ManifestFile {
  /// What only the manifest knows of the segments that this one is made from.
  mutating func inherit(from inputs: [ManifestFile]) {
    minimumArrivalNanoseconds = inputs.map(\.minimumArrivalNanoseconds).min() ?? 0
    maximumArrivalNanoseconds = inputs.map(\.maximumArrivalNanoseconds).max() ?? 0
    rulesVersions = Set(inputs.flatMap(\.rulesVersions)).sorted()
    // What a repair has taken in may stand in other segments too.
    isTakenIn = inputs.contains(where: \.isTakenIn)
  }
}
