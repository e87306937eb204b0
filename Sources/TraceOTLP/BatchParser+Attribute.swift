import TraceBytes
import TraceModel

extension BatchParser {
  /// Appends one attribute and counts it for its item.
  mutating func attribute(_ message: WireReader, _ count: inout UInt32) throws(WireFault) {
    guard Int(count) < Limits.maximumAttributeCount else {
      throw WireFault(offset: message.place, reason: .manyAttributes)
    }
    try WireFault.count(&elementCount, at: message.place)
    count &+= 1
    var reader = message
    var attribute = BatchAttribute(key: .empty, type: .absent, value: 0)
    var isRegular = true
    var hasValue = false
    var order = FieldOrder()
    while !reader.isAtEnd {
      let head = try reader.head()
      order.see(head, &isCanonical)
      if head == AttributeField.key {
        attribute.key = presentRange(try reader.text())
      } else if head == AttributeField.value {
        if hasValue {
          isRegular = false
          try WireFault.count(&elementCount, at: reader.place)
        }
        hasValue = true
        try value(try reader.message(), &attribute)
      } else {
        isRegular = false
        try reader.skip(head)
      }
    }
    if reader.sawLongForm { isCanonical = false }
    if !isRegular {
      isCanonical = false
      attribute = try irregularAttribute(message)
    }
    storage.attributes.append(attribute)
  }

  /// Reads an `AnyValue` at depth 1.
  @inline(__always)
  private mutating func value(_ message: WireReader, _ attribute: inout BatchAttribute) throws(WireFault) {
    var reader = message
    let mark = elementCount
    if reader.isAtEnd {
      (attribute.type, attribute.value) = (.empty, 0)
      return
    }
    switch try reader.head() {
    case ValueField.string:
      let place = try reader.text()
      if reader.isAtEnd {
        if reader.sawLongForm { isCanonical = false }
        (attribute.type, attribute.value) = (.string, range(place).packed)
        return
      }
    case ValueField.int:
      let value = try reader.varint()
      if reader.isAtEnd {
        if reader.sawLongForm { isCanonical = false }
        (attribute.type, attribute.value) = (.int, value)
        return
      }
    case ValueField.bool:
      let value = try reader.varint()
      if reader.isAtEnd {
        if reader.sawLongForm { isCanonical = false }
        if value > 1 { isCanonical = false }
        (attribute.type, attribute.value) = (.bool, value == 0 ? 0 : 1)
        return
      }
    case ValueField.double:
      let value = try reader.fixed64()
      if reader.isAtEnd {
        if reader.sawLongForm { isCanonical = false }
        (attribute.type, attribute.value) = (.double, value)
        return
      }
    case ValueField.bytes:
      let place = try reader.blob()
      if reader.isAtEnd {
        if reader.sawLongForm { isCanonical = false }
        (attribute.type, attribute.value) = (.bytes, range(place).packed)
        return
      }
    case ValueField.array:
      var list = try reader.message()
      if try list.validateArray(depth: 1, &elementCount), reader.isAtEnd, !reader.sawLongForm {
        (attribute.type, attribute.value) = (.array, range(message).packed)
        return
      }
    case ValueField.map:
      var list = try reader.message()
      if try list.validateMap(depth: 1, &elementCount), reader.isAtEnd, !reader.sawLongForm {
        (attribute.type, attribute.value) = (.map, range(message).packed)
        return
      }
    default: break
    }
    elementCount = mark
    try irregularValue(message, &attribute)
  }

  /// A value with several arms, with unknown fields, or not in canonical form.
  @inline(never)
  private mutating func irregularValue(
    _ message: WireReader, _ attribute: inout BatchAttribute
  ) throws(WireFault) {
    isCanonical = false
    let value = try ModelDecoder.value(message, &elementCount)
    if case .opaque = value {
      (attribute.type, attribute.value) = (.opaque, range(message).packed)
    } else {
      (attribute.type, attribute.value) = try keep(value)
    }
  }

  /// A pair whose value comes in pieces, or that has unknown fields.
  @inline(never)
  private mutating func irregularAttribute(_ message: WireReader) throws(WireFault) -> BatchAttribute {
    // It has been counted on the way here.
    var counted = 0
    let attribute = try ModelDecoder.attribute(message, &counted)
    let key = try keep(Array(attribute.key.utf8))
    if !attribute.unknownFields.isEmpty {
      let pair = try keep(OTLP.encode(attribute))
      return BatchAttribute(key: key, type: .opaqueAttribute, value: pair.packed)
    }
    let (type, bits) = try keep(attribute.value)
    return BatchAttribute(key: key, type: type, value: bits)
  }

  /// Writes a value to the batch's own bytes.
  private mutating func keep(_ value: AttributeValue) throws(WireFault) -> (AttributeType, UInt64) {
    switch value {
    case .absent: (.absent, 0)
    case .empty: (.empty, 0)
    case .string(let text): (.string, try keep(Array(text.utf8)).packed)
    case .bool(let value): (.bool, value ? 1 : 0)
    case .int(let value): (.int, UInt64(bitPattern: value))
    case .double(let value): (.double, value.bitPattern)
    case .bytes(let bytes): (.bytes, try keep(bytes).packed)
    case .array: (.array, try keep(OTLP.encode(value)).packed)
    case .map: (.map, try keep(OTLP.encode(value)).packed)
    case .opaque(let bytes): (.opaque, try keep(bytes).packed)
    }
  }
}
