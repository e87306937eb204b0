import TraceBytes
import TraceModel

/// Builds model values from wire messages. Counts what one request holds, so that limits bind across its messages.
struct ModelDecoder {
  private var spanCount = 0
  /// Those of spans that were left out do not count.
  private var elementCount = 0

  /// Decodes a request. With a list in `refusals`, spans with unusable ids go there; with nil the first one throws.
  static func request(_ reader: WireReader, _ refusals: inout [OTLP.Refusal]?) throws(WireFault) -> TraceData {
    guard reader.end <= Limits.maximumRequestByteCount else { throw WireFault(offset: 0, reason: .largeRequest) }
    var decoder = ModelDecoder()
    var reader = reader
    var data = TraceData()
    while !reader.isAtEnd {
      let head = try reader.head()
      if head == RequestField.resourceSpans {
        data.resourceSpans.append(try decoder.resourceSpans(try reader.message(), &refusals))
      } else {
        try reader.skip(head)
      }
    }
    return data
  }

  private mutating func countElement(at offset: Int) throws(WireFault) {
    try WireFault.count(&elementCount, at: offset)
  }

  private mutating func resourceSpans(
    _ reader: WireReader, _ refusals: inout [OTLP.Refusal]?
  ) throws(WireFault) -> ResourceSpans {
    try countElement(at: reader.place)
    var reader = reader
    var group = ResourceSpans()
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      switch head {
      case ResourceSpansField.resource:
        try countElement(at: start)
        try Self.merge(try reader.message(), into: &group.resource, &elementCount)
      case ResourceSpansField.scopeSpans: group.scopeSpans.append(try scopeSpans(try reader.message(), &refusals))
      case ResourceSpansField.schemaURL: group.resource.schemaURL = try reader.string()
      default: try reader.keepUnknown(head, from: start, in: &group.resource.envelopeUnknownFields)
      }
    }
    return group
  }

  private mutating func scopeSpans(
    _ reader: WireReader, _ refusals: inout [OTLP.Refusal]?
  ) throws(WireFault) -> ScopeSpans {
    try countElement(at: reader.place)
    var reader = reader
    var group = ScopeSpans()
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      switch head {
      case ScopeSpansField.scope:
        try countElement(at: start)
        try Self.merge(try reader.message(), into: &group.scope, &elementCount)
      case ScopeSpansField.span:
        guard spanCount < Limits.maximumSpanCount else { throw WireFault(offset: start, reason: .manySpans) }
        let mark = elementCount
        let (span, fault) = try span(try reader.message())
        if let fault {
          elementCount = mark
          guard refusals != nil else { throw WireFault(offset: start, reason: fault) }
          let reason = fault == .badTraceID ? OTLP.Refusal.traceID : OTLP.Refusal.spanID
          refusals?.append(OTLP.Refusal(spanIndex: spanCount, reason: reason))
        } else {
          group.spans.append(span)
        }
        spanCount += 1
      case ScopeSpansField.schemaURL: group.scope.schemaURL = try reader.string()
      default: try reader.keepUnknown(head, from: start, in: &group.scope.envelopeUnknownFields)
      }
    }
    return group
  }

  static func merge(
    _ reader: WireReader, into resource: inout Resource, _ elementCount: inout Int
  ) throws(WireFault) {
    var reader = reader
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      switch head {
      case ResourceField.attribute:
        guard resource.attributes.count < Limits.maximumAttributeCount else {
          throw WireFault(offset: start, reason: .manyAttributes)
        }
        try WireFault.count(&elementCount, at: start)
        resource.attributes.append(try attribute(try reader.message(), &elementCount))
      case ResourceField.droppedAttributeCount: resource.droppedAttributeCount = try reader.uint32()
      case ResourceField.entityReference:
        try WireFault.count(&elementCount, at: start)
        var inner = try reader.message()
        resource.entityReferences.append(inner.rest.array)
        try inner.validateEntityReference()
      default: try reader.keepUnknown(head, from: start, in: &resource.unknownFields)
      }
    }
  }

  static func merge(
    _ reader: WireReader, into scope: inout InstrumentationScope, _ elementCount: inout Int
  ) throws(WireFault) {
    var reader = reader
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      switch head {
      case ScopeField.name: scope.name = try reader.string()
      case ScopeField.version: scope.version = try reader.string()
      case ScopeField.attribute:
        guard scope.attributes.count < Limits.maximumAttributeCount else {
          throw WireFault(offset: start, reason: .manyAttributes)
        }
        try WireFault.count(&elementCount, at: start)
        scope.attributes.append(try attribute(try reader.message(), &elementCount))
      case ScopeField.droppedAttributeCount: scope.droppedAttributeCount = try reader.uint32()
      default: try reader.keepUnknown(head, from: start, in: &scope.unknownFields)
      }
    }
  }

  private mutating func append(
    _ reader: WireReader, to attributes: inout [Attribute]
  ) throws(WireFault) {
    guard attributes.count < Limits.maximumAttributeCount else {
      throw WireFault(offset: reader.place, reason: .manyAttributes)
    }
    try countElement(at: reader.place)
    attributes.append(try Self.attribute(reader, &elementCount))
  }

  /// A span, and what is wrong with its ids. Everything else in it has been checked either way.
  mutating func span(_ reader: WireReader) throws(WireFault) -> (SpanRecord, WireFault.Reason?) {
    var reader = reader
    var span = SpanRecord(traceID: TraceID(high: 0, low: 0), spanID: SpanID(0))
    var hasTraceID = false
    var hasSpanID = false
    var parent = OddField()
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      switch head {
      case SpanField.traceID:
        let id = try reader.message().traceID
        hasTraceID = id != nil
        span.traceID = id ?? TraceID(high: 0, low: 0)
      case SpanField.spanID:
        let id = try reader.message().spanID
        hasSpanID = id != nil
        span.spanID = id ?? SpanID(0)
      case SpanField.traceState: span.traceState = try reader.string()
      case SpanField.parentSpanID:
        let bytes = try reader.message()
        span.parentSpanID = bytes.spanID
        parent.note(isOdd: ![0, 8].contains(bytes.rest.count), reader.bytes(start, reader.place), span.unknownFields)
      case SpanField.name: span.name = try reader.string()
      case SpanField.kind: span.kind = SpanKind(rawValue: try reader.int32())
      case SpanField.start: span.start = Timestamp(nanoseconds: try reader.fixed64())
      case SpanField.end: span.end = Timestamp(nanoseconds: try reader.fixed64())
      case SpanField.attribute: try append(try reader.message(), to: &span.attributes)
      case SpanField.droppedAttributeCount: span.droppedAttributeCount = try reader.uint32()
      case SpanField.event:
        try countElement(at: start)
        span.events.append(try event(try reader.message()))
      case SpanField.droppedEventCount: span.droppedEventCount = try reader.uint32()
      case SpanField.link:
        try countElement(at: start)
        span.links.append(try link(try reader.message()))
      case SpanField.droppedLinkCount: span.droppedLinkCount = try reader.uint32()
      case SpanField.status:
        var status = span.status ?? SpanStatus()
        span.status = nil
        try Self.merge(try reader.message(), into: &status)
        span.status = status
      case SpanField.flags: span.flags = try reader.fixed32()
      default: try reader.keepUnknown(head, from: start, in: &span.unknownFields)
      }
    }
    parent.insert(into: &span.unknownFields)
    if !hasTraceID || span.traceID.isZero { return (span, .badTraceID) }
    if !hasSpanID || span.spanID.isZero { return (span, .badSpanID) }
    return (span, nil)
  }

  private mutating func event(_ reader: WireReader) throws(WireFault) -> SpanEvent {
    var reader = reader
    var event = SpanEvent()
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      switch head {
      case EventField.time: event.time = Timestamp(nanoseconds: try reader.fixed64())
      case EventField.name: event.name = try reader.string()
      case EventField.attribute: try append(try reader.message(), to: &event.attributes)
      case EventField.droppedAttributeCount: event.droppedAttributeCount = try reader.uint32()
      default: try reader.keepUnknown(head, from: start, in: &event.unknownFields)
      }
    }
    return event
  }

  private mutating func link(_ reader: WireReader) throws(WireFault) -> SpanLink {
    var reader = reader
    var link = SpanLink()
    var odd = (trace: OddField(), span: OddField())
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      switch head {
      case LinkField.traceID:
        let bytes = try reader.message()
        link.traceID = bytes.traceID
        odd.trace.note(
          isOdd: ![0, 16].contains(bytes.rest.count), reader.bytes(start, reader.place), link.unknownFields)
      case LinkField.spanID:
        let bytes = try reader.message()
        link.spanID = bytes.spanID
        odd.span.note(isOdd: ![0, 8].contains(bytes.rest.count), reader.bytes(start, reader.place), link.unknownFields)
      case LinkField.traceState: link.traceState = try reader.string()
      case LinkField.attribute: try append(try reader.message(), to: &link.attributes)
      case LinkField.droppedAttributeCount: link.droppedAttributeCount = try reader.uint32()
      case LinkField.flags: link.flags = try reader.fixed32()
      default: try reader.keepUnknown(head, from: start, in: &link.unknownFields)
      }
    }
    OddField.insert(odd.trace, odd.span, into: &link.unknownFields)
    return link
  }

  private static func merge(_ reader: WireReader, into status: inout SpanStatus) throws(WireFault) {
    var reader = reader
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      switch head {
      case StatusField.message: status.message = try reader.string()
      case StatusField.code: status.code = SpanStatus.Code(rawValue: try reader.int32())
      default: try reader.keepUnknown(head, from: start, in: &status.unknownFields)
      }
    }
  }
}

