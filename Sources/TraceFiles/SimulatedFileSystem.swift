import Synchronization
import TraceModel

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file system in memory that keeps two images: the live one, which every call sees, and the durable one, which
/// is what a crash would leave. `crashClone(keeping:seed:)` makes a new file system from any mixture of the two.
///
/// The model is harsher than most disks: unsynced bytes persist or vanish by sectors of 512 bytes in any order,
/// names by entry, and a file's byte count on its own.
package final class SimulatedFileSystem: FileSystem {
  let state: Mutex<SimulatedState>

  /// - Parameters:
  ///   - isDurabilityTracked: false halves the memory for stores that live in memory only; crash clones are then
  ///     plain copies of the live image.
  ///   - capacityByteCount: writes beyond it fail with ENOSPC.
  package init(isDurabilityTracked: Bool = true, capacityByteCount: UInt64 = .max) {
    state = Mutex(SimulatedState(isDurabilityTracked: isDurabilityTracked, capacityByteCount: capacityByteCount))
  }

  init(_ initial: SimulatedState) { state = Mutex(initial) }

  // MARK: Faults and figures

  /// How many calls have been made that reach the disk (all but `close`).
  package var operationCount: Int { state.withLock { $0.operationCount } }

  /// Whether the halt of `halt(afterOperations:)` has been reached.
  package var isHalted: Bool { state.withLock { $0.isHalted } }

  /// Lets the next `count` calls through and fails every later one: the moment of a crash, after which
  /// `crashClone(keeping:seed:)` gives what the disk might hold.
  package func halt(afterOperations count: Int) { state.withLock { $0.haltOperationCount = $0.operationCount + count } }

  package func inject(_ fault: Fault) { state.withLock { $0.faults.append(.init(fault: fault)) } }

  package func clearFaults() {
    state.withLock {
      $0.faults = []
      $0.haltOperationCount = nil
    }
  }

  /// The most bytes all files together may hold.
  package var capacityByteCount: UInt64 {
    get { state.withLock { $0.capacityByteCount } }
    set { state.withLock { $0.capacityByteCount = newValue } }
  }

  /// The bytes that all files hold now.
  package var usedByteCount: UInt64 { state.withLock { $0.usedByteCount } }

  /// Replaces the bytes of a file in both images, as damage would. For tests.
  package func overwrite(_ path: String, with bytes: [UInt8]) throws {
    try state.withLock { state in
      let id = try state.fileIndex(path, operation: "overwrite")
      state.setBytes(of: id, bytes)
    }
  }

  /// A file system as a machine would find it after losing power now, or at the halt.
  package func crashClone(keeping policy: CrashPolicy, seed: UInt64 = 0) -> SimulatedFileSystem {
    SimulatedFileSystem(state.withLock { $0.crashed(keeping: policy, seed: seed) })
  }

  // MARK: FileSystem

  package var bootIdentity: UInt64 { state.withLock { $0.bootIdentity } }

  package func open(_ path: String, _ mode: OpenMode) throws -> any File {
    try state.withLock { state in
      try state.begin(mode == .create ? .create : .open, path)
      let (parent, name) = try state.parent(of: path, operation: "open")
      let id: Int
      switch (state.directories[parent]?.live[name], mode) {
      case (.directory?, _): throw systemFailure("open", path, EISDIR)
      case (.file?, .create): throw systemFailure("create", path, EEXIST)
      case (.file(let existing)?, _): id = existing
      case (nil, .read), (nil, .update): throw systemFailure("open", path, ENOENT)
      case (nil, .create), (nil, .createOrUpdate): id = state.addFile(in: parent, name: name)
      }
      state.files[id]?.handleCount += 1
      return SimulatedFile(
        system: self, index: id, path: path, isWritable: mode != .read,
        position: UInt64(state.files[id]?.live.count ?? 0))
    }
  }

  package func createDirectory(_ path: String) throws {
    try state.withLock { state in
      try state.begin(.createDirectory, path)
      try state.createDirectory(path)
    }
  }

  package func contents(ofDirectory path: String) throws -> [String] {
    try state.withLock { state in
      try state.begin(.list, path)
      let names = try state.directory(path, operation: "list").live.keys
      return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
  }

  package func rename(_ path: String, to target: String) throws {
    try state.withLock { state in
      try state.begin(.rename, path)
      let (parent, name) = try state.parent(of: path, operation: "rename")
      let (newParent, newName) = try state.parent(of: target, operation: "rename to")
      guard let entry = state.directories[parent]?.live[name] else { throw systemFailure("rename", path, ENOENT) }
      let replaced = state.directories[newParent]?.live[newName]
      if parent == newParent, name == newName { return }
      switch (entry, replaced) {
      case (_, nil), (.file, .file?): break
      case (.file, .directory?): throw systemFailure("rename", target, EISDIR)
      case (.directory, _): throw systemFailure("rename", target, ENOTEMPTY)
      }
      state.directories[parent]?.live[name] = nil
      state.directories[newParent]?.live[newName] = entry
      if case .file(let id)? = replaced { state.dropLink(id) }
    }
  }

  package func remove(_ path: String) throws {
    try state.withLock { state in
      try state.begin(.remove, path)
      let (parent, name) = try state.parent(of: path, operation: "remove")
      switch state.directories[parent]?.live[name] {
      case nil: throw systemFailure("remove", path, ENOENT)
      case .directory?: throw systemFailure("remove", path, EISDIR)
      case .file(let id)?:
        state.directories[parent]?.live[name] = nil
        state.dropLink(id)
      }
    }
  }

  package func link(_ path: String, to target: String) throws {
    try state.withLock { state in
      try state.begin(.link, path)
      let id = try state.fileIndex(path, operation: "link")
      let (parent, name) = try state.parent(of: target, operation: "link as")
      guard state.directories[parent]?.live[name] == nil else { throw systemFailure("link as", target, EEXIST) }
      state.directories[parent]?.live[name] = .file(id)
      state.files[id]?.linkCount += 1
    }
  }

  package func syncDirectory(_ path: String) throws {
    try state.withLock { state in
      let fault = try state.begin(.syncDirectory, path)
      let id = try state.directoryIndex(path, operation: "sync the directory")
      if fault == nil, let live = state.directories[id]?.live { state.directories[id]?.durable = live }
    }
  }

  package func kind(of path: String) throws -> FileKind? {
    try state.withLock { state in
      try state.begin(.inspect, path)
      return state.entry(path).map { entry in
        switch entry {
        case .file: .file
        case .directory: .directory
        }
      }
    }
  }

  package func lock(_ path: String) throws -> any FileLock {
    try state.withLock { state in
      try state.begin(.lock, path)
      let (parent, name) = try state.parent(of: path, operation: "lock")
      let id: Int
      switch state.directories[parent]?.live[name] {
      case nil: id = state.addFile(in: parent, name: name)
      case .directory?: throw systemFailure("lock", path, EISDIR)
      case .file(let existing)?: id = existing
      }
      guard state.locks.insert(id).inserted else {
        throw TracestoreError(
          .locked, "another writer has the store open; end it or wait for it, readers need not", path: path,
          cause: SystemError(EWOULDBLOCK))
      }
      return SimulatedFileLock(system: self, index: id, path: path)
    }
  }

  package func isLocked(_ path: String) throws -> Bool {
    try state.withLock { state in
      try state.begin(.inspect, path)
      guard case .file(let id)? = state.entry(path) else { return false }
      return state.locks.contains(id)
    }
  }

  package func space(at path: String) throws -> FileSystemSpace {
    try state.withLock { state in
      try state.begin(.inspect, path)
      let used = state.usedByteCount
      return FileSystemSpace(
        availableByteCount: state.capacityByteCount - min(used, state.capacityByteCount),
        totalByteCount: state.capacityByteCount)
    }
  }
}

private final class SimulatedFileLock: FileLock {
  let path: String
  private let system: SimulatedFileSystem
  private let index: Int

  init(system: SimulatedFileSystem, index: Int, path: String) {
    self.system = system
    self.index = index
    self.path = path
  }

  deinit { _ = system.state.withLock { $0.locks.remove(index) } }
}
