import TraceBytes
import TraceModel
import TraceOTLP

/// Attribute values that stand as bytes, back into the model.
enum AttributeDecoding {
  static func attribute(
    _ key: String, _ type: AttributeType, _ bytes: UnsafeRawBufferPointer, _ place: ChunkPlace
  ) throws -> Attribute {
    guard type == .opaqueAttribute else { return Attribute(key, try value(type, bytes, place)) }
    let attribute = try place.naming { try OTLP.decodeAttribute(bytes) }
    guard attribute.key.utf8.elementsEqual(key.utf8) else { throw place.damage("a value names another key") }
    return attribute
  }

  static func value(
    _ type: AttributeType, _ bytes: UnsafeRawBufferPointer, _ place: ChunkPlace
  ) throws -> AttributeValue {
    try place.naming { try OTLP.value(type: type, bits: 0, bytes: bytes) }
  }
}
