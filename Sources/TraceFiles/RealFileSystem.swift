import Synchronization
import TraceModel

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The file system of the machine. Holds no state of its own.
package struct RealFileSystem: FileSystem {
  package init() {}

  package func open(_ path: String, _ mode: OpenMode) throws -> any File {
    let flags: Int32 =
      switch mode {
      case .read: O_RDONLY
      case .create: O_RDWR | O_CREAT | O_EXCL
      case .update: O_RDWR
      case .createOrUpdate: O_RDWR | O_CREAT
      }
    let descriptor = try openDescriptor(path, flags, operation: mode == .create ? "create" : "open")
    do {
      let status = try fileStatus(descriptor, path)
      guard status.st_mode & S_IFMT != S_IFDIR else { throw systemFailure("open", path, EISDIR) }
      return RealFile(descriptor: descriptor, path: path, position: UInt64(clamping: status.st_size))
    } catch {
      closeDescriptor(descriptor)
      throw error
    }
  }

  package func createDirectory(_ path: String) throws {
    if try kind(of: path) == .directory { return }
    let parent = parentPath(path)
    if parent != ".", parent != "/" { try createDirectory(parent) }
    if mkdir(path, 0o777) != 0 {
      let number = errno
      if number == EEXIST {
        if try kind(of: path) == .directory { return }
        throw TracestoreError(
          .inputOutput, "cannot create the directory \(path): there is a file of this name; name another folder",
          path: path, cause: SystemError(number))
      }
      throw systemFailure("create the directory", path, number)
    }
    try syncDirectory(parent)
  }

  package func contents(ofDirectory path: String) throws -> [String] {
    guard let stream = opendir(path) else { throw systemFailure("list", path, errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        let number = errno
        if number != 0 { throw systemFailure("list", path, number) }
        break
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: pointer.pointee)) {
          String(cString: $0)
        }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  package func rename(_ path: String, to target: String) throws {
    #if canImport(Darwin)
      let result = Darwin.rename(path, target)
    #elseif canImport(Glibc)
      let result = Glibc.rename(path, target)
    #else
      let result = Musl.rename(path, target)
    #endif
    if result != 0 { throw systemFailure("rename to \(target) from", path, errno) }
  }

  package func remove(_ path: String) throws {
    if unlink(path) != 0 { throw systemFailure("remove", path, errno) }
  }

  package func link(_ path: String, to target: String) throws {
    #if canImport(Darwin)
      let result = Darwin.link(path, target)
    #elseif canImport(Glibc)
      let result = Glibc.link(path, target)
    #else
      let result = Musl.link(path, target)
    #endif
    if result != 0 { throw systemFailure("link as \(target)", path, errno) }
  }

  package func syncDirectory(_ path: String) throws {
    let descriptor = try openDescriptor(path, O_RDONLY | O_DIRECTORY, operation: "open the directory")
    defer { closeDescriptor(descriptor) }
    if fsync(descriptor) != 0 { throw systemFailure("sync the directory", path, errno) }
  }

  package func kind(of path: String) throws -> FileKind? {
    var status = stat()
    if stat(path, &status) != 0 {
      let number = errno
      if number == ENOENT || number == ENOTDIR { return nil }
      throw systemFailure("inspect", path, number)
    }
    return status.st_mode & S_IFMT == S_IFDIR ? .directory : .file
  }

  package func lock(_ path: String) throws -> any FileLock {
    let descriptor = try openDescriptor(path, O_RDWR | O_CREAT, operation: "open the lock")
    var attemptCount = 1
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let number = errno
      if number == EWOULDBLOCK, attemptCount < 10 {
        // Perhaps somebody only looks whether it is taken.
        attemptCount += 1
        usleep(1000)
        continue
      }
      closeDescriptor(descriptor)
      guard number == EWOULDBLOCK else { throw systemFailure("lock", path, number) }
      throw TracestoreError(
        .locked, "another writer has the store open; end it or wait for it, readers need not", path: path,
        cause: SystemError(number))
    }
    return RealFileLock(descriptor: descriptor, path: path)
  }

  package func isLocked(_ path: String) throws -> Bool {
    guard try kind(of: path) != nil else { return false }
    let descriptor = try openDescriptor(path, O_RDONLY, operation: "open the lock")
    defer { closeDescriptor(descriptor) }
    if flock(descriptor, LOCK_SH | LOCK_NB) == 0 { return false }
    guard errno == EWOULDBLOCK else { throw systemFailure("look at the lock", path, errno) }
    return true
  }

  package func space(at path: String) throws -> FileSystemSpace {
    var status = statvfs()
    if statvfs(path, &status) != 0 { throw systemFailure("read the free space at", path, errno) }
    let unit = UInt64(status.f_frsize)
    return FileSystemSpace(
      availableByteCount: UInt64(status.f_bavail).multipliedReportingOverflow(by: unit).partialValue,
      totalByteCount: UInt64(status.f_blocks).multipliedReportingOverflow(by: unit).partialValue)
  }

  package var bootIdentity: UInt64 { Self.boot }

  private static let boot: UInt64 = {
    #if canImport(Darwin)
      var text = [UInt8](repeating: 0, count: 128)
      var count = text.count
      guard sysctlbyname("kern.bootsessionuuid", &text, &count, nil, 0) == 0 else { return 0 }
      let bytes = text.prefix(count)
    #else
      let source = RealFileSystem()
      guard let file = try? source.open("/proc/sys/kernel/random/boot_id", .read),
        let bytes = try? file.bytes(at: 0, byteCount: 128)
      else { return 0 }
    #endif
    // FNV-1a: the identity only has to differ between boots.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return bytes.isEmpty ? 0 : hash | 1
  }()
}

