import TraceBytes
import TraceModel

extension ModelDecoder {
  /// A `KeyValue` whose value stands at depth 1: checked first, then built.
  static func attribute(_ reader: WireReader, _ elementCount: inout Int) throws(WireFault) -> Attribute {
    var check = reader
    _ = try check.validateAttribute(depth: 1, &elementCount)
    return try built(attribute: reader)
  }

  /// An `AnyValue` at depth 1: checked first, then built.
  static func value(_ reader: WireReader, _ elementCount: inout Int) throws(WireFault) -> AttributeValue {
    var check = reader
    _ = try check.validateValue(depth: 1, &elementCount)
    return try built(value: [reader])
  }

  /// The occurrences of a singular message field. Protobuf merges them as if their bytes stood one after the other.
  typealias Pieces = [WireReader]

  private static func built(attribute reader: WireReader) throws(WireFault) -> Attribute {
    var reader = reader
    var attribute = Attribute("", .absent)
    var pieces: Pieces = []
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      switch head {
      case AttributeField.key: attribute.key = try reader.string()
      case AttributeField.value: pieces.append(try reader.message())
      default: try reader.keepUnknown(head, from: start, in: &attribute.unknownFields)
      }
    }
    if !pieces.isEmpty { attribute.value = try built(value: pieces) }
    return attribute
  }

  /// The arm of the oneof that came last.
  private enum Arm {
    case none, scalar, array, map
  }

  /// Builds a value whose bytes have been checked, so its depth is bounded.
  private static func built(value pieces: Pieces) throws(WireFault) -> AttributeValue {
    var arm = Arm.none
    var scalar = AttributeValue.empty
    // The pieces of the message arm that came last; another arm between two of them begins anew.
    var inner: Pieces = []
    var hasUnknownFields = false
    for piece in pieces {
      var reader = piece
      while !reader.isAtEnd {
        let head = try reader.head()
        switch head {
        case ValueField.string: (arm, scalar) = (.scalar, .string(try reader.string()))
        case ValueField.bool: (arm, scalar) = (.scalar, .bool(try reader.varint() != 0))
        case ValueField.int: (arm, scalar) = (.scalar, .int(Int64(bitPattern: try reader.varint())))
        case ValueField.double: (arm, scalar) = (.scalar, .double(Double(bitPattern: try reader.fixed64())))
        case ValueField.bytes:
          let place = try reader.blob()
          (arm, scalar) = (.scalar, .bytes(reader.bytes(place.lowerBound, place.upperBound).array))
        case ValueField.array:
          if arm != .array { inner.removeAll(keepingCapacity: true) }
          arm = .array
          inner.append(try reader.message())
        case ValueField.map:
          if arm != .map { inner.removeAll(keepingCapacity: true) }
          arm = .map
          inner.append(try reader.message())
        default:
          hasUnknownFields = true
          try reader.skip(head)
        }
      }
    }
    if hasUnknownFields { return .opaque(joined(pieces)) }
    switch arm {
    case .none: return .empty
    case .scalar: return scalar
    case .array:
      var elements: [AttributeValue] = []
      let isKnown = try forEachElement(of: inner) { (reader: WireReader) throws(WireFault) in
        elements.append(try built(value: [reader]))
      }
      return isKnown ? .array(elements) : .opaque(joined(pieces))
    case .map:
      var entries: [Attribute] = []
      let isKnown = try forEachElement(of: inner) { (reader: WireReader) throws(WireFault) in
        entries.append(try built(attribute: reader))
      }
      return isKnown ? .map(entries) : .opaque(joined(pieces))
    }
  }

  private static func joined(_ pieces: Pieces) -> [UInt8] {
    pieces.reduce(into: []) { $0.append(contentsOf: $1.rest) }
  }

  /// Visits the elements of an `ArrayValue` or `KeyValueList`; false when it holds other fields too.
  private static func forEachElement(
    of pieces: Pieces, _ body: (WireReader) throws(WireFault) -> Void
  ) throws(WireFault) -> Bool {
    var isKnown = true
    for piece in pieces {
      var reader = piece
      while !reader.isAtEnd {
        let head = try reader.head()
        if head == ListField.element {
          try body(try reader.message())
        } else {
          isKnown = false
          try reader.skip(head)
        }
      }
    }
    return isKnown
  }
}
