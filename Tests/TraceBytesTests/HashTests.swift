import Testing
import TraceBytes

@Suite struct `Checksums and hashes` {
  @Test func `the 128-bit hash is MurmurHash3 for x64`() {
    #expect(Hash128(of: []) == Hash128(first: 0, second: 0))
    #expect(Hash128(of: Array("hello".utf8)) == Hash128(first: 0xcbd8_a7b3_41bd_9b02, second: 0x5b1e_906a_48ae_1d19))
  }

  @Test func `the checksum is CRC-32C, whole or in parts`() {
    let bytes = Array("123456789".utf8)
    #expect(CRC32C.checksum(bytes) == 0xe306_9283)
    for split in 0...bytes.count {
      let first = CRC32C.checksum(Array(bytes[..<split]))
      #expect(Array(bytes[split...]).withUnsafeBytes { CRC32C.checksum($0, following: first) } == 0xe306_9283)
    }
  }
}
