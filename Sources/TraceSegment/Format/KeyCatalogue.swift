package import TraceBytes
package import TraceModel
package import TraceSource

/// Section `keys`: every (level, key, type) of an attribute in the segment, ascending by level, key code, type.
///
/// Entry count (varint), then for each entry: level (1), key's string code (varint), type (1), value count (varint).
/// Codes are ranks, so keys ascend as texts do (`TextOrder`). A value of a resource or scope counts once for each span under it.
package struct KeyCatalogue: Hashable, Sendable {
  package struct Entry: Hashable, Sendable {
    package var level: ColumnLevel
    /// String code.
    package var key: UInt32
    package var type: AttributeType
    package var valueCount: UInt64

    package init(level: ColumnLevel, key: UInt32, type: AttributeType, valueCount: UInt64) {
      self.level = level
      self.key = key
      self.type = type
      self.valueCount = valueCount
    }

    var order: UInt64 { UInt64(level.rawValue) << 40 | UInt64(key) << 8 | UInt64(type.rawValue) }
  }

  package var entries: [Entry] = []

  package init() {}

  package func encode(into writer: inout ByteWriter) {
    writer.appendVarint(entries.count)
    for entry in entries {
      writer.append(entry.level.rawValue)
      writer.appendVarint(UInt64(entry.key))
      writer.append(entry.type.rawValue)
      writer.appendVarint(entry.valueCount)
    }
  }

  /// - Parameter stringCount: key codes are below it.
  package init(_ bytes: UnsafeRawBufferPointer, stringCount: Int, at base: UInt64) throws(TracestoreError) {
    entries = try FormatError.naming("key catalogue", at: base) {
      var reader = ByteReader(bytes)
      let count = try reader.readCount(limit: min(SegmentFormat.maximumKeyCount, bytes.count / 4))
      var entries: [Entry] = []
      entries.reserveCapacity(count)
      for _ in 0..<count {
        let place = base &+ UInt64(reader.offset)
        let level = try reader.readUInt8()
        let key = try reader.readCount(limit: Int(UInt32.max))
        let type = try reader.readUInt8()
        guard let level = ColumnLevel(rawValue: level) else {
          throw FormatError.unsupported("attribute level \(level)", at: place)
        }
        guard let type = AttributeType(rawValue: type) else {
          throw FormatError.unsupported("attribute type \(type)", at: place)
        }
        let entry = Entry(level: level, key: UInt32(key), type: type, valueCount: try reader.readVarint())
        guard entry.valueCount <= SegmentFormat.maximumTotalCount else {
          throw FormatError.corrupt("the key catalogue counts \(entry.valueCount) values of a key", at: place)
        }
        guard key < stringCount, entries.last.map({ $0.order < entry.order }) ?? true else {
          throw FormatError.corrupt("the key catalogue is out of order or names a missing string", at: place)
        }
        entries.append(entry)
      }
      guard reader.isAtEnd else {
        throw FormatError.corrupt("bytes follow the key catalogue", at: base &+ UInt64(reader.offset))
      }
      return entries
    }
  }
}
