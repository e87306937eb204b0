import Synchronization

/// What was done to one file.
package struct FileCounts: Hashable, Sendable {
  package var openCount = 0
  /// How many handles are open now.
  package var openHandleCount = 0
  package var readCount = 0
  package var readByteCount: UInt64 = 0
  package var writeCount = 0
  package var writtenByteCount: UInt64 = 0
  package var syncCount = 0

  package init() {}

  package static func += (left: inout FileCounts, right: FileCounts) {
    left.openCount += right.openCount
    left.openHandleCount += right.openHandleCount
    left.readCount += right.readCount
    left.readByteCount += right.readByteCount
    left.writeCount += right.writeCount
    left.writtenByteCount += right.writtenByteCount
    left.syncCount += right.syncCount
  }
}

/// Counts at one moment, by path. Syncs of a directory stand under the directory's path.
package struct FileSystemCounts: Sendable {
  package var byPath: [String: FileCounts] = [:]

  package init() {}

  /// The sum over all paths that end in `suffix`; over all when it is empty.
  package func total(pathSuffix suffix: String = "") -> FileCounts {
    var sum = FileCounts()
    for (path, counts) in byPath where path.hasSuffix(suffix) { sum += counts }
    return sum
  }
}

/// Passes every call on and counts reads, writes, bytes and syncs of the ones that succeed.
package final class CountingFileSystem: FileSystem {
  package let base: any FileSystem
  private let counts = Mutex(FileSystemCounts())

  package init(_ base: any FileSystem) { self.base = base }

  package func snapshot() -> FileSystemCounts { counts.withLock { $0 } }

  /// The counts so far; they start again at zero, except for the handles that are open.
  @discardableResult
  package func reset() -> FileSystemCounts {
    counts.withLock { counts in
      let result = counts
      counts = FileSystemCounts()
      for (path, own) in result.byPath where own.openHandleCount > 0 {
        counts.byPath[path, default: FileCounts()].openHandleCount = own.openHandleCount
      }
      return result
    }
  }

  fileprivate func count(_ path: String, _ change: (inout FileCounts) -> Void) {
    counts.withLock { change(&$0.byPath[path, default: FileCounts()]) }
  }

  package func open(_ path: String, _ mode: OpenMode) throws -> any File {
    let file = try base.open(path, mode)
    count(path) {
      $0.openCount += 1
      $0.openHandleCount += 1
    }
    return CountingFile(base: file, system: self)
  }

  package func syncDirectory(_ path: String) throws {
    try base.syncDirectory(path)
    count(path) { $0.syncCount += 1 }
  }

  package func createDirectory(_ path: String) throws { try base.createDirectory(path) }
  package func contents(ofDirectory path: String) throws -> [String] { try base.contents(ofDirectory: path) }
  package func rename(_ path: String, to target: String) throws { try base.rename(path, to: target) }
  package func remove(_ path: String) throws { try base.remove(path) }
  package func link(_ path: String, to target: String) throws { try base.link(path, to: target) }
  package func kind(of path: String) throws -> FileKind? { try base.kind(of: path) }
  package func lock(_ path: String) throws -> any FileLock { try base.lock(path) }
  package func isLocked(_ path: String) throws -> Bool { try base.isLocked(path) }
  package func space(at path: String) throws -> FileSystemSpace { try base.space(at: path) }
  package var bootIdentity: UInt64 { base.bootIdentity }
}

private final class CountingFile: File {
  private let base: any File
  private let system: CountingFileSystem
  private let isOpen = Mutex(true)

  init(base: any File, system: CountingFileSystem) {
    self.base = base
    self.system = system
  }

  deinit { countClose() }

  private func countClose() {
    let wasOpen = isOpen.withLock { isOpen in
      defer { isOpen = false }
      return isOpen
    }
    if wasOpen { system.count(path) { $0.openHandleCount -= 1 } }
  }

  var path: String { base.path }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
    let count = try base.read(into: buffer, at: offset)
    system.count(path) {
      $0.readCount += 1
      $0.readByteCount += UInt64(count)
    }
    return count
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws {
    try base.append(bytes)
    countWrite(bytes.count)
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    try base.write(bytes, at: offset)
    countWrite(bytes.count)
  }

  private func countWrite(_ byteCount: Int) {
    system.count(path) {
      $0.writeCount += 1
      $0.writtenByteCount += UInt64(byteCount)
    }
  }

  func sync() throws {
    try base.sync()
    system.count(path) { $0.syncCount += 1 }
  }

  func truncate(to byteCount: UInt64) throws { try base.truncate(to: byteCount) }
  func byteCount() throws -> UInt64 { try base.byteCount() }

  func close() {
    base.close()
    countClose()
  }
}
