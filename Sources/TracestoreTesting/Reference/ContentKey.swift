public import TraceModel

/// The identity of a (resource, scope, span) triple: equal exactly when the triples are equal field by field, texts by
/// their UTF-8 bytes, doubles by their bits, attribute order and duplicate keys included.
///
/// Swift's own `==` on strings calls "é" and "e" + U+0301 equal; content identity must not.
public struct ContentKey: Hashable, Comparable, Sendable {
  /// Every field in a fixed order, each with its length, so that no two triples share an encoding.
  public let bytes: [UInt8]

  public init(_ resource: Resource, _ scope: InstrumentationScope, _ span: SpanRecord) {
    var encoder = ContentEncoder()
    encoder.add(resource)
    encoder.add(scope)
    encoder.add(span)
    bytes = encoder.bytes
  }

  init(_ encode: (inout ContentEncoder) -> Void) {
    var encoder = ContentEncoder()
    encode(&encoder)
    bytes = encoder.bytes
  }

  public static func < (left: ContentKey, right: ContentKey) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }

  /// FNV-1a over the bytes: a short name, not an identity.
  var hash64: UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return hash
  }

  /// The distinct triples of some batches: what a lossless store has to give back.
  public static func set(of data: some Sequence<TraceData>) -> Set<ContentKey> {
    var keys: Set<ContentKey> = []
    for batch in data {
      batch.forEachSpan { keys.insert(ContentKey($0, $1, $2)) }
    }
    return keys
  }
}

/// Writes model values as unambiguous bytes.
struct ContentEncoder {
  var bytes: [UInt8] = []

  mutating func add(_ value: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
  }

  mutating func add(_ count: Int) { add(UInt64(count)) }

  mutating func add(_ text: String) {
    add(text.utf8.count)
    bytes.append(contentsOf: text.utf8)
  }

  mutating func add(_ value: [UInt8]) {
    add(value.count)
    bytes.append(contentsOf: value)
  }

  /// Absent is told apart from every present number.
  mutating func add(_ value: UInt64?) {
    bytes.append(value == nil ? 0 : 1)
    if let value { add(value) }
  }

  mutating func add(_ value: AttributeValue) {
    switch value {
    case .absent: bytes.append(0)
    case .empty: bytes.append(1)
    case .string(let text):
      bytes.append(2)
      add(text)
    case .bool(let flag): bytes.append(flag ? 4 : 3)
    case .int(let number):
      bytes.append(5)
      add(UInt64(bitPattern: number))
    case .double(let number):
      bytes.append(6)
      add(number.bitPattern)
    case .bytes(let content):
      bytes.append(7)
      add(content)
    case .array(let values):
      bytes.append(8)
      add(values.count)
      for value in values { add(value) }
    case .map(let attributes):
      bytes.append(9)
      add(attributes)
    case .opaque(let content):
      bytes.append(10)
      add(content)
    }
  }

  mutating func add(_ attributes: [Attribute]) {
    add(attributes.count)
    for attribute in attributes {
      add(attribute.key)
      add(attribute.value)
      add(attribute.unknownFields)
    }
  }

  mutating func add(_ resource: Resource) {
    add(resource.attributes)
    add(UInt64(resource.droppedAttributeCount))
    add(resource.entityReferences.count)
    for reference in resource.entityReferences { add(reference) }
    add(resource.schemaURL)
    add(resource.unknownFields)
    add(resource.envelopeUnknownFields)
  }

  mutating func add(_ scope: InstrumentationScope) {
    add(scope.name)
    add(scope.version)
    add(scope.attributes)
    add(UInt64(scope.droppedAttributeCount))
    add(scope.schemaURL)
    add(scope.unknownFields)
    add(scope.envelopeUnknownFields)
  }

  mutating func add(_ span: SpanRecord) {
    add(span.traceID.high)
    add(span.traceID.low)
    add(span.spanID.rawValue)
    add(span.traceState)
    add(span.parentSpanID?.rawValue)
    add(span.name)
    add(UInt64(UInt32(bitPattern: span.kind.rawValue)))
    add(span.start.nanoseconds)
    add(span.end.nanoseconds)
    add(span.attributes)
    add(UInt64(span.droppedAttributeCount))
    add(span.events.count)
    for event in span.events { add(event) }
    add(UInt64(span.droppedEventCount))
    add(span.links.count)
    for link in span.links { add(link) }
    add(UInt64(span.droppedLinkCount))
    bytes.append(span.status == nil ? 0 : 1)
    if let status = span.status {
      add(UInt64(UInt32(bitPattern: status.code.rawValue)))
      add(status.message)
      add(status.unknownFields)
    }
    add(UInt64(span.flags))
    add(span.unknownFields)
  }
  mutating func add(_ event: SpanEvent) {
    add(event.time.nanoseconds)
    add(event.name)
    add(event.attributes)
    add(UInt64(event.droppedAttributeCount))
    add(event.unknownFields)
  }

  mutating func add(_ link: SpanLink) {
    add(link.traceID?.high)
    add(link.traceID?.low)
    add(link.spanID?.rawValue)
    add(link.traceState)
    add(link.attributes)
    add(UInt64(link.droppedAttributeCount))
    add(UInt64(link.flags))
    add(link.unknownFields)
  }
}
