package import TraceManifest

/// What went.
package struct ExpiryResult: Sendable {
  /// The entries of the segments, oldest first.
  package var segments: [ManifestFile] = []

  package init() {}

  package mutating func add(_ other: ExpiryResult) { segments += other.segments }
}

/// Drops segments whose time is over: one manifest edit, durable before any file is unlinked. Queries that hold them go
/// on reading, and their bytes are free when the last of these ends. One call at a time, and no merge beside it; the
/// caller sees to that.
package final class Expirer: Sendable {
  private let manifest: ManifestStore
  private let files: SegmentFiles
  private let publish: @Sendable (_ removed: Set<UInt64>) -> Void

  /// - Parameter publish: takes the segments from readers; called after the edit.
  package init(
    manifest: ManifestStore, files: SegmentFiles, publish: @escaping @Sendable (_ removed: Set<UInt64>) -> Void
  ) {
    self.manifest = manifest
    self.files = files
    self.publish = publish
  }

  /// - Throws: what the manifest throws. Nothing has changed then, unless it is poisoned: then the next opening drops
  ///   the segments or keeps them, as the manifest says.
  package func expire(_ segments: [ManifestFile]) throws -> ExpiryResult {
    var edit = ManifestEdit()
    for segment in segments { edit.remove(segment.key, .expired) }
    try manifest.commit(edit)
    publish(Set(segments.map(\.key.number)))
    segments.forEach(files.discard)
    var result = ExpiryResult()
    result.segments = segments
    return result
  }
}
