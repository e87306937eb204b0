import TraceBytes
import TraceModel

/// Fills a batch's arrays from a request. What a flat range cannot say (a message in pieces, unknown fields between
/// known ones) is *irregular*: the message is read to its end, so that every error is found at its true offset, then
/// decoded into the model, written in canonical form and read again.
struct BatchParser {
  var storage: BatchStorage
  var refusals: [(spanIndex: Int, reason: String)] = []
  /// Added to a place in the bytes being read, it gives an offset in the batch's space.
  private var shift = 0
  private var spanIndex = 0
  /// What `Limits.maximumElementCount` bounds. Elements of spans that were left out do not count.
  var elementCount = 0
  /// False once the span being read says anything in another way than the canonical encoder would.
  var isCanonical = true

  init(storage: BatchStorage) { self.storage = storage }

  mutating func request(_ bytes: UnsafeRawBufferPointer) throws(WireFault) {
    guard bytes.count <= Limits.maximumRequestByteCount else { throw WireFault(offset: 0, reason: .largeRequest) }
    var reader = WireReader(bytes)
    storage.request = reader.base
    storage.requestByteCount = bytes.count
    while !reader.isAtEnd {
      let head = try reader.head()
      if head == RequestField.resourceSpans {
        try resourceSpans(try reader.message())
      } else {
        try reader.skip(head)
      }
    }
  }

