import Testing
import TraceBytes
import TraceColumns

/// The hexadecimal examples of FORMAT.md are what the code writes.
@Suite struct WorkedExampleTests {
  private let document: FormatDocument

  init() throws { document = try FormatDocument() }

  @Test func logOfTwoFrames() throws {
    #expect(try document.section("Write-ahead log").hexDumps == [try Examples.log()])
  }

  @Test func positionAfterTwoFrames() throws {
    #expect(try document.section("Position file").hexDumps == [try Examples.position()])
  }

  @Test func currentAndManifest() throws {
    #expect(try document.section("CURRENT").hexDumps == [try Examples.current()])
    #expect(try document.section("Manifest file").hexDumps == [try Examples.manifest()])
  }

  @Test func integerColumns() throws {
    let shown = try document.section("Integer column").blocks.first ?? []
    let columns: [[UInt64]] = [[7, 7, 7], [5, 6, 7, 8]]
    let scratch = ColumnScratch()
    #expect(shown.count == columns.count)
    for (line, values) in zip(shown, columns) {
      let written = encoded { IntegerColumn.encode(values, into: &$0, scratch: scratch) }
      let digits = line.prefix { !"ghijklmnopqrstuvwxyz".contains($0) }.filter { $0 != " " }.dropLast(0)
      #expect(digits.hasPrefix(hexadecimal(written)), "\(values): \(hexadecimal(written))")
    }
  }
}

func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
