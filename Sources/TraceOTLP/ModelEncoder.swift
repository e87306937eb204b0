import TraceModel

/// Writes model values as canonical protobuf, last field first.
struct ModelEncoder: ~Copyable {
  var writer = ReverseWriter()
  /// Unknown fields as they came, or sorted by number and bytes where bytes stand for identity.
  let sortsUnknownFields: Bool

  init(sortsUnknownFields: Bool = false) { self.sortsUnknownFields = sortsUnknownFields }

  private mutating func unknown(_ fields: [UInt8]) {
    guard !fields.isEmpty else { return }
    writer.prepend(sortsUnknownFields ? UnknownFields.sorted(fields) : fields)
  }

  mutating func envelope(of resource: Resource, _ scopes: (inout ModelEncoder) -> Void) {
    unknown(resource.envelopeUnknownFields)
    writer.field(ResourceSpansField.schemaURL, text: resource.schemaURL)
    scopes(&self)
    let mark = writer.count
    body(resource)
    if writer.count > mark { writer.close(ResourceSpansField.resource, since: mark) }
  }

  mutating func envelope(of scope: InstrumentationScope, _ spans: (inout ModelEncoder) -> Void) {
    unknown(scope.envelopeUnknownFields)
    writer.field(ScopeSpansField.schemaURL, text: scope.schemaURL)
    spans(&self)
    let mark = writer.count
    body(scope)
    if writer.count > mark { writer.close(ScopeSpansField.scope, since: mark) }
  }

  mutating func body(_ resource: Resource) {
    unknown(resource.unknownFields)
    for reference in resource.entityReferences.reversed() {
      writer.presentField(ResourceField.entityReference, bytes: reference)
    }
    writer.field(ResourceField.droppedAttributeCount, varint: UInt64(resource.droppedAttributeCount))
    attributes(resource.attributes, ResourceField.attribute)
  }

  mutating func body(_ scope: InstrumentationScope) {
    unknown(scope.unknownFields)
    writer.field(ScopeField.droppedAttributeCount, varint: UInt64(scope.droppedAttributeCount))
    attributes(scope.attributes, ScopeField.attribute)
    writer.field(ScopeField.version, text: scope.version)
    writer.field(ScopeField.name, text: scope.name)
  }

  mutating func body(_ span: SpanRecord) {
    unknown(span.unknownFields)
    writer.field(SpanField.flags, fixed32: span.flags)
    if let status = span.status {
      let mark = writer.count
      unknown(status.unknownFields)
      writer.field(StatusField.code, varint: UInt64(bitPattern: Int64(status.code.rawValue)))
      writer.field(StatusField.message, text: status.message)
      writer.close(SpanField.status, since: mark)
    }
    writer.field(SpanField.droppedLinkCount, varint: UInt64(span.droppedLinkCount))
    for link in span.links.reversed() {
      let mark = writer.count
      body(link)
      writer.close(SpanField.link, since: mark)
    }
    writer.field(SpanField.droppedEventCount, varint: UInt64(span.droppedEventCount))
    for event in span.events.reversed() {
      let mark = writer.count
      body(event)
      writer.close(SpanField.event, since: mark)
    }
    writer.field(SpanField.droppedAttributeCount, varint: UInt64(span.droppedAttributeCount))
    attributes(span.attributes, SpanField.attribute)
    writer.field(SpanField.end, fixed64: span.end.nanoseconds)
    writer.field(SpanField.start, fixed64: span.start.nanoseconds)
    writer.field(SpanField.kind, varint: UInt64(bitPattern: Int64(span.kind.rawValue)))
    writer.field(SpanField.name, text: span.name)
    if let parent = span.parentSpanID { id(parent, SpanField.parentSpanID) }
    writer.field(SpanField.traceState, text: span.traceState)
    id(span.spanID, SpanField.spanID)
    id(span.traceID, SpanField.traceID)
  }

