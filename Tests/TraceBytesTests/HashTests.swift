import Testing

@testable import TraceBytes

@Suite struct `Checksums and hashes` {
  @Test func `the 128-bit hash is MurmurHash3 for x64`() {
    #expect(Hash128(of: []) == Hash128(first: 0, second: 0))
    #expect(Hash128(of: Array("hello".utf8)) == Hash128(first: 0xcbd8_a7b3_41bd_9b02, second: 0x5b1e_906a_48ae_1d19))
  }

  @Test func `the processor's instruction and the tables give the same checksums`() {
    // Lengths around the streams of 128 and 1,024 bytes that run side by side, at every alignment.
    var state: UInt64 = 7
    let bytes = (0..<8_000).map { _ -> UInt8 in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 56)
    }
    let lengths = Array(0...420) + [767, 768, 769, 3071, 3072, 3073, 3456, 6143, 6144, 6145, 7000, 7990]
    bytes.withUnsafeBytes { all in
      for length in lengths {
        for start in 0..<8 {
          let part = UnsafeRawBufferPointer(rebasing: all[start..<(start + length)])
          let previous = UInt32(truncatingIfNeeded: state &* UInt64(length + start))
          #expect(
            CRC32C.checksum(part, following: previous) == CRC32C.tableChecksum(part, following: previous),
            "\(length) bytes at \(start)")
        }
      }
    }
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
