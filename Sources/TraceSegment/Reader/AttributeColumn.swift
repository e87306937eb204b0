import TraceBytes
import TraceColumns
import TraceModel

/// The values of one key catalogue entry in a stripe, with the way to them.
final class AttributeColumn: StripePart {
  enum Values: Sendable {
    case none
    case words(IntegerChunk)
    case doubles(DoubleChunk)
    case text(StripeText)
  }

  let key: String
  let type: AttributeType
  /// As `ShapeMap.prefix(of:)` gives it.
  let prefix: [UInt32]
  let values: Values

  var residentByteCount: Int { 96 }

  init(key: String, type: AttributeType, prefix: [UInt32], values: Values) {
    self.key = key
    self.type = type
    self.prefix = prefix
    self.values = values
  }

  /// Appends the attributes that the values at ascending `indices` make.
  func append(at indices: [Int], to list: AttributeList, _ strings: StringTable, _ scratch: ReadScratch) throws {
    switch values {
    case .none: for _ in indices { list.append(Attribute(key, type == .empty ? .empty : .absent)) }
    case .words(let chunk):
      for word in try chunk.gather(indices, isKeeping: true) {
        list.append(
          Attribute(key, type == .bool ? .bool(word != 0) : .int(Int64(bitPattern: NumberOrder.int(word)))))
      }
    case .doubles(let chunk):
      for index in indices { list.append(Attribute(key, .double(Double(bitPattern: try chunk.value(at: index))))) }
    case .text(let chunk):
      // Rows of one operation stand side by side and mostly agree.
      var last = Attribute(key, .absent)
      try chunk.forEachValue(at: indices, strings, scratch) { _, bytes in
        if let bytes { last = try AttributeDecoding.attribute(key, type, bytes, chunk.place) }
        list.append(last)
      }
    }
  }
}

extension LoadedStripe {
  func attributeColumn(_ entry: UInt32, _ map: ShapeMap, _ scratch: ReadScratch) throws -> AttributeColumn {
    try part(.attribute(entry)) {
      let prefix = try prefix(of: entry, in: map)
      let count = Int(prefix[prefix.count - 1])
      let key = catalogue[Int(entry)]
      let id = ChunkID.attribute(entry)
      let values: AttributeColumn.Values =
        switch key.type {
        case .absent, .empty: .none
        case .bool, .int: .words(try integers(id, count: count))
        case .double: .doubles(try doubles(id, count: count))
        default: .text(try text(id, count: count, scratch))
        }
      return AttributeColumn(key: key.text, type: key.type, prefix: prefix, values: values)
    }
  }
}