private func openDescriptor(_ path: String, _ flags: Int32, operation: String) throws -> Int32 {
  while true {
    #if canImport(Darwin)
      let descriptor = Darwin.open(path, flags | O_CLOEXEC, 0o666)
    #elseif canImport(Glibc)
      let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o666)
    #else
      let descriptor = Musl.open(path, flags | O_CLOEXEC, 0o666)
    #endif
    if descriptor >= 0 { return descriptor }
    let number = errno
    if number != EINTR { throw systemFailure(operation, path, number) }
  }
}

private func closeDescriptor(_ descriptor: Int32) {
  #if canImport(Darwin)
    _ = Darwin.close(descriptor)
  #elseif canImport(Glibc)
    _ = Glibc.close(descriptor)
  #else
    _ = Musl.close(descriptor)
  #endif
}

private func fileStatus(_ descriptor: Int32, _ path: String) throws -> stat {
  var status = stat()
  if fstat(descriptor, &status) != 0 { throw systemFailure("inspect", path, errno) }
  return status
}

private final class RealFileLock: FileLock {
  let path: String
  private let descriptor: Int32

  init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { closeDescriptor(descriptor) }
}

private final class RealFile: File {
  let path: String
  private let descriptor: Int32
  private let isClosed = Atomic<Bool>(false)
  private let position: Mutex<UInt64>

  init(descriptor: Int32, path: String, position: UInt64) {
    self.descriptor = descriptor
    self.path = path
    self.position = Mutex(position)
  }

  deinit { close() }

  func close() {
    if !isClosed.exchange(true, ordering: .acquiringAndReleasing) { closeDescriptor(descriptor) }
  }

  private func check(_ operation: String) throws {
    if isClosed.load(ordering: .acquiring) { throw closedFailure(operation, path) }
  }

  private func systemOffset(_ offset: UInt64, plus byteCount: Int, _ operation: String) throws -> off_t {
    let (end, overflow) = offset.addingReportingOverflow(UInt64(byteCount))
    guard !overflow, end <= UInt64(off_t.max) else { throw systemFailure(operation, path, EOVERFLOW) }
    return off_t(offset)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
    try check("read")
    guard buffer.count > 0, let base = buffer.baseAddress else { return 0 }
    let start = try systemOffset(offset, plus: buffer.count, "read")
    return try transferred(buffer.count, operation: "read", path: path) { done in
      let moved = pread(descriptor, base + done, buffer.count - done, start + off_t(done))
      return (moved, moved < 0 ? errno : 0)
    }
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws {
    try position.withLock { position in
      try write(bytes, at: position)
      position += UInt64(bytes.count)
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    try check("write")
    guard bytes.count > 0, let base = bytes.baseAddress else { return }
    let start = try systemOffset(offset, plus: bytes.count, "write")
    let written = try transferred(bytes.count, operation: "write", path: path) { done in
      let moved = pwrite(descriptor, base + done, bytes.count - done, start + off_t(done))
      return (moved, moved < 0 ? errno : 0)
    }
    // A call that moves nothing without an error has found no room.
    if written < bytes.count { throw systemFailure("write", path, ENOSPC) }
  }

  func sync() throws {
    try check("sync")
    #if canImport(Darwin)
      // fsync alone stops at the drive's cache; volumes without a full flush answer ENOTSUP.
      if fcntl(descriptor, F_FULLFSYNC) == 0 { return }
      if errno == ENOTSUP || errno == EINVAL, fsync(descriptor) == 0 { return }
      throw systemFailure("sync", path, errno)
    #else
      if fdatasync(descriptor) != 0 { throw systemFailure("sync", path, errno) }
    #endif
  }

  func truncate(to byteCount: UInt64) throws {
    try check("truncate")
    let target = try systemOffset(byteCount, plus: 0, "truncate")
    try position.withLock { position in
      while ftruncate(descriptor, target) != 0 {
        let number = errno
        if number != EINTR { throw systemFailure("truncate", path, number) }
      }
      position = min(position, byteCount)
    }
  }

  func byteCount() throws -> UInt64 {
    try check("inspect")
    return UInt64(clamping: try fileStatus(descriptor, path).st_size)
  }
}