/// An id of a length that no id has: its field stands among the unknown ones, at the place where it came.
/// A later occurrence replaces it, as for every scalar.
struct OddField {
  private var bytes: [UInt8] = []
  /// How many bytes of other unknown fields had come before it.
  private var offset = 0
  /// Where the field stands in the input: tells two odd fields of one message apart.
  private var place: UnsafeRawPointer?

  mutating func note(isOdd: Bool, _ field: UnsafeRawBufferPointer, _ unknownFields: [UInt8]) {
    bytes = isOdd ? field.array : []
    offset = unknownFields.count
    place = field.baseAddress
  }

  func insert(into unknownFields: inout [UInt8]) {
    if !bytes.isEmpty { unknownFields.insert(contentsOf: bytes, at: offset) }
  }

  static func insert(_ first: OddField, _ second: OddField, into unknownFields: inout [UInt8]) {
    guard let left = first.place, let right = second.place, right < left else {
      // The later one goes in first, so that the offset of the earlier one stays true.
      second.insert(into: &unknownFields)
      first.insert(into: &unknownFields)
      return
    }
    first.insert(into: &unknownFields)
    second.insert(into: &unknownFields)
  }
}

extension WireReader {
  mutating func string() throws(WireFault) -> String {
    let place = try text()
    return String(decoding: bytes(place.lowerBound, place.upperBound), as: UTF8.self)
  }

  /// Proto3 keeps the low bits of a varint that is wider than its field.
  @inline(__always)
  mutating func uint32() throws(WireFault) -> UInt32 { UInt32(truncatingIfNeeded: try varint()) }

  @inline(__always)
  mutating func int32() throws(WireFault) -> Int32 { Int32(truncatingIfNeeded: try varint()) }

  mutating func keepUnknown(_ head: UInt32, from start: Int, in fields: inout [UInt8]) throws(WireFault) {
    try skip(head)
    fields.append(contentsOf: bytes(start, place))
  }

  /// The whole message as a trace id, if it has the length of one.
  var traceID: TraceID? {
    guard end &- place == 16 else { return nil }
    return TraceID(
      high: UInt64(bigEndian: base.loadUnaligned(fromByteOffset: place, as: UInt64.self)),
      low: UInt64(bigEndian: base.loadUnaligned(fromByteOffset: place &+ 8, as: UInt64.self)))
  }

  /// The whole message as a span id, if it has the length of one.
  var spanID: SpanID? {
    guard end &- place == 8 else { return nil }
    return SpanID(UInt64(bigEndian: base.loadUnaligned(fromByteOffset: place, as: UInt64.self)))
  }
}
