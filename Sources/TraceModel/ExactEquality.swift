// Equality of model values is equality of content: texts by their UTF-8 bytes, doubles by their bits. Swift compares
// strings by canonical equivalence, under which two different service names could be one.

private func areEqual(_ left: String, _ right: String) -> Bool {
  guard left.utf8.count == right.utf8.count else { return false }
  // Records that were read share the texts of their resources and scopes, which then are one place in memory.
  let areEqual = left.utf8.withContiguousStorageIfAvailable { left in
    right.utf8.withContiguousStorageIfAvailable { right in
      left.baseAddress == right.baseAddress || left.elementsEqual(right)
    }
  }
  return (areEqual ?? nil) ?? left.utf8.elementsEqual(right.utf8)
}

extension Attribute {
  public static func == (left: Attribute, right: Attribute) -> Bool {
    areEqual(left.key, right.key) && left.value == right.value && left.unknownFields == right.unknownFields
  }
}

extension SpanRecord {
  public static func == (left: SpanRecord, right: SpanRecord) -> Bool {
    left.traceID == right.traceID && left.spanID == right.spanID && left.parentSpanID == right.parentSpanID
      && left.start == right.start && left.end == right.end && left.kind == right.kind && left.flags == right.flags
      && areEqual(left.name, right.name) && areEqual(left.traceState, right.traceState)
      && left.droppedAttributeCount == right.droppedAttributeCount
      && left.droppedEventCount == right.droppedEventCount && left.droppedLinkCount == right.droppedLinkCount
      && left.status == right.status && left.unknownFields == right.unknownFields
      && left.attributes == right.attributes && left.events == right.events && left.links == right.links
  }
}

extension SpanStatus {
  public static func == (left: SpanStatus, right: SpanStatus) -> Bool {
    left.code == right.code && areEqual(left.message, right.message) && left.unknownFields == right.unknownFields
  }
}

extension SpanEvent {
  public static func == (left: SpanEvent, right: SpanEvent) -> Bool {
    left.time == right.time && areEqual(left.name, right.name) && left.attributes == right.attributes
      && left.droppedAttributeCount == right.droppedAttributeCount && left.unknownFields == right.unknownFields
  }
}

extension SpanLink {
  public static func == (left: SpanLink, right: SpanLink) -> Bool {
    left.traceID == right.traceID && left.spanID == right.spanID && areEqual(left.traceState, right.traceState)
      && left.flags == right.flags && left.attributes == right.attributes
      && left.droppedAttributeCount == right.droppedAttributeCount && left.unknownFields == right.unknownFields
  }
}

extension Resource {
  public static func == (left: Resource, right: Resource) -> Bool {
    left.attributes == right.attributes && left.droppedAttributeCount == right.droppedAttributeCount
      && left.entityReferences == right.entityReferences && areEqual(left.schemaURL, right.schemaURL)
      && left.unknownFields == right.unknownFields && left.envelopeUnknownFields == right.envelopeUnknownFields
  }
}

extension InstrumentationScope {
  public static func == (left: InstrumentationScope, right: InstrumentationScope) -> Bool {
    areEqual(left.name, right.name) && areEqual(left.version, right.version) && left.attributes == right.attributes
      && left.droppedAttributeCount == right.droppedAttributeCount && areEqual(left.schemaURL, right.schemaURL)
      && left.unknownFields == right.unknownFields && left.envelopeUnknownFields == right.envelopeUnknownFields
  }
}
