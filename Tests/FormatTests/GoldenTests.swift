import Foundation
import Testing
import TraceBytes
import TraceSegment

/// Files that were written once: what they say never changes, and the same input still gives them.
@Suite struct GoldenTests {
  @Test(arguments: GoldenSegments.names + GoldenSegments.kept)
  func segmentsAreReadAsTheyWereWritten(_ name: String) throws {
    let dumpPath = GoldenSegments.folder.appendingPathComponent("\(name).dump.txt")
    if GoldenSegments.isWriting, GoldenSegments.names.contains(name) {
      let bytes = try GoldenSegments.build(name)
      try FileManager.default.createDirectory(at: GoldenSegments.folder, withIntermediateDirectories: true)
      try Data(bytes).write(to: GoldenSegments.folder.appendingPathComponent("\(name).seg"))
      try Data(try SegmentDump.text(bytes).utf8).write(to: dumpPath)
    }
    let bytes = try GoldenSegments.committed(name)
    #expect(try SegmentDump.text(bytes) == String(contentsOf: dumpPath, encoding: .utf8))
    let verification = try SegmentDump.open(bytes).verify(deep: true)
    #expect(verification.damages.isEmpty)
    #expect(verification.pageCount > 0)
  }

  /// Another version of the compression library may make other blocks of the same text: then what the blocks say is
  /// compared, and not their bytes.
  @Test(arguments: GoldenSegments.names)
  func theSameInputGivesTheSameSegment(_ name: String) throws {
    let committed = try GoldenSegments.committed(name)
    let built = try GoldenSegments.build(name)
    let header = try committed.withUnsafeBytes { try SegmentHeader($0) }
    if header.zstdVersion == ZstdCompressor.libraryVersion {
      // The version of the other library is only noted; nothing in a segment is compressed with it.
      #expect(built[..<32] == committed[..<32])
      #expect(Array(built[64...]) == Array(committed[64...]))
    } else {
      #expect(try spans(built) == spans(committed))
    }
  }

  private func spans(_ bytes: [UInt8]) throws -> [Substring] {
    try SegmentDump.text(bytes).split(separator: "\n").filter { $0.hasPrefix("span ") || $0.hasPrefix("partial ") }
  }

  @Test func otherFilesAreWrittenAsBefore() throws {
    let files: [(String, [UInt8])] = [
      ("example.log", try Examples.log()), ("example.position", try Examples.position()),
      ("example.manifest", try Examples.manifest()), ("example.current", try Examples.current()),
      ("example.metrics", Examples.metrics()),
    ]
    for (name, bytes) in files {
      let path = GoldenSegments.folder.appendingPathComponent(name)
      if GoldenSegments.isWriting { try Data(bytes).write(to: path) }
      #expect([UInt8](try Data(contentsOf: path)) == bytes, "\(name)")
    }
  }

  #if compiler(>=6.2)
    /// Hash tables iterate in another order in every process; no such order may reach a file.
    @Test func anotherProcessWritesTheSameBytes() async throws {
      let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
        for name in GoldenSegments.names { print("\(name) \(hexadecimal(try GoldenSegments.build(name)))") }
      }
      let output = String(decoding: result?.standardOutputContent ?? [], as: UTF8.self)
      for name in GoldenSegments.names {
        #expect(output.contains("\(name) \(hexadecimal(try GoldenSegments.build(name)))\n"), "\(name)")
      }
    }
  #endif
}
