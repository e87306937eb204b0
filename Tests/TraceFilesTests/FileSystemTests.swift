import Foundation
import Testing
import TraceFiles
import TraceModel

/// A fresh directory on the machine's own disk, removed at the end.
private func withRealDirectory(_ body: (String) throws -> Void) throws {
  let fileSystem = RealFileSystem()
  let path = joinedPath(FileManager.default.temporaryDirectory.path, "tracestore-files-\(UUID())")
  try fileSystem.createDirectory(path)
  defer { removeTree(path) }
  try body(path)
}

private func removeTree(_ path: String) {
  let fileSystem = RealFileSystem()
  for name in (try? fileSystem.contents(ofDirectory: path)) ?? [] {
    let child = joinedPath(path, name)
    if (try? fileSystem.kind(of: child)) == .directory { removeTree(child) } else { try? fileSystem.remove(child) }
  }
}

func code(_ body: () throws -> Void) -> TracestoreError.Code? {
  do {
    try body()
    return nil
  } catch {
    return (error as? TracestoreError)?.code
  }
}

extension File {
  func append(_ text: String) throws {
    var text = text
    try text.withUTF8 { try append(UnsafeRawBufferPointer($0)) }
  }

  func write(_ text: String, at offset: UInt64) throws {
    var text = text
    try text.withUTF8 { try write(UnsafeRawBufferPointer($0), at: offset) }
  }

  func text(at offset: UInt64 = 0, byteCount: Int = 1000) throws -> String {
    String(decoding: try bytes(at: offset, byteCount: byteCount), as: UTF8.self)
  }
}

/// The contract that every implementation keeps.
private func checkContract(_ fileSystem: any FileSystem, _ directory: String) throws {
  let path = joinedPath(directory, "one")
  #expect(code { _ = try fileSystem.open(path, .read) } == .notFound)
  #expect(code { _ = try fileSystem.open(path, .update) } == .notFound)
  let file = try fileSystem.open(path, .create)
  #expect(code { _ = try fileSystem.open(path, .create) } == .inputOutput)
  #expect(file.path == path)
  try file.append("hello ")
  try file.append("world")
  try file.write("J", at: 0)
  #expect(try file.text() == "Jello world")
  #expect(try file.text(at: 6, byteCount: 3) == "wor")
  #expect(try file.text(at: 11) == "")
  #expect(try file.text(at: 1 << 40) == "")
  try file.sync()
  try file.truncate(to: 5)
  try file.append("!")
  #expect(try file.text() == "Jello!")
  try file.truncate(to: 8)
  #expect(try file.byteCount() == 8)
  #expect(try file.bytes(at: 6, byteCount: 9) == [0, 0])
  try file.truncate(to: 6)
  file.close()
  file.close()
  #expect(code { try file.append("x") } == .inputOutput)
  #expect(code { _ = try file.text() } == .inputOutput)

  let again = try fileSystem.open(path, .update)
  try again.append("?")
  #expect(try again.text() == "Jello!?")
  let reader = try fileSystem.open(path, .read)
  #expect(code { try reader.append("x") } == .inputOutput)

  try fileSystem.link(path, to: joinedPath(directory, "two"))
  #expect(code { try fileSystem.link(path, to: joinedPath(directory, "two")) } == .inputOutput)
  try fileSystem.rename(path, to: joinedPath(directory, "three"))
  #expect(try fileSystem.contents(ofDirectory: directory) == ["three", "two"])
  #expect(code { try fileSystem.rename(path, to: joinedPath(directory, "four")) } == .notFound)
  try fileSystem.remove(joinedPath(directory, "two"))
  try fileSystem.remove(joinedPath(directory, "three"))
  #expect(code { try fileSystem.remove(joinedPath(directory, "three")) } == .notFound)
  #expect(try reader.text() == "Jello!?")
  try fileSystem.syncDirectory(directory)

  let nested = joinedPath(directory, "a/b")
  try fileSystem.createDirectory(nested)
  try fileSystem.createDirectory(nested)
  #expect(try fileSystem.kind(of: nested) == .directory)
  #expect(try fileSystem.kind(of: joinedPath(nested, "c")) == nil)
  #expect(code { _ = try fileSystem.open(nested, .read) } == .inputOutput)
  #expect(code { _ = try fileSystem.contents(ofDirectory: joinedPath(nested, "none")) } == .notFound)

  try fileSystem.replaceFile("current", in: nested, with: [1, 2])
  try fileSystem.replaceFile("current", in: nested, with: [3])
  let current = joinedPath(nested, "current")
  #expect(try fileSystem.contents(ofFile: current, maximumByteCount: 1) == [3])
  #expect(code { _ = try fileSystem.contents(ofFile: current, maximumByteCount: 0) } == .limitExceeded)
  #expect(try fileSystem.contents(ofDirectory: nested) == ["current"])

  let lockPath = joinedPath(directory, "LOCK")
  do {
    #expect(try !fileSystem.isLocked(lockPath) && !fileSystem.exists(lockPath))
    let lock = try fileSystem.lock(lockPath)
    #expect(try fileSystem.isLocked(lockPath))
    #expect(code { _ = try fileSystem.lock(lockPath) } == .locked)
    withExtendedLifetime(lock) {}
  }
  #expect(try !fileSystem.isLocked(lockPath))
  let lock = try fileSystem.lock(lockPath)
  #expect(lock.path == lockPath)
  let space = try fileSystem.space(at: directory)
  #expect(space.availableByteCount > 0 && space.availableByteCount <= space.totalByteCount)
}

