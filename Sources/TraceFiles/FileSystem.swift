package import TraceModel

/// How a file is opened.
package enum OpenMode: Hashable, Sendable {
  /// An existing file, for reading only.
  case read
  /// A new file, for reading and writing; fails with `inputOutput` (EEXIST) when the name is taken.
  case create
  /// An existing file, for reading and writing; `append` starts at its end.
  case update
  /// As `update`, and the file is created empty when it is missing.
  case createOrUpdate
}

/// What stands under a path.
package enum FileKind: Hashable, Sendable {
  case file, directory
}

/// The room on the volume of a path, in bytes.
package struct FileSystemSpace: Hashable, Sendable {
  /// What an unprivileged writer can still use.
  package var availableByteCount: UInt64
  package var totalByteCount: UInt64

  package init(availableByteCount: UInt64, totalByteCount: UInt64) {
    self.availableByteCount = availableByteCount
    self.totalByteCount = totalByteCount
  }
}

/// An open file. Closing happens at the latest when the last reference goes away.
///
/// All methods may be called from any thread; reads run in parallel. Whoever calls `close()` makes sure that no
/// other call is under way.
package protocol File: AnyObject, Sendable {
  /// The path it was opened with.
  var path: String { get }

  /// Fills `buffer` from `offset` on. Returns fewer bytes than asked only when the file ends there.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int

  /// Writes all of `bytes` at this handle's own position, which starts at the end of the file, and advances it.
  /// A failed append leaves the position where it was; how many of the bytes reached the file is unknown.
  func append(_ bytes: UnsafeRawBufferPointer) throws

  /// Writes all of `bytes` at `offset` without moving the handle's own position.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws

  /// Makes data and byte count durable (`fdatasync`). Never retried: after a failure nothing is known about what
  /// was written since the last success, and a second call that succeeds proves nothing.
  func sync() throws

  /// Cuts or extends (with zeros) the file. The handle's own position moves back to the new end if it was beyond.
  func truncate(to byteCount: UInt64) throws

  /// The current byte count of the file.
  func byteCount() throws -> UInt64

  /// Closes the handle. Later calls on it fail. Closing twice does nothing.
  func close()
}

/// An advisory exclusive lock. It is released when the last reference goes away or when the process ends.
package protocol FileLock: AnyObject, Sendable {
  var path: String { get }
}

/// A tree of files. Paths are slash-separated strings, absolute or relative to the working directory.
///
/// Names appear, move and vanish durably only once `syncDirectory(_:)` on their directory has returned.
package protocol FileSystem: Sendable {
  func open(_ path: String, _ mode: OpenMode) throws -> any File

  /// Creates the directory and its missing parents, durably. An existing directory is fine.
  func createDirectory(_ path: String) throws

  /// The names in a directory without "." and "..", ascending by their bytes.
  func contents(ofDirectory path: String) throws -> [String]

  /// Moves a file within the file system; an existing file at `target` is replaced atomically.
  func rename(_ path: String, to target: String) throws

  /// Removes a name of a file. Its bytes go when the last handle on it is closed.
  func remove(_ path: String) throws

  /// Gives a file a second name; fails when `target` exists.
  func link(_ path: String, to target: String) throws

  /// Makes the names in a directory durable.
  func syncDirectory(_ path: String) throws

  /// What stands under `path`, or nil when there is nothing.
  func kind(of path: String) throws -> FileKind?

  /// Takes the exclusive advisory lock on a file, which is created when missing; `locked` when another holder,
  /// in this process or another, has it.
  func lock(_ path: String) throws -> any FileLock

  /// Whether somebody holds the lock on a file now. Nobody does when the file is missing.
  func isLocked(_ path: String) throws -> Bool

  func space(at path: String) throws -> FileSystemSpace

  /// A value that changes when the machine restarts, so that unsynced files from before can be told apart;
  /// zero when it is unknown.
  var bootIdentity: UInt64 { get }
}

/// What the system call said; stands as `cause` in the errors of this room.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The system's `errno`.
  package var number: Int32

  package init(_ number: Int32) { self.number = number }

  package var description: String { "errno \(number)" }
}

extension TracestoreError {
  /// The system call's `errno` when this error came from one.
  package var systemErrorNumber: Int32? { (cause as? SystemError)?.number }
}
