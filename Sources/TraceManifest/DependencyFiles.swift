import TraceBytes
package import TraceFiles
package import TraceModel
package import TracestoreV2

/// Dependency snapshots on disk: each is a small immutable file of its own, published like a segment (LAW 2) and never
/// changed. Its time stands in the manifest, so that only those in a window are read. Thread-safe; blocking.
package struct DependencyFiles: Sendable {
  private let fileSystem: any FileSystem
  private let directory: String
  private let manifest: ManifestStore

  /// A snapshot is held whole while it is written or read; this is a million links with names of forty bytes.
  static let maximumByteCount = 64 << 20

  package init(fileSystem: any FileSystem, directory: String, manifest: ManifestStore) {
    self.fileSystem = fileSystem
    self.directory = directory
    self.manifest = manifest
  }

  /// Stores a snapshot durably.
  /// - Throws: `limitExceeded` when it is too large; what files and manifest throw. Nothing has changed then, unless the
  ///   manifest is poisoned.
  package func write(_ links: [DependencyLink], at time: Timestamp) throws {
    let snapshot = DependencySnapshot(time: time, links: links)
    let bytes = snapshot.encoded()
    guard bytes.count <= Self.maximumByteCount else {
      throw TracestoreError(
        .limitExceeded,
        "The snapshot takes \(bytes.count) bytes, more than the \(Self.maximumByteCount) allowed; write it in parts.")
    }
    let file = ManifestFile(number: manifest.allocateFileNumber(), snapshot, bytes)
    let name = StoreLayout.fileName(file.key)
    try fileSystem.replaceFile(name, in: directory, with: bytes)
    do { try manifest.commit(ManifestEdit([.addFile(file)])) } catch let error as TracestoreError {
      // After this the edit may be durable, and then it names the file.
      if error.code != .poisoned { try? fileSystem.remove(joinedPath(directory, name)) }
      throw error
    }
  }

  /// The links of all snapshots in a window, and a sentence for each one that cannot be read.
  package func links(_ query: DependencyQuery) -> (links: [DependencyLink], damage: [String]) {
    var links: [DependencyLink] = []
    var damage: [String] = []
    for file in manifest.current.files(of: .dependencies)
    where query.contains(Timestamp(nanoseconds: file.minimumStartNanoseconds)) {
      do { links += try read(file).links } catch { damage.append("\(error)") }
    }
    return (links, damage)
  }

  private func read(_ file: ManifestFile) throws -> DependencySnapshot {
    let path = joinedPath(directory, StoreLayout.fileName(file.key))
    let bytes = try fileSystem.contents(ofFile: path, maximumByteCount: Self.maximumByteCount)
    guard Hash128(of: bytes) == file.footerHash else {
      throw TracestoreError(
        .corrupt, "the snapshot is not the one that the manifest names; restore it from a copy", path: path, offset: 0)
    }
    return try DependencySnapshot(bytes, path: path)
  }
}

extension ManifestFile {
  /// What a snapshot says about itself.
  init(number: UInt64, _ snapshot: DependencySnapshot, _ bytes: [UInt8]) {
    self.init(key: ManifestFileKey(kind: .dependencies, number: number))
    byteCount = UInt64(bytes.count)
    footerHash = Hash128(of: bytes)
    rowCount = UInt64(snapshot.links.count)
    minimumStartNanoseconds = snapshot.time.nanoseconds
    maximumStartNanoseconds = snapshot.time.nanoseconds
    // An older version finds its spans without it.
    isMustUnderstand = false
  }
}
