import Synchronization
import TraceModel

/// Files for reading of which only so many are open at a time. Files beyond that are closed, those that were not read
/// for longest first (about: a clock with one hand), and opened again when they are read.
///
/// Whoever removes a name calls `keep(_:)` before: a file that somebody still reads is held open from then on. What
/// another process removes is gone once it was closed: reading it throws `snapshotExpired`, and `lostFileCount` rises.
/// Thread-safe.
package final class FilePool: Sendable {
  private let fileSystem: any FileSystem
  private let maximumOpenCount: Int
  private let state = Mutex(State())

  fileprivate struct State {
    /// Every file that somebody holds, and some that nobody does any more.
    var files: [Int: WeakFile] = [:]
    var nextNumber = 0
    /// How many files there were when those that nobody holds were last taken out.
    var sweptCount = 0
    /// The open ones that may be closed.
    var ring: [Int] = []
    var hand = 0
    var lostFileCount = 0
  }

  /// - Parameter maximumOpenCount: at least 1. Files that are kept, and reads under way on one that was just closed,
  ///   come on top.
  package init(_ fileSystem: any FileSystem, maximumOpenCount: Int) {
    self.fileSystem = fileSystem
    self.maximumOpenCount = max(1, maximumOpenCount)
  }

  /// How often a file was gone when it should have been opened again.
  package var lostFileCount: Int { state.withLock { $0.lostFileCount } }

  /// Opens an existing file for reading. Writing to it is refused.
  package func open(_ path: String) throws -> any File {
    try state.withLock { state in
      makeRoom(&state)
      state.sweep()
      let file = PooledFile(path: path, number: state.nextNumber, pool: self, handle: try fileSystem.open(path, .read))
      state.nextNumber += 1
      state.files[file.number] = WeakFile(value: file)
      state.ring.append(file.number)
      return file
    }
  }

  /// Holds every file under this path open until its last reference goes: its name is about to vanish.
  package func keep(_ path: String) throws {
    try state.withLock { state in
      for (number, file) in state.files {
        guard let file = file.value, file.path == path else { continue }
        try file.openIfClosed { try fileSystem.open(path, .read) }
        state.removeFromRing(number)
      }
    }
  }

  fileprivate func reopen(_ file: PooledFile) throws -> any File {
    try state.withLock { state in
      if let handle = file.openHandle { return handle }
      makeRoom(&state)
      do {
        let handle = try file.openIfClosed { try fileSystem.open(file.path, .read) }
        state.ring.append(file.number)
        return handle
      } catch let error as TracestoreError where error.code == .notFound {
        state.lostFileCount += 1
        throw TracestoreError(
          .snapshotExpired, "\(file.path) was merged away while it was being read; ask again", path: file.path,
          cause: error)
      }
    }
  }

  fileprivate func forget(_ number: Int) {
    state.withLock { state in
      state.files[number] = nil
      state.removeFromRing(number)
    }
  }

  /// Closes files until one more may be opened. A file that was read since the hand passed it last is spared once.
  private func makeRoom(_ state: inout State) {
    while state.ring.count >= maximumOpenCount {
      if state.hand >= state.ring.count { state.hand = 0 }
      if let file = state.files[state.ring[state.hand]]?.value, file.wasRead() {
        state.hand += 1
        continue
      }
      state.files[state.ring[state.hand]]?.value?.closeForNow()
      state.ring.remove(at: state.hand)
    }
  }
}

extension FilePool.State {
  /// Forgets the files that nobody holds, when they may be half of them.
  fileprivate mutating func sweep() {
    guard files.count > 2 * sweptCount + 64 else { return }
    files = files.filter { $0.value.value != nil }
    sweptCount = files.count
  }

  fileprivate mutating func removeFromRing(_ number: Int) {
    guard let place = ring.firstIndex(of: number) else { return }
    ring.remove(at: place)
    if place < hand { hand -= 1 }
  }
}

private struct WeakFile {
  weak var value: PooledFile?
}

private final class PooledFile: File {
  let path: String
  let number: Int
  private let pool: FilePool
  private let state: Mutex<(handle: (any File)?, isUsed: Bool, isClosed: Bool)>

  init(path: String, number: Int, pool: FilePool, handle: any File) {
    self.path = path
    self.number = number
    self.pool = pool
    state = Mutex((handle, false, false))
  }

  var openHandle: (any File)? { state.withLock { $0.handle } }

  @discardableResult
  func openIfClosed(_ open: () throws -> any File) rethrows -> any File {
    try state.withLock { state in
      if let handle = state.handle { return handle }
      let handle = try open()
      // One read alone, of whoever passes by once, does not spare it.
      (state.handle, state.isUsed) = (handle, false)
      return handle
    }
  }

  /// A read that is under way holds the handle and ends undisturbed.
  func closeForNow() { state.withLock { $0.handle = nil } }

  /// Whether it was read since this was asked last.
  func wasRead() -> Bool {
    state.withLock { state in
      defer { state.isUsed = false }
      return state.isUsed
    }
  }

  private func handle(_ operation: String) throws -> any File {
    let open: (any File)? = try state.withLock { state in
      if state.isClosed { throw closedFailure(operation, path) }
      state.isUsed = state.handle != nil
      return state.handle
    }
    return try open ?? pool.reopen(self)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
    try handle("read").read(into: buffer, at: offset)
  }

  func byteCount() throws -> UInt64 { try handle("examine").byteCount() }

  func close() {
    state.withLock { ($0.handle, $0.isClosed) = (nil, true) }
    pool.forget(number)
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws { throw readOnlyFailure("append to") }
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws { throw readOnlyFailure("write to") }
  func sync() throws { throw readOnlyFailure("sync") }
  func truncate(to byteCount: UInt64) throws { throw readOnlyFailure("truncate") }

  private func readOnlyFailure(_ operation: String) -> TracestoreError {
    TracestoreError(.inputOutput, "cannot \(operation) \(path): it was opened for reading", path: path)
  }
}
