import Testing
import TraceBytes

@testable import TraceColumns

struct BitPackingTests {
  @Test func everyWidthAndEveryTailComesBack() {
    var random = SeededRandom(seed: 1)
    for width in 0...64 {
      for count in Array(0...20) + [63, 64, 65, 127, 128, 129, 1024] {
        let values = (0..<count).map { _ in randomValue(width: width, using: &random) }
        var writer = ByteWriter()
        values.withUnsafeBufferPointer { BitPacking.pack($0, width: width, into: &writer) }
        #expect(writer.count == BitPacking.byteCount(count: count, width: width))
        var output = [UInt64](repeating: 7, count: count)
        writer.bytes.withUnsafeBytes { bytes in
          output.withUnsafeMutableBufferPointer { BitPacking.unpack(bytes, width: width, into: $0) }
          for index in 0..<count {
            if BitPacking.value(at: index, width: width, in: bytes) != values[index] {
              Issue.record("width \(width), count \(count), index \(index)")
            }
          }
        }
        #expect(output == values, "width \(width), count \(count)")
      }
    }
  }

  @Test func theFirstValueTakesTheLowestBits() {
    var writer = ByteWriter()
    [1, 2, 3, 4, 5].map { UInt64($0) }.withUnsafeBufferPointer { BitPacking.pack($0, width: 3, into: &writer) }
    #expect(writer.bytes == [0b11_010_001, 0b0_101_100_0])
  }
}
