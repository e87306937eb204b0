import Foundation
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

  @Test func metricsOfFiveCalls() throws {
    #expect(try document.section("Metrics segment").hexDumps == [Examples.metrics()])
  }

  @Test func segmentOfTwoSpans() throws {
    #expect(try document.section("Worked example of a segment").hexDumps == [try GoldenSegments.committed("minute")])
  }

  /// The bytes of each code span that is nothing but hexadecimal digits in groups, under a heading.
  private func spans(_ section: String) throws -> [[UInt8]] {
    let text = try document.section(section).lines.joined(separator: "\n")
    return text.components(separatedBy: "`").enumerated().filter { $0.offset % 2 == 1 }.compactMap {
      let digits = $0.element.filter { $0 != " " && $0 != "·" && $0 != "\n" }
      return digits.utf8.count > 16 ? FormatDocument.bytes(digits) : nil
    }
  }

  /// Each page of the table decodes, and encodes to the same bytes.
  @Test func integerPages() throws {
    let pages = try spans("Integer page")
    let scratch = ColumnScratch()
    var encodings: Set<IntegerEncoding> = []
    for bytes in pages {
      let column = try bytes.withUnsafeBytes { bytes in
        encodings.insert(try IntegerPage(bytes).encoding)
        return try IntegerColumn(bytes).decodeAll()
      }
      #expect(encoded { IntegerColumn.encode(column, into: &$0, scratch: scratch) } == bytes)
    }
    #expect(encodings == Set(IntegerEncoding.allCases))
    #expect(pages.count == 11)
  }

  @Test func integerColumnOfTwoPages() throws {
    let shown = try spans("Integer column")
    let scratch = ColumnScratch()
    #expect(shown == [encoded { IntegerColumn.encode(Array(0...1024), into: &$0, scratch: scratch) }])
  }

  @Test func textLists() throws {
    let shown = try spans("Sorted text list")
    let scratch = ColumnScratch()
    let texts = ["b", "abc", "abd"].map { Array($0.utf8) }
    #expect(shown == [encoded { SortedTextList.encode(texts, into: &$0, scratch: scratch) }])
  }

  /// Raw, dictionary and template, each as the writer makes them.
  @Test func textColumns() throws {
    let shown = try spans("Text column")
    let scratch = ColumnScratch()
    let columns = [
      ["ab", "cd"], Array(repeating: ["GET", "GET", "POST"], count: 20).flatMap { $0 },
      (0..<16).map { "id \(1000 + 7919 * $0 % 1000)" },
    ]
    var written: [[UInt8]] = []
    for texts in columns {
      written.append(encoded { TextColumn.encode(texts.map { Array($0.utf8) }, into: &$0, scratch: scratch) })
    }
    // Two strings are shorter as a dictionary; the example shows how they look raw.
    #expect(shown.dropFirst() == written.dropFirst())
    for (bytes, texts) in zip(shown, columns) {
      let decoded = try bytes.withUnsafeBytes { bytes in
        let column = try TextColumn(bytes, scratch: scratch)
        #expect(column.byteCount == bytes.count)
        return try (0..<column.count).map {
          String(decoding: try column.value(at: $0, scratch: scratch), as: UTF8.self)
        }
      }
      #expect(decoded == texts)
    }
    #expect(shown.count == columns.count)
  }

  @Test func filters() throws {
    let shown = try spans("Filter")
    let filter = try #require(FuseFilter([1, 2, 3], width: .eight))
    #expect(shown == [encoded { filter.encode(into: &$0) }])
  }
}

func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
