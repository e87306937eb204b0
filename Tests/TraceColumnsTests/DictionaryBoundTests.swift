import Testing
import TraceBytes

@testable import TraceColumns

@Suite struct DictionaryBoundTests {
  /// Three strings of 8 MiB.
  private static let bytes: [UInt8] = {
    let texts = [10, 11, 12].map { [UInt8](repeating: 97, count: 8 << 20) + [$0] }
    let scratch = ColumnScratch()
    var writer = ByteWriter()
    writer.append(1 as UInt8)
    writer.appendVarint(3)
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    SortedTextList.encode(texts, into: &writer, scratch: scratch)
    IntegerColumn.encode([0, 1, 2], into: &writer, scratch: scratch)
    return writer.bytes
  }()

  private func withColumn<Result>(_ body: (TextColumn, ColumnScratch) throws -> Result) throws -> Result {
    try Self.bytes.withUnsafeBytes { bytes in
      let scratch = ColumnScratch()
      return try body(try TextColumn(bytes, verifying: true, scratch: scratch), scratch)
    }
  }

  @Test func `a dictionary that unpacks to more than 16 MiB is refused, walked over or gathered`() throws {
    try withColumn { column, scratch in
      #expect(throws: BytesError.self) { try column.forEach(scratch: scratch) { _, _ in } }
      #expect(throws: BytesError.self) { try column.gather([0, 1, 2], scratch: scratch) { _, _ in } }
    }
  }

  @Test func `what stays below the bound is given`() throws {
    try withColumn { column, scratch in
      var byteCounts: [Int] = []
      try column.gather([2], scratch: scratch) { _, text in byteCounts.append(text.count) }
      #expect(byteCounts == [(8 << 20) + 1])
    }
  }
}
