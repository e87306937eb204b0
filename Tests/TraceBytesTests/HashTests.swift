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
          #expect(
            CRC32C.mixedChecksum(part) == CRC32C.tableChecksum(part, isMixed: true),
            "\(length) bytes at \(start), mixed")
        }
      }
    }
  }

  @Test func `a mixed checksum is that of the bytes with each eight of them multiplied`() {
    for count in 0...70 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
      let whole = count / 8 * 8
      var mixed: [UInt8] = []
      for first in stride(from: 0, to: whole, by: 8) {
        let group = bytes[first..<(first + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        withUnsafeBytes(of: (group &* 0x9e37_79b9_7f4a_7c15).littleEndian) { mixed += $0 }
      }
      #expect(CRC32C.mixedChecksum(bytes) == CRC32C.checksum(mixed + bytes[whole...]))
    }
  }

  @Test func `pages that end with their checksums have the same plain checksum and different mixed ones`() {
    func sealed(_ content: [UInt8]) -> [UInt8] {
      var writer = ByteWriter()
      writer.append(content)
      writer.appendInteger(CRC32C.checksum(content))
      return writer.bytes
    }
    var state: UInt64 = 3
    func page(_ count: Int) -> [UInt8] {
      let content = (0..<count).map { _ -> UInt8 in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
      }
      return sealed(content)
    }
    // Two bytes that change places inside of a group, the checksum behind the last group.
    for count in 16...40 {
      var content = (0..<count).map { UInt8($0 * 5) }
      let before = CRC32C.mixedChecksum(sealed(content))
      for (low, high) in [(8, 15), (9, 14), (8, 9)] {
        content.swapAt(low, high)
        #expect(CRC32C.mixedChecksum(sealed(content)) != before, "\(count) bytes, \(low) and \(high)")
        content.swapAt(low, high)
      }
    }
    for (first, second) in [(9, 12), (16, 5), (300, 1000), (1021, 3)] {
      let columns = (0..<200).map { _ in page(first) + page(second) }
      #expect(Set(columns.map { CRC32C.checksum($0) }).count == 1)
      #expect(Set(columns.map { CRC32C.mixedChecksum($0) }).count == columns.count)
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
