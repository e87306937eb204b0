import Foundation
import Testing
import TraceBytes
import TraceColumns
import TraceManifest
import TraceSegment
import TraceSource
import TraceWAL

/// The numbers in FORMAT.md are those in the code.
@Suite struct NumberTests {
  private let document: FormatDocument

  init() throws { document = try FormatDocument() }

  /// A table's numbers by its names.
  private func numbers(
    _ section: String, _ key: String, _ columns: [String]
  ) throws -> [String: UInt64] {
    let table = try #require(try document.section(section).table(columns), "\(section) has no table \(columns)")
    var result: [String: UInt64] = [:]
    for (name, number) in zip(table.cells("Name"), table.cells(key)) {
      let value: UInt64 = try #require(FormatDocument.number(number), "\(number) is no number")
      result[name] = value
    }
    #expect(result.count == table.rows.count, "a name stands twice in \(section)")
    return result
  }

  @Test func versionsAreThoseInTheCode() throws {
    let table = try #require(try document.section("Versions").table(["What", "Version", "Where it stands"]))
    let versions = table.map("What", "Version")
    #expect(versions["segment"] == String(SegmentFormat.version))
    #expect(versions["log file"] == String(WALFormat.version))
    #expect(versions["manifest file"] == String(ManifestFormat.version))
    #expect(versions["metrics segment"] == String(HourlyFigures.format.version))
    #expect(versions.count == 7)
  }

  @Test func checksumAndHashAreTheOnesNamed() throws {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
    #expect(document.text.contains("`crc(\"123456789\")` = `e3069283`"))
    #expect(CRC32C.mixedChecksum(Array("123456789".utf8)) == 0xc83e_6771)
    #expect(document.text.contains("`mcrc(\"123456789\")` = `c83e6771`"))
    #expect(Hash128(of: []) == Hash128(first: 0, second: 0))
  }

  @Test func integerEncodingsAreThoseInTheCode() throws {
    let documented = try numbers("Integer page", "Encoding", ["Encoding", "Name", "Body after the base"])
    let known = IntegerEncoding.allCases.map { ($0.name, UInt64($0.rawValue)) }
    #expect(documented == Dictionary(uniqueKeysWithValues: known))
  }

  @Test func textEncodingsAreThoseInTheCode() throws {
    let documented = try numbers("Text column", "Encoding", ["Encoding", "Name", "Content"])
    let known = TextEncoding.allCases.map { ($0.name, UInt64($0.rawValue)) }
    #expect(documented == Dictionary(uniqueKeysWithValues: known))
  }

  @Test func sectionsAreThoseInTheCode() throws {
    let documented = try numbers("Sections", "Kind", ["Kind", "Name", "Content"])
    let known = SectionKind.allCases.map { ("\($0)", UInt64($0.rawValue)) }
    #expect(documented == Dictionary(uniqueKeysWithValues: known))
  }

  @Test func levelsAndTypesAreThoseInTheCode() throws {
    let levels = try numbers("Sections", "Level", ["Level", "Name"])
    #expect(levels == Dictionary(uniqueKeysWithValues: ColumnLevel.allCases.map { ("\($0)", UInt64($0.rawValue)) }))
    let types = try numbers("Sections", "Type", ["Type", "Name", "Stored as"])
    #expect(types == Dictionary(uniqueKeysWithValues: AttributeType.allCases.map { ("\($0)", UInt64($0.rawValue)) }))
    let table = try #require(try document.section("Sections").table(["Type", "Name", "Stored as"]))
    for (name, stored) in zip(table.cells("Name"), table.cells("Stored as")) {
      let type = try #require(AttributeType.allCases.first { "\($0)" == name })
      #expect(type.isText == stored.hasPrefix("text"), "\(name)")
    }
  }

  @Test func chunksAreThoseInTheCode() throws {
    let columns = ["Id", "Name", "One value for each", "Kind", "Value"]
    let documented = try numbers("Stripe", "Id", columns)
    for (name, id) in documented { #expect(ChunkID.name(UInt32(id)) == name) }
    // No chunk of the code is missing: names of unknown ids begin with "chunk".
    let known = (0..<1000 as Range<UInt32>).filter { !ChunkID.name($0).hasPrefix("chunk") }
    #expect(Set(documented.values) == Set(known.map { UInt64($0) }))
    let table = try #require(try document.section("Stripe").table(columns))
    let texts = zip(table.cells("Id"), table.cells("Kind")).filter { $0.1 == "text" }.compactMap { UInt32($0.0) }
    #expect(Set(texts) == Set(ChunkID.fixedTexts))
    #expect(ChunkID.searchableFixedTexts == [30, 31, 51])
    #expect(document.text.contains("30, 31 and 51 have filters"))
  }

  @Test func formsAreThoseInTheCode() throws {
    let texts = try numbers("Stripe", "Form", ["Form", "Name", "Parts"])
    #expect(
      texts == [
        "dictionary": UInt64(TextForm.dictionary.rawValue), "column": UInt64(TextForm.column.rawValue),
        "empty": UInt64(TextForm.empty.rawValue),
      ])
    let doubles = try numbers("Stripe", "Form", ["Form", "Name", "Columns"])
    #expect(doubles == ["bits": UInt64(DoubleForm.bits.rawValue), "decimal": UInt64(DoubleForm.decimal.rawValue)])
    #expect(DoubleChunkHead.maximumExponent == 6)
  }