  private mutating func resourceSpans(_ message: WireReader) throws(WireFault) {
    var reader = message
    let index = storage.resources.count
    try WireFault.count(&elementCount, at: message.place)
    storage.resources.append(BatchResource())
    var resource = BatchResource()
    var pieces: [WireReader] = []
    var hasResource = false
    var unknown = UnknownPieces()
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      switch head {
      case ResourceSpansField.resource:
        let piece = try reader.message()
        var check = piece
        try WireFault.count(&elementCount, at: start)
        try check.validateResource(&elementCount)
        if hasResource { pieces.append(piece) } else { resource.source = range(piece) }
        hasResource = true
      case ResourceSpansField.scopeSpans: try scopeSpans(try reader.message(), UInt32(truncatingIfNeeded: index))
      case ResourceSpansField.schemaURL: resource.schemaURL = range(try reader.text())
      default:
        try reader.skip(head)
        unknown.add(start, reader)
      }
    }
    if !pieces.isEmpty {
      var whole = Resource()
      var counted = 0
      try ModelDecoder.merge(reading(resource.source), into: &whole, &counted)
      for piece in pieces { try ModelDecoder.merge(piece, into: &whole, &counted) }
      resource.source = try keep(OTLP.encode(whole))
    }
    resource.envelopeUnknownFields = try keep(unknown)
    (storage.resources.base + index).pointee = resource
  }

  private mutating func scopeSpans(_ message: WireReader, _ resourceIndex: UInt32) throws(WireFault) {
    var reader = message
    let index = storage.scopes.count
    try WireFault.count(&elementCount, at: message.place)
    storage.scopes.append(BatchScope())
    var scope = BatchScope()
    var pieces: [WireReader] = []
    var hasScope = false
    var unknown = UnknownPieces()
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      switch head {
      case ScopeSpansField.scope:
        let piece = try reader.message()
        var check = piece
        try WireFault.count(&elementCount, at: start)
        try check.validateScope(&elementCount)
        if hasScope { pieces.append(piece) } else { scope.source = range(piece) }
        hasScope = true
      case ScopeSpansField.span:
        guard spanIndex < Limits.maximumSpanCount else { throw WireFault(offset: start, reason: .manySpans) }
        try span(try reader.message(), resourceIndex, UInt32(truncatingIfNeeded: index), isSecondReading: false)
        spanIndex &+= 1
      case ScopeSpansField.schemaURL: scope.schemaURL = range(try reader.text())
      default:
        try reader.skip(head)
        unknown.add(start, reader)
      }
    }
    if !pieces.isEmpty {
      var whole = InstrumentationScope()
      var counted = 0
      try ModelDecoder.merge(reading(scope.source), into: &whole, &counted)
      for piece in pieces { try ModelDecoder.merge(piece, into: &whole, &counted) }
      scope.source = try keep(OTLP.encode(whole))
    }
    scope.envelopeUnknownFields = try keep(unknown)
    (storage.scopes.base + index).pointee = scope
  }

  // Spans.

  private mutating func span(
    _ message: WireReader, _ resourceIndex: UInt32, _ scopeIndex: UInt32, isSecondReading: Bool
  ) throws(WireFault) {
    let attributeMark = storage.attributes.count
    let eventMark = storage.events.count
    let linkMark = storage.links.count
    let elementMark = elementCount
    var reader = message
    var span = BatchSpan()
    var isRegular = true
    var hasTraceID = false
    var hasSpanID = false
    var sawParent = false
    var unknown = UnknownRun()
    var order = FieldOrder()
    isCanonical = true
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      order.see(head, &isCanonical)
      switch head {
      case SpanField.attribute:
        order.mayRepeat(head)
        let inner = try reader.message()
        if span.attributeCount == 0 {
          span.firstAttribute = UInt32(truncatingIfNeeded: storage.attributes.count)
        } else if storage.attributes.count != Int(span.firstAttribute) &+ Int(span.attributeCount) {
          isRegular = false
        }
        try attribute(inner, &span.attributeCount)
      case SpanField.traceID:
        let id = try reader.message()
        hasTraceID = id.end &- id.place == 16
        if hasTraceID { (span.traceHigh, span.traceLow) = (id.bigEndian(0), id.bigEndian(8)) }
      case SpanField.spanID:
        let id = try reader.message()
        hasSpanID = id.end &- id.place == 8
        if hasSpanID { span.spanID = id.bigEndian(0) }
      case SpanField.parentSpanID:
        let id = try reader.message()
        if sawParent { isRegular = false }
        sawParent = true
        let byteCount = id.end &- id.place
        if byteCount == 8 {
          span.hasParent = true
          span.parentSpanID = id.bigEndian(0)
        } else {
          isCanonical = false
          if byteCount != 0 { unknown.add(start, reader.place, &isRegular) }
        }
      case SpanField.name: span.name = presentRange(try reader.text())
      case SpanField.kind: span.kind = try reader.int32(&isCanonical)
      case SpanField.start:
        span.start = try reader.fixed64()
        if span.start == 0 { isCanonical = false }
      case SpanField.end:
        span.end = try reader.fixed64()
        if span.end == 0 { isCanonical = false }
      case SpanField.status:
        if span.hasStatus { isRegular = false }
        span.hasStatus = true
        try status(try reader.message(), &span, &isRegular)
      case SpanField.flags:
        span.flags = try reader.fixed32()
        if span.flags == 0 { isCanonical = false }
      case SpanField.traceState: span.traceState = presentRange(try reader.text())
      case SpanField.event:
        order.mayRepeat(head)
        if span.eventCount == 0 { span.firstEvent = UInt32(truncatingIfNeeded: storage.events.count) }
        try WireFault.count(&elementCount, at: start)
        try event(try reader.message(), &isRegular)
        span.eventCount &+= 1
      case SpanField.link:
        order.mayRepeat(head)
        if span.linkCount == 0 { span.firstLink = UInt32(truncatingIfNeeded: storage.links.count) }
        try WireFault.count(&elementCount, at: start)
        try link(try reader.message(), &isRegular)
        span.linkCount &+= 1
      case SpanField.droppedAttributeCount: span.droppedAttributeCount = try reader.uint32(&isCanonical)
      case SpanField.droppedEventCount: span.droppedEventCount = try reader.uint32(&isCanonical)
      case SpanField.droppedLinkCount: span.droppedLinkCount = try reader.uint32(&isCanonical)
      default:
        isCanonical = false
        try reader.skip(head)
        unknown.add(start, reader.place, &isRegular)
      }
    }
    if reader.sawLongForm { isCanonical = false }
    let hasIDs = hasTraceID && span.traceHigh | span.traceLow != 0 && hasSpanID && span.spanID != 0
    guard hasIDs, isRegular else {
      storage.attributes.count = attributeMark
      storage.events.count = eventMark
      storage.links.count = linkMark
      elementCount = elementMark
      if hasIDs {
        guard !isSecondReading else { throw WireFault(offset: message.place, reason: .inconsistent) }
        try irregularSpan(message, resourceIndex, scopeIndex)
      } else {
        let hasUsableTraceID = hasTraceID && span.traceHigh | span.traceLow != 0
        refusals.append((spanIndex, hasUsableTraceID ? OTLP.Refusal.spanID : OTLP.Refusal.traceID))
      }
      return
    }
    span.unknownFields = range(unknown)
    span.source = range(message)
    span.isCanonical = isCanonical
    span.resourceIndex = resourceIndex
    span.scopeIndex = scopeIndex
    storage.spans.append(span)
  }

  /// Brings a span into canonical form and reads it again from there.
  @inline(never)
  private mutating func irregularSpan(
    _ message: WireReader, _ resourceIndex: UInt32, _ scopeIndex: UInt32
  ) throws(WireFault) {
    var decoder = ModelDecoder()
    let (record, _) = try decoder.span(message)
    let bytes = OTLP.encode(record)
    let outerShift = shift
    shift = Int(try keep(bytes).offset)
    defer { shift = outerShift }
    // Read from the array and not from `extra`, which may move while values are kept there.
    let result = bytes.withUnsafeBytes { buffer -> WireFault? in
      do throws(WireFault) {
        try span(WireReader(buffer), resourceIndex, scopeIndex, isSecondReading: true)
        return nil
      } catch {
        return error
      }
    }
    if let result { throw result }
  }

  private mutating func status(_ message: WireReader, _ span: inout BatchSpan, _ isRegular: inout Bool)
    throws(WireFault)
  {
    var reader = message
    var unknown = UnknownRun()
    var order = FieldOrder()
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      order.see(head, &isCanonical)
      switch head {
      case StatusField.message: span.statusMessage = presentRange(try reader.text())
      case StatusField.code: span.statusCode = try reader.int32(&isCanonical)
      default:
        isCanonical = false
        try reader.skip(head)
        unknown.add(start, reader.place, &isRegular)
      }
    }
    if reader.sawLongForm { isCanonical = false }
    span.statusUnknownFields = range(unknown)
  }

  private mutating func event(_ message: WireReader, _ isRegular: inout Bool) throws(WireFault) {
    var reader = message
    var event = BatchEvent()
    event.firstAttribute = UInt32(truncatingIfNeeded: storage.attributes.count)
    var unknown = UnknownRun()
    var order = FieldOrder()
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      order.see(head, &isCanonical)
      switch head {
      case EventField.time:
        event.time = try reader.fixed64()
        if event.time == 0 { isCanonical = false }
      case EventField.name: event.name = presentRange(try reader.text())
      case EventField.attribute:
        order.mayRepeat(head)
        try attribute(try reader.message(), &event.attributeCount)
      case EventField.droppedAttributeCount: event.droppedAttributeCount = try reader.uint32(&isCanonical)
      default:
        isCanonical = false
        try reader.skip(head)
        unknown.add(start, reader.place, &isRegular)
      }
    }
    if reader.sawLongForm { isCanonical = false }
    event.unknownFields = range(unknown)
    storage.events.append(event)
  }

  private mutating func link(_ message: WireReader, _ isRegular: inout Bool) throws(WireFault) {
    var reader = message
    var link = BatchLink()
    link.firstAttribute = UInt32(truncatingIfNeeded: storage.attributes.count)
    var unknown = UnknownRun()
    var order = FieldOrder()
    var sawTraceID = false
    var sawSpanID = false
    while !reader.isAtEnd {
      let start = reader.place
      let head = try reader.head()
      order.see(head, &isCanonical)
      switch head {
      case LinkField.traceID:
        let id = try reader.message()
        if sawTraceID { isRegular = false }
        sawTraceID = true
        if id.end &- id.place == 16 {
          link.hasTraceID = true
          (link.traceHigh, link.traceLow) = (id.bigEndian(0), id.bigEndian(8))
        } else {
          isCanonical = false
          if !id.isAtEnd { unknown.add(start, reader.place, &isRegular) }
        }
      case LinkField.spanID:
        let id = try reader.message()
        if sawSpanID { isRegular = false }
        sawSpanID = true
        if id.end &- id.place == 8 {
          link.hasSpanID = true
          link.spanID = id.bigEndian(0)
        } else {
          isCanonical = false
          if !id.isAtEnd { unknown.add(start, reader.place, &isRegular) }
        }
      case LinkField.traceState: link.traceState = presentRange(try reader.text())
      case LinkField.attribute:
        order.mayRepeat(head)
        try attribute(try reader.message(), &link.attributeCount)
      case LinkField.droppedAttributeCount: link.droppedAttributeCount = try reader.uint32(&isCanonical)
      case LinkField.flags:
        link.flags = try reader.fixed32()
        if link.flags == 0 { isCanonical = false }
      default:
        isCanonical = false
        try reader.skip(head)
        unknown.add(start, reader.place, &isRegular)
      }
    }
    if reader.sawLongForm { isCanonical = false }
    link.unknownFields = range(unknown)
    storage.links.append(link)
  }

  // Ranges.

  @inline(__always)
  func range(_ places: Range<Int>) -> ByteRange {
    ByteRange(
      offset: UInt32(truncatingIfNeeded: places.lowerBound &+ shift),
      count: UInt32(truncatingIfNeeded: places.upperBound &- places.lowerBound))
  }

  @inline(__always)
  func range(_ reader: WireReader) -> ByteRange {
    range(Range(uncheckedBounds: (reader.place, reader.end)))
  }

  /// The range of a text that the canonical form leaves out when it is empty.
  @inline(__always)
  mutating func presentRange(_ places: Range<Int>) -> ByteRange {
    if places.isEmpty { isCanonical = false }
    return range(places)
  }

  @inline(__always)
  private func range(_ run: UnknownRun) -> ByteRange { range(Range(uncheckedBounds: (run.start, run.end))) }

  /// A message of the request that was remembered as a range.
  private func reading(_ range: ByteRange) -> WireReader {
    WireReader(base: storage.request, place: Int(range.offset), end: Int(range.offset) &+ Int(range.count))
  }

  /// Appends bytes to `extra`.
  mutating func keep(_ bytes: UnsafeRawBufferPointer) throws(WireFault) -> ByteRange {
    let offset = storage.requestByteCount + storage.extra.count
    guard offset + bytes.count <= Int(UInt32.max) else { throw WireFault(offset: 0, reason: .largeRequest) }
    storage.extra.append(contentsOf: bytes)
    return ByteRange(offset: UInt32(offset), count: UInt32(bytes.count))
  }

  mutating func keep(_ bytes: [UInt8]) throws(WireFault) -> ByteRange {
    let range = ByteRange(offset: UInt32(truncatingIfNeeded: storage.requestByteCount + storage.extra.count), count: 0)
    var fault: WireFault?
    var kept = range
    bytes.withUnsafeBytes { buffer in
      do throws(WireFault) { kept = try keep(buffer) } catch { fault = error }
    }
    if let fault { throw fault }
    return kept
  }

  private mutating func keep(_ pieces: UnknownPieces) throws(WireFault) -> ByteRange {
    pieces.isContiguous ? range(pieces.run) : try keep(pieces.bytes)
  }
}
