import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

/// The strings of a segment; a code is the rank of its string.
final class StringTable: Sendable {
  private let arena: TextArena
  private let place: ChunkPlace

  init(arena: TextArena, place: ChunkPlace) {
    self.arena = arena
    self.place = place
  }

  var count: Int { arena.count }
  var residentByteCount: Int { arena.residentByteCount }

  /// The code of exactly these bytes; nil when no string of the segment has them.
  func code(of bytes: [UInt8]) -> UInt32? { arena.index(of: bytes).map { UInt32(truncatingIfNeeded: $0) } }

  /// The codes of those of the texts that the segment has.
  func codes(of list: TextList) -> CodeList { list.codes(in: self) { code(of: $0) } }

  func withBytes<Result>(_ code: UInt32, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    guard Int(code) < arena.count else { throw place.damage("string \(code) of \(arena.count) is asked for") }
    return try arena.withText(Int(code), body)
  }

  func string(_ code: UInt32) throws -> String {
    try withBytes(code) { bytes in
      guard let text = bytes.text else { throw place.damage("string \(code) is not UTF-8") }
      return text
    }
  }
}

/// The key catalogue with its keys as text.
final class KeyTable: Sendable {
  struct Entry: Sendable {
    var level: ColumnLevel
    var code: UInt32
    var text: String
    var type: AttributeType
    var valueCount: UInt64
  }

  private struct Name: Hashable {
    var level: ColumnLevel
    var key: [UInt8]
  }

  let entries: [Entry]
  /// The entries of each name, which stand side by side, ascending by type.
  private let ranges: [Name: Range<Int>]

  var count: Int { entries.count }
  var residentByteCount: Int { entries.count * (MemoryLayout<Entry>.stride + 96) }

  init(_ catalogue: KeyCatalogue, strings: StringTable) throws {
    entries = try catalogue.entries.map { entry in
      Entry(
        level: entry.level, code: entry.key, text: try strings.string(entry.key), type: entry.type,
        valueCount: entry.valueCount)
    }
    var ranges: [Name: Range<Int>] = [:]
    for (index, entry) in entries.enumerated() {
      let name = Name(level: entry.level, key: Array(entry.text.utf8))
      ranges[name] = (ranges[name]?.lowerBound ?? index)..<(index + 1)
    }
    self.ranges = ranges
  }

  subscript(index: Int) -> Entry { entries[index] }

  /// The entries of a key at a level, ascending by type.
  func entries(level: ColumnLevel, key: [UInt8]) -> Range<Int> { ranges[Name(level: level, key: key)] ?? 0..<0 }

  /// What people call a chunk: `span.start`, `attribute:span:http.route:string`.
  func columnName(_ id: UInt32) -> String {
    guard id >= SegmentFormat.firstAttributeChunk else { return ChunkID.name(id) }
    let index = Int(id - SegmentFormat.firstAttributeChunk)
    guard index < entries.count else { return "attribute \(index)" }
    let entry = entries[index]
    return "attribute:\(entry.level):\(entry.text):\(entry.type)"
  }
}

extension ChunkID {
  /// The chunk of a key catalogue entry.
  static func attribute(_ entry: UInt32) -> UInt32 { SegmentFormat.firstAttributeChunk &+ entry }
}