  @Test func limitsOfASegmentAreThoseInTheCode() throws {
    let documented = try numbers("Limits of a segment", "Value", ["Name", "Value", "What breaks if it grows"])
    #expect(
      documented == [
        "header byte count": UInt64(SegmentFormat.headerByteCount),
        "trailer byte count": UInt64(SegmentFormat.trailerByteCount),
        "stripe alignment": UInt64(SegmentFormat.stripeAlignment),
        "trace index block count": UInt64(SegmentFormat.traceIndexBlockCount),
        "first attribute chunk": UInt64(SegmentFormat.firstAttributeChunk),
        "base granule": SegmentFormat.baseGranuleNanoseconds,
        "stripe rows": UInt64(SegmentFormat.maximumStripeRowCount),
        "stripe children": UInt64(SegmentFormat.maximumChildCount),
        "footer counts (totals 0 to 6), value counts of `keys`, span counts of `operations` in sum":
          SegmentFormat.maximumTotalCount,
        "stripe chunks": UInt64(SegmentFormat.maximumChunkCount),
        "stripe bytes": UInt64(SegmentFormat.maximumStripeByteCount),
        "footer bytes": UInt64(SegmentFormat.maximumFooterByteCount),
        "stripes": UInt64(SegmentFormat.maximumStripeCount),
        "keys": UInt64(SegmentFormat.maximumKeyCount),
      ])
    #expect(IntegerPage.maximumCount == 1024)
    #expect(IntegerColumn.maximumCount == 268_435_456)
    #expect(TextColumn.maximumCount == 268_435_456)
    #expect(SortedTextList.maximumCount == 1 << 31)
  }

  @Test func namesOfFilesAreThoseInTheCode() throws {
    let names = try document.section("Store directory").lines.joined(separator: "\n")
    func isNamed(_ pattern: String) -> Bool { names.contains("`\(pattern)`") }
    func pattern(_ kind: ManifestFileKind) -> String {
      StoreLayout.fileName(ManifestFileKey(kind: kind, number: 0, edition: 0))
        .replacingOccurrences(of: "0000000000000000", with: "<number>")
        .replacingOccurrences(of: "00000000", with: "<edition>")
    }
    for kind in 1...7 { #expect(isNamed(pattern(ManifestFileKind(rawValue: UInt16(kind)))), "kind \(kind)") }
    #expect(isNamed(pattern(ManifestFileKind(rawValue: 8)).replacingOccurrences(of: "0008", with: "<kind>")))
    #expect(isNamed(StoreLayout.lockFileName) && isNamed(StoreLayout.currentFileName))
    #expect(isNamed(StoreLayout.reserveFileName))
    #expect(isNamed("MANIFEST-<number>") && StoreLayout.manifestFileName(1) == "MANIFEST-0000000000000001")
    #expect(isNamed("wal/wal-<number>.log") && StoreLayout.walDirectoryName == "wal")
    #expect(WALFormat.fileName(255) == "wal-00000000000000ff.log")
    #expect(isNamed("wal/\(WALFormat.positionFileName)") && isNamed("*\(StoreLayout.temporarySuffix)"))
  }

  @Test func reservedNumbersAreNotUsed() throws {
    let table = try #require(try document.section("Reserved").table(["Where", "Number", "For"]))
    for (place, cell) in zip(table.cells("Where"), table.cells("Number")) {
      let number = try #require(FormatDocument.number(cell))
      switch place {
      case "section kind": #expect(SectionKind(rawValue: UInt16(number)) == nil, "\(number)")
      case "log frame kind": #expect(WALFrameKind(rawValue: UInt8(number)).isKnown, "\(number)")
      case "file kind": #expect(ManifestFileKind(rawValue: UInt16(number)).isKnown, "\(number)")
      default: Issue.record("\(place) is no place that numbers are reserved in")
      }
    }
    #expect(table.rows.count == 11)
  }
}
