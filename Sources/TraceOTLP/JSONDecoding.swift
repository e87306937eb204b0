import TraceBytes
import TraceModel
import TraceText

/// Builds model values from OTLP/JSON.
struct JSONDecoding {
  var reader: JSONReader
  /// Refused spans, or nil when the first one ends the request.
  var refusals: [OTLP.Refusal]?
  private var spanCount = 0
  /// Those of spans that were left out do not count.
  private var elementCount = 0

  init(reader: JSONReader, refusals: [OTLP.Refusal]?) {
    self.reader = reader
    self.refusals = refusals
  }

  mutating func data() throws -> TraceData {
    var data = TraceData()
    guard try reader.peek() == .object else { throw reader.failure("a request is an object") }
    try object { decoder, key in
      guard key == "resourceSpans" else { return false }
      try decoder.list { data.resourceSpans.append(try $0.resourceSpans()) }
      return true
    }
    try reader.finish()
    return data
  }

  private mutating func countElement() throws {
    guard elementCount < Limits.maximumElementCount else {
      throw WireFault(offset: reader.offset, reason: .manyElements)
    }
    elementCount += 1
  }

  private mutating func resourceSpans() throws -> ResourceSpans {
    try countElement()
    var group = ResourceSpans()
    try object { decoder, key in
      switch key {
      case "resource": try decoder.resource(&group.resource)
      case "scopeSpans": try decoder.list { group.scopeSpans.append(try $0.scopeSpans()) }
      case "schemaUrl": group.resource.schemaURL = try decoder.text()
      default: return false
      }
      return true
    }
    return group
  }

  private mutating func scopeSpans() throws -> ScopeSpans {
    try countElement()
    var group = ScopeSpans()
    try object { decoder, key in
      switch key {
      case "scope": try decoder.scope(&group.scope)
      case "spans": try decoder.list { if let span = try $0.acceptedSpan() { group.spans.append(span) } }
      case "schemaUrl": group.scope.schemaURL = try decoder.text()
      default: return false
      }
      return true
    }
    return group
  }

  private mutating func resource(_ resource: inout Resource) throws {
    try object { decoder, key in
      switch key {
      case "attributes": try decoder.attributes(&resource.attributes)
      case "droppedAttributesCount": resource.droppedAttributeCount = try decoder.integer()
      case "entityRefs": try decoder.list { resource.entityReferences.append(try $0.entityReference()) }
      default: return false
      }
      return true
    }
  }

  private mutating func entityReference() throws -> [UInt8] {
    try countElement()
    var reference = EntityReference()
    try object { decoder, key in
      switch key {
      case "schemaUrl": reference.schemaURL = try decoder.text()
      case "type": reference.type = try decoder.text()
      case "idKeys": try decoder.texts(&reference.idKeys)
      case "descriptionKeys": try decoder.texts(&reference.descriptionKeys)
      default: return false
      }
      return true
    }
    return reference.bytes
  }

  private mutating func texts(_ texts: inout [String]) throws {
    try list { decoder in
      try decoder.countElement()
      texts.append(try decoder.text())
    }
  }

  private mutating func scope(_ scope: inout InstrumentationScope) throws {
    try object { decoder, key in
      switch key {
      case "name": scope.name = try decoder.text()
      case "version": scope.version = try decoder.text()
      case "attributes": try decoder.attributes(&scope.attributes)
      case "droppedAttributesCount": scope.droppedAttributeCount = try decoder.integer()
      default: return false
      }
      return true
    }
  }

  private mutating func acceptedSpan() throws -> SpanRecord? {
    let start = reader.offset
    guard spanCount < Limits.maximumSpanCount else { throw WireFault(offset: start, reason: .manySpans) }
    defer { spanCount += 1 }
    let mark = elementCount
    let (span, fault) = try span()
    guard let fault else { return span }
    elementCount = mark
    guard refusals != nil else { throw WireFault(offset: start, reason: fault) }
    let reason = fault == .badTraceID ? OTLP.Refusal.traceID : OTLP.Refusal.spanID
    refusals?.append(OTLP.Refusal(spanIndex: spanCount, reason: reason))
    return nil
  }