  private mutating func body(_ event: SpanEvent) {
    unknown(event.unknownFields)
    writer.field(EventField.droppedAttributeCount, varint: UInt64(event.droppedAttributeCount))
    attributes(event.attributes, EventField.attribute)
    writer.field(EventField.name, text: event.name)
    writer.field(EventField.time, fixed64: event.time.nanoseconds)
  }

  private mutating func body(_ link: SpanLink) {
    unknown(link.unknownFields)
    writer.field(LinkField.flags, fixed32: link.flags)
    writer.field(LinkField.droppedAttributeCount, varint: UInt64(link.droppedAttributeCount))
    attributes(link.attributes, LinkField.attribute)
    writer.field(LinkField.traceState, text: link.traceState)
    if let spanID = link.spanID { id(spanID, LinkField.spanID) }
    if let traceID = link.traceID { id(traceID, LinkField.traceID) }
  }

  private mutating func attributes(_ attributes: [Attribute], _ head: UInt32) {
    for attribute in attributes.reversed() {
      let mark = writer.count
      body(attribute)
      writer.close(head, since: mark)
    }
  }

  mutating func body(_ attribute: Attribute) {
    unknown(attribute.unknownFields)
    if case .absent = attribute.value {
    } else {
      let mark = writer.count
      body(attribute.value)
      writer.close(AttributeField.value, since: mark)
    }
    writer.field(AttributeField.key, text: attribute.key)
  }

  mutating func body(_ value: AttributeValue) {
    switch value {
    case .absent, .empty: break
    case .string(let text): writer.presentField(ValueField.string, text: text)
    case .bool(let value):
      writer.prepend(varint: value ? 1 : 0)
      writer.prepend(head: ValueField.bool)
    case .int(let value):
      writer.prepend(varint: UInt64(bitPattern: value))
      writer.prepend(head: ValueField.int)
    case .double(let value):
      writer.prepend(fixed64: value.bitPattern)
      writer.prepend(head: ValueField.double)
    case .bytes(let bytes): writer.presentField(ValueField.bytes, bytes: bytes)
    case .array(let elements):
      let mark = writer.count
      for element in elements.reversed() {
        let mark = writer.count
        body(element)
        writer.close(ListField.element, since: mark)
      }
      writer.close(ValueField.array, since: mark)
    case .map(let entries):
      let mark = writer.count
      attributes(entries, ListField.element)
      writer.close(ValueField.map, since: mark)
    case .opaque(let bytes): writer.prepend(bytes)
    }
  }

  private mutating func id(_ id: SpanID, _ head: UInt32) {
    writer.prepend(fixed64: id.rawValue.byteSwapped)
    writer.prepend(varint: 8)
    writer.prepend(head: head)
  }

  private mutating func id(_ id: TraceID, _ head: UInt32) {
    writer.prepend(fixed64: id.low.byteSwapped)
    writer.prepend(fixed64: id.high.byteSwapped)
    writer.prepend(varint: 16)
    writer.prepend(head: head)
  }
}

/// Fields that the model does not know, as the bytes they came in.
enum UnknownFields {
  /// The same fields ordered by number, then by bytes. Bytes that are no fields stay together, at the end.
  static func sorted(_ bytes: [UInt8]) -> [UInt8] {
    bytes.withUnsafeBytes { buffer in
      var reader = WireReader(buffer)
      var fields: [(number: UInt32, range: Range<Int>)] = []
      while !reader.isAtEnd {
        let start = reader.place
        do throws(WireFault) {
          let head = try reader.head()
          try reader.skip(head)
          fields.append((head >> 3, start..<reader.place))
        } catch {
          fields.append((UInt32.max, start..<buffer.count))
          break
        }
      }
      fields.sort { left, right in
        left.number != right.number
          ? left.number < right.number : buffer[left.range].lexicographicallyPrecedes(buffer[right.range])
      }
      return fields.reduce(into: []) { $0 += buffer[$1.range] }
    }
  }
}