@Suite struct FileSystemTests {
  @Test func theRealFileSystemKeepsTheContract() throws {
    try withRealDirectory { try checkContract(RealFileSystem(), $0) }
  }

  @Test func theSimulatedFileSystemKeepsTheContract() throws {
    for isTracked in [true, false] {
      let fileSystem = SimulatedFileSystem(isDurabilityTracked: isTracked)
      try fileSystem.createDirectory("/store")
      try checkContract(fileSystem, "/store")
    }
  }

  @Test func theCountingFileSystemKeepsTheContractAndCounts() throws {
    let fileSystem = CountingFileSystem(SimulatedFileSystem())
    try fileSystem.createDirectory("/store")
    try checkContract(fileSystem, "/store")
    fileSystem.reset()
    let file = try fileSystem.open("/store/x.seg", .create)
    try file.append("12345")
    _ = try file.text(at: 1)
    _ = try file.text(at: 3)
    try file.sync()
    let counts = fileSystem.snapshot().total(pathSuffix: ".seg")
    #expect(counts.openCount == 1 && counts.readCount == 2 && counts.readByteCount == 6)
    #expect(counts.writeCount == 1 && counts.writtenByteCount == 5 && counts.syncCount == 1)
    #expect(fileSystem.reset().total() == counts)
    var left = FileCounts()
    left.openHandleCount = 1
    #expect(fileSystem.snapshot().total() == left)
    file.close()
    #expect(fileSystem.snapshot().total() == FileCounts())
  }

  @Test func anErrorNamesTheOperationThePathAndTheReason() throws {
    for fileSystem in [RealFileSystem(), SimulatedFileSystem()] as [any FileSystem] {
      do {
        _ = try fileSystem.open("/no-such-directory/file", .read)
        Issue.record("the file opened")
      } catch let error as TracestoreError {
        #expect(error.message.contains("open /no-such-directory/file: No such file"))
        #expect(error.systemErrorNumber == 2)
      }
    }
  }

  @Test func parentsOfPathsAreFound() {
    #expect(parentPath("a") == ".")
    #expect(parentPath("/a") == "/")
    #expect(parentPath("/a/b") == "/a")
    #expect(parentPath("a//b/") == "a")
    #expect(parentPath("/") == "." || parentPath("/") == "/")
    #expect(joinedPath("", "a") == "a")
    #expect(joinedPath("b/", "a") == "b/a")
  }

  @Test func numbersInFileNamesAreExactlySixteenLowerCaseDigits() {
    for value in [0, 1, 255, UInt64.max, 0x0123_4567_89ab_cdef] {
      #expect(parsedHexadecimal(hexadecimal(value)) == value)
    }
    for text in ["", "0", "000000000000000G", "00000000000000000", "000000000000000A"] {
      #expect(parsedHexadecimal(text) == nil)
    }
  }
}
