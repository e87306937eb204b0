import Testing
import TraceBytes

@testable import TraceColumns

struct IntegerColumnTests {
  let scratch = ColumnScratch()

  private func encoded(_ values: [UInt64]) -> [UInt8] {
    var writer = ByteWriter()
    IntegerColumn.encode(values, into: &writer, scratch: scratch)
    return writer.bytes
  }

  private func shape(_ count: Int, _ seed: UInt64) -> [UInt64] {
    var random = SeededRandom(seed: seed)
    var time: UInt64 = 5
    return (0..<count).map { row in
      switch row / 1500 % 3 {
      case 0:
        time += UInt64(random.below(900))
        return time
      case 1: return UInt64(random.below(4)) << 50
      default: return random.next()
      }
    }
  }

  @Test func everyCountComesBackWholeByPageAndByRow() throws {
    for count in [0, 1, 2, 1023, 1024, 1025, 2047, 2048, 2049, 5000] {
      let values = shape(count, UInt64(count))
      let bytes = encoded(values) + [1, 2, 3]
      try bytes.withUnsafeBytes { raw in
        let column = try IntegerColumn(raw)
        #expect(column.count == count)
        #expect(column.byteCount == bytes.count - 3)
        #expect(try column.decodeAll() == values)
        for row in stride(from: 0, to: count, by: 7) where try column.value(at: row) != values[row] {
          Issue.record("row \(row)")
        }
        var buffer = [UInt64](repeating: 0, count: 1024)
        for page in 0..<column.pageCount {
          let found = try buffer.withUnsafeMutableBufferPointer { try column.decodePage(page, into: $0) }
          #expect(Array(buffer[..<found]) == Array(values[column.rows(ofPage: page)]))
        }
        #expect(column.describe().count == 1 + column.pageCount)
      }
    }
  }

  @Test func anEmptyColumnTakesElevenBytes() { #expect(encoded([]).count == 11) }

  @Test func gatheringGivesTheAskedRows() throws {
    let values = shape(5000, 3)
    let bytes = encoded(values)
    var random = SeededRandom(seed: 4)
    try bytes.withUnsafeBytes { raw in
      let column = try IntegerColumn(raw)
      for density in [1, 2, 10, 300, 4000] {
        let rows = values.indices.filter { _ in random.below(density) == 0 }
        #expect(try column.gather(rows) == rows.map { values[$0] })
      }
    }
  }

  @Test func everyFlippedByteIsFound() throws {
    for count in [0, 3, 1030] {
      let bytes = encoded((0..<count).map { UInt64($0) })
      for offset in bytes.indices {
        for change: UInt8 in [1, 0x80, 0xff, 0x81] {
          var broken = bytes
          broken[offset] ^= change
          #expect(throws: BytesError.self, "byte \(offset)") {
            try broken.withUnsafeBytes { try IntegerColumn($0).decodeAll() }
          }
        }
      }
    }
  }

  @Test func anAnnouncedCountWithoutPagesIsRefusedBeforeAnythingIsAllocated() {
    var writer = ByteWriter()
    writer.append(0x81)
    writer.appendVarint(UInt64(1 << 28))
    writer.appendInteger(UInt32(0))
    #expect(throws: BytesError.self) { try writer.bytes.withUnsafeBytes { try IntegerColumn($0) } }
  }

  @Test func aDirectoryOutOfOrderIsRefused() throws {
    let bytes = encoded(shape(3000, 1))
    // Marker, two bytes of count, then the page ends.
    let directory = 3
    var broken = bytes
    broken.swapAt(directory, directory + 4)
    broken.swapAt(directory + 1, directory + 5)
    let checksum = CRC32C.checksum(Array(broken[..<(directory + 12)]))
    for index in 0..<4 { broken[directory + 12 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index)) }
    #expect(throws: BytesError.self) { try broken.withUnsafeBytes { try IntegerColumn($0).decodeAll() } }
  }
}
