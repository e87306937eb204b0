package import TraceFiles
import TraceModel

/// Makes another folder the store that a version of the manifest describes, without any log.
///
/// Files of a store never change, so that they get a second name where both folders are in one file system, and are copied
/// elsewhere. The manifest comes last: until it counts, the folder is no store.
package struct StoreCopy: Sendable {
  package private(set) var fileCount = 0
  package private(set) var byteCount: UInt64 = 0
  /// Of `byteCount`, what has a second name instead of a copy.
  package private(set) var linkedByteCount: UInt64 = 0
  private var madePaths: [String] = []

  /// What is in memory at a time.
  private static let partByteCount = 1 << 20

  /// Blocks. The files that the version names must stay until this returns.
  ///
  /// - Parameter other: the file system of the new folder when it is another one.
  /// - Throws: `invalidArgument` when the folder is there and not empty, `notFound` when a file of the store is gone,
  ///   `diskFull` and what else the file systems throw, and what `checkCancelled` throws. What was made is removed then, but
  ///   for the folder.
  package init(
    of version: ManifestVersion, from directory: String, in source: any FileSystem, to path: String,
    in other: (any FileSystem)? = nil, checkCancelled: () throws -> Void = {}
  ) throws {
    let target = other ?? source
    if try target.kind(of: path) != nil {
      guard try target.kind(of: path) == .directory, try target.contents(ofDirectory: path).isEmpty else {
        throw TracestoreError(
          .invalidArgument, "there is something at this path already; name a new folder, or an empty one", path: path)
      }
    }
    try target.createDirectory(path)
    do {
      for file in version.files {
        try checkCancelled()
        let name = StoreLayout.fileName(file.key)
        let (old, new) = (joinedPath(directory, name), joinedPath(path, name))
        fileCount += 1
        byteCount += file.byteCount
        if other == nil, (try? source.link(old, to: new)) != nil {
          madePaths.append(new)
          linkedByteCount += file.byteCount
        } else {
          try copy(old, source, to: new, target, checkCancelled)
        }
      }
      try target.syncDirectory(path)
      let header = ManifestHeader(storeID: version.settings.storeID, number: 1, firstSequence: version.sequence)
      madePaths += [StoreLayout.manifestFileName(header.number), StoreLayout.currentFileName].flatMap { name in
        [joinedPath(path, name), joinedPath(path, name + StoreLayout.temporarySuffix)]
      }
      try ManifestStore.publish(version.snapshotEdit, header, target, path)
    } catch {
      // CURRENT first: what is left of a folder that cannot be cleared is no store.
      for made in madePaths.reversed() where (try? target.exists(made)) == true { try? target.remove(made) }
      try? target.syncDirectory(path)
      throw error
    }
  }

  private mutating func copy(
    _ path: String, _ source: any FileSystem, to copyPath: String, _ target: any FileSystem,
    _ checkCancelled: () throws -> Void
  ) throws {
    let file = try source.open(path, .read)
    defer { file.close() }
    let copy = try target.open(copyPath, .create)
    defer { copy.close() }
    madePaths.append(copyPath)
    let end = try file.byteCount()
    var offset: UInt64 = 0
    while offset < end {
      try checkCancelled()
      let part = try file.bytes(at: offset, byteCount: Int(min(end - offset, UInt64(Self.partByteCount))))
      guard !part.isEmpty else { break }
      try part.withUnsafeBytes { try copy.append($0) }
      offset += UInt64(part.count)
    }
    try copy.sync()
  }
}