  private mutating func span() throws -> (SpanRecord, WireFault.Reason?) {
    var span = SpanRecord(traceID: TraceID(high: 0, low: 0), spanID: SpanID(0))
    try object { decoder, key in
      switch key {
      case "traceId": span.traceID = TraceID(bytes: try decoder.id()) ?? TraceID(high: 0, low: 0)
      case "spanId": span.spanID = SpanID(bytes: try decoder.id()) ?? SpanID(0)
      case "traceState": span.traceState = try decoder.text()
      case "parentSpanId":
        let id = try decoder.id()
        span.parentSpanID = SpanID(bytes: id)
        OddField.keep(id, SpanField.parentSpanID, unless: span.parentSpanID != nil, in: &span.unknownFields)
      case "name": span.name = try decoder.text()
      case "kind":
        span.kind = SpanKind(rawValue: try decoder.enumeration(prefix: "SPAN_KIND_") { SpanKind(word: $0)?.rawValue })
      case "startTimeUnixNano": span.start = Timestamp(nanoseconds: try decoder.integer())
      case "endTimeUnixNano": span.end = Timestamp(nanoseconds: try decoder.integer())
      case "attributes": try decoder.attributes(&span.attributes)
      case "droppedAttributesCount": span.droppedAttributeCount = try decoder.integer()
      case "events": try decoder.list { span.events.append(try $0.event()) }
      case "droppedEventsCount": span.droppedEventCount = try decoder.integer()
      case "links": try decoder.list { span.links.append(try $0.link()) }
      case "droppedLinksCount": span.droppedLinkCount = try decoder.integer()
      case "status": span.status = try decoder.status()
      case "flags": span.flags = try decoder.integer()
      default: return false
      }
      return true
    }
    return (span, span.traceID.isZero ? .badTraceID : span.spanID.isZero ? .badSpanID : nil)
  }

  private mutating func status() throws -> SpanStatus {
    var status = SpanStatus()
    try object { decoder, key in
      switch key {
      case "message": status.message = try decoder.text()
      case "code":
        status.code = SpanStatus.Code(
          rawValue: try decoder.enumeration(prefix: "STATUS_CODE_") { SpanStatus.Code(word: $0)?.rawValue })
      default: return false
      }
      return true
    }
    return status
  }

  private mutating func event() throws -> SpanEvent {
    try countElement()
    var event = SpanEvent()
    try object { decoder, key in
      switch key {
      case "timeUnixNano": event.time = Timestamp(nanoseconds: try decoder.integer())
      case "name": event.name = try decoder.text()
      case "attributes": try decoder.attributes(&event.attributes)
      case "droppedAttributesCount": event.droppedAttributeCount = try decoder.integer()
      default: return false
      }
      return true
    }
    return event
  }

  private mutating func link() throws -> SpanLink {
    try countElement()
    var link = SpanLink()
    try object { decoder, key in
      switch key {
      case "traceId":
        let id = try decoder.id()
        link.traceID = TraceID(bytes: id)
        OddField.keep(id, LinkField.traceID, unless: link.traceID != nil, in: &link.unknownFields)
      case "spanId":
        let id = try decoder.id()
        link.spanID = SpanID(bytes: id)
        OddField.keep(id, LinkField.spanID, unless: link.spanID != nil, in: &link.unknownFields)
      case "traceState": link.traceState = try decoder.text()
      case "attributes": try decoder.attributes(&link.attributes)
      case "droppedAttributesCount": link.droppedAttributeCount = try decoder.integer()
      case "flags": link.flags = try decoder.integer()
      default: return false
      }
      return true
    }
    return link
  }

  private mutating func attributes(_ attributes: inout [Attribute]) throws {
    try list { decoder in
      guard attributes.count < Limits.maximumAttributeCount else {
        throw WireFault(offset: decoder.reader.offset, reason: .manyAttributes)
      }
      try decoder.countElement()
      attributes.append(try decoder.attribute(depth: 1))
    }
  }

  private mutating func attribute(depth: Int) throws -> Attribute {
    var attribute = Attribute("", .absent)
    try object { decoder, key in
      switch key {
      case "key": attribute.key = try decoder.text()
      case "value": attribute.value = try decoder.value(depth: depth)
      default: return false
      }
      return true
    }
    return attribute
  }

  private mutating func value(depth: Int) throws -> AttributeValue {
    guard depth <= Limits.maximumValueDepth else { throw WireFault(offset: reader.offset, reason: .deepValue) }
    var value = AttributeValue.empty
    try object { decoder, key in
      switch key {
      case "stringValue": value = .string(try decoder.text())
      case "boolValue": value = .bool(try decoder.bool())
      case "intValue": value = .int(try decoder.integer())
      case "doubleValue": value = .double(try decoder.double())
      case "bytesValue": value = .bytes(try decoder.base64())
      case "arrayValue":
        var elements: [AttributeValue] = []
        try decoder.values { decoder in
          try decoder.countElement()
          if try decoder.reader.peek() == .null {
            try decoder.reader.null()
            elements.append(.empty)
          } else {
            elements.append(try decoder.value(depth: depth + 1))
          }
        }
        value = .array(elements)
      case "kvlistValue":
        var entries: [Attribute] = []
        try decoder.values { decoder in
          try decoder.countElement()
          entries.append(try decoder.attribute(depth: depth + 1))
        }
        value = .map(entries)
      default: return false
      }
      return true
    }
    return value
  }

  /// The object that `arrayValue` and `kvlistValue` hold.
  private mutating func values(_ element: (inout JSONDecoding) throws -> Void) throws {
    try object { decoder, key in
      guard key == "values" else { return false }
      try decoder.list(element)
      return true
    }
  }
}
