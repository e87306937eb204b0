import TraceModel

extension FileSystem {
  package func exists(_ path: String) throws -> Bool { try kind(of: path) != nil }

  /// All bytes of a file; `limitExceeded` before anything is allocated when there are more than
  /// `maximumByteCount`. One read.
  package func contents(ofFile path: String, maximumByteCount: Int) throws -> [UInt8] {
    let file = try open(path, .read)
    defer { file.close() }
    let byteCount = try file.byteCount()
    guard byteCount <= UInt64(max(0, maximumByteCount)) else {
      throw TracestoreError(
        .limitExceeded, "\(path) holds \(byteCount) bytes, more than the \(maximumByteCount) allowed here", path: path)
    }
    return try file.bytes(at: 0, byteCount: Int(byteCount))
  }

  /// Puts `bytes` under `directory/name` so that a crash leaves the old or the new content, never a mixture:
  /// temporary file, sync, rename, sync of the directory. An older temporary file of that name is removed.
  package func replaceFile(_ name: String, in directory: String, with bytes: [UInt8]) throws {
    let temporary = joinedPath(directory, name + ".tmp")
    if try exists(temporary) { try remove(temporary) }
    do {
      let file = try open(temporary, .create)
      defer { file.close() }
      try bytes.withUnsafeBytes { try file.append($0) }
      try file.sync()
    } catch {
      // On a full disk it would be in the way of whatever makes room.
      try? remove(temporary)
      throw error
    }
    try rename(temporary, to: joinedPath(directory, name))
    try syncDirectory(directory)
  }
}

extension File {
  /// Up to `byteCount` bytes from `offset` on; fewer only where the file ends. The caller has checked `byteCount`
  /// against a limit.
  package func bytes(at offset: UInt64, byteCount: Int) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      count = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
    }
  }
}

/// `directory` and `name` with one slash between them; `name` alone when the directory is empty.
package func joinedPath(_ directory: String, _ name: String) -> String {
  if directory.isEmpty { return name }
  return directory.utf8.last == UInt8(ascii: "/") ? directory + name : directory + "/" + name
}

/// The path without its last component: "." for a bare name, "/" for a name in the root.
package func parentPath(_ path: String) -> String {
  var end = path.utf8.endIndex
  let utf8 = path.utf8
  while end > utf8.startIndex, utf8[utf8.index(before: end)] == UInt8(ascii: "/") { end = utf8.index(before: end) }
  while end > utf8.startIndex, utf8[utf8.index(before: end)] != UInt8(ascii: "/") { end = utf8.index(before: end) }
  if end == utf8.startIndex { return "." }
  while end > utf8.startIndex, utf8[utf8.index(before: end)] == UInt8(ascii: "/") { end = utf8.index(before: end) }
  return end == utf8.startIndex ? "/" : String(path[..<end])
}
