import Testing
import TraceFiles
import TraceManifest
import TraceModel

/// The worked examples of FORMAT.md: what a writer puts on disk, byte by byte.
@Suite struct ManifestGoldenTests {
  private func example() throws -> SimulatedFileSystem {
    let fileSystem = SimulatedFileSystem()
    let id = StoreID(first: 0x0706_0504_0302_0100, second: 0x0f0e_0d0c_0b0a_0908)
    let store = try ManifestStore.open(
      fileSystem: fileSystem, directory: directory,
      mode: .readWrite(create: StoreSettings(storeID: id, createdNanoseconds: 1_700_000_000_000_000_000)))
    try store.commit(adding(segment(1)))
    var edit = ManifestEdit([.walTrimmedBelow(20), .featureBits(mustUnderstand: 0, optional: 0), .nextFileNumber(5)])
    edit.remove(ManifestFileKey(kind: .segment, number: 1), .merged)
    edit.entries.append(.unknown(kind: 900, flags: 0, bytes: [0xab]))
    try store.commit(edit)
    store.close()
    return fileSystem
  }

  @Test func theManifestIsWrittenAsTheFormatSays() throws {
    let manifest = try bytes(try example(), manifestPath(1))
    let expected = [
      "54534d414e3030310100000000000000000102030405060708090a0b0c0d0e0f",
      "010000000000000001000000000000000000000000000000000000000aad261a",
      "54534d52260000000100000000000000961665b514fd7bbc010001001e000000",
      "01000000000102030405060708090a0b0c0d0e0f0000002a36fe9c9717005453",
      "4d52aa00000002000000000000003be62e37c7f5122c02000100a20000000100",
      "01000000000000000000000001010200e903000000000000157c4a7fb979379e",
      "feffffffffffffff000001000000000003000000000000007017000000000000",
      "0b0000000000000015000000000000001f000000000000000700000000000000",
      "2800000000000000320000000000000000a0b8304603000000a0b83046030000",
      "0a00000000000000130000000000000002010000000400000001070003010203",
      "54534d52590000000300000000000000f07b5c870e377a620500010008000000",
      "1400000000000000060001001000000000000000000000000000000000000000",
      "0400010008000000050000000000000003000100100000000100010000000000",
      "00000000000001008403000001000000ab",
    ].joined()
    #expect(hex(manifest) == expected)
  }

  @Test func currentIsWrittenAsTheFormatSays() throws {
    let current = try bytes(try example(), joinedPath(directory, StoreLayout.currentFileName))
    let expected = [
      "545343555230303101000000000000000100000000000000000000006f1c9e78"
    ].joined()
    #expect(hex(current) == expected)
  }
}

private func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
