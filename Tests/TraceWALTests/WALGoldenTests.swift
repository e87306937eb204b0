import Testing
import TraceFiles
import TraceModel
import TraceWAL

/// The worked examples of FORMAT.md: what a writer puts on disk, byte by byte.
@Suite struct WALGoldenTests {
  private let exampleID = StoreID(first: 0x0706_0504_0302_0100, second: 0x0f0e_0d0c_0b0a_0908)

  private func exampleLog() throws -> SimulatedFileSystem {
    let fileSystem = SimulatedFileSystem()
    let report = try WALRecovery.run(fileSystem: fileSystem, directory: directory, storeID: exampleID) { _ in }
    let writer = try WALWriter(fileSystem: fileSystem, directory: directory, storeID: exampleID, after: report)
    try writer.appendAndWait(
      WALFrame(
        kind: .request, payload: Array("abc".utf8), arrivalNanoseconds: 1_700_000_000_000_000_000, rulesVersion: 3))
    try writer.appendAndWait(
      WALFrame(
        kind: .request, payload: [UInt8](repeating: 0, count: 40), arrivalNanoseconds: 1_700_000_000_000_000_001,
        rulesVersion: 3))
    try writer.close()
    return fileSystem
  }

  @Test func theLogIsWrittenAsTheFormatSays() throws {
    let log = try bytes(try exampleLog(), logPath(1))
    let expected = [
      "545357414c3030310100000000000000000102030405060708090a0b0c0d0e0f",
      "010000000000000001000000000000000000000000000000000000005c32a183",
      "54535746010000000100000000000000000000000000000000002a36fe9c9717",
      "030000000300000003000000b73f4b36c3a92b62616263545357460101000002",
      "00000000000000010000000000000001002a36fe9c971703000000280000000b",
      "0000004ec2e0d8342072e91f0001000f500000000000",
    ].joined()
    #expect(hex(log) == expected)
  }

  @Test func thePositionIsWrittenAsTheFormatSays() throws {
    let position = try bytes(try exampleLog(), joinedPath(directory, WALFormat.positionFileName))
    let expected = [
      "0200000000000000010000000000000001000000000000007700000000000000",
      "000102030405060708090a0b0c0d0e0f010000000000000001000000c74a4028",
      "030000000000000002000000000000000100000000000000b600000000000000",
      "000102030405060708090a0b0c0d0e0f0100000000000000010000000acd81de",
    ].joined()
    #expect(hex(position) == expected)
  }
}

func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
