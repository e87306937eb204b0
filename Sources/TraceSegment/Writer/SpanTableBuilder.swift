import TraceBytes
package import TraceColumns
package import TraceModel
import TraceOTLP

/// Fills a table from model values, one at a time. Ingest has its own way from decoded batches; a record takes the
/// same form through both. Not thread-safe.
package struct SpanTableBuilder {
  package let table: SpanTable

  package init(table: SpanTable = SpanTable()) { self.table = table }

  /// Appends a record. Costs a few microseconds a span: it encodes resource and scope each time.
  ///
  /// - Parameters:
  ///   - isPartial: whether the row is marked as a partial record; what makes a record partial is not decided here.
  ///   - isEnriched: whether it is marked as the view of several records with an enrichment among them.
  package func append(
    resource: Resource, scope: InstrumentationScope, span: SpanRecord, isPartial: Bool = false, isEnriched: Bool = false
  ) {
    var row = SpanRow()
    row.resource = OTLP.identity(of: resource).withUnsafeBytes { table.resourceIndex(record: $0) { resource } }
    row.scope = OTLP.identity(of: scope).withUnsafeBytes { table.scopeIndex(record: $0) { scope } }
    row.traceHigh = span.traceID.high
    row.traceLow = span.traceID.low
    row.spanID = span.spanID.rawValue
    row.parentSpanID = span.parentSpanID?.rawValue ?? 0
    row.start = span.start.nanoseconds
    row.end = span.end.nanoseconds
    row.name = table.strings.intern(span.name)
    row.kind = span.kind.rawValue
    row.flags = span.flags
    row.traceState = table.strings.intern(span.traceState)
    row.unknownFields = table.strings.intern(span.unknownFields)
    row.droppedAttributeCount = span.droppedAttributeCount
    row.droppedEventCount = span.droppedEventCount
    row.droppedLinkCount = span.droppedLinkCount
    if span.parentSpanID != nil { row.marks.insert(.hasParent) }
    if isPartial { row.marks.insert(.isPartial) }
    if isEnriched { row.marks.insert(.isEnriched) }
    if let status = span.status {
      row.marks.insert(.hasStatus)
      row.statusCode = status.code.rawValue
      row.statusMessage = table.strings.intern(status.message)
      row.statusUnknownFields = table.strings.intern(status.unknownFields)
    }
    (row.shape, row.firstValue) = append(span.attributes)
    row.firstEvent = table.nextEventIndex
    row.eventCount = UInt32(span.events.count)
    for event in span.events { append(event) }
    row.firstLink = table.nextLinkIndex
    row.linkCount = UInt32(span.links.count)
    for link in span.links { append(link) }
    table.appendRow(row)
  }

  private func append(_ event: SpanEvent) {
    var row = EventRow()
    row.time = event.time.nanoseconds
    row.name = table.strings.intern(event.name)
    row.droppedAttributeCount = event.droppedAttributeCount
    row.unknownFields = table.strings.intern(event.unknownFields)
    (row.shape, row.firstValue) = append(event.attributes)
    table.appendEvent(row)
  }

  private func append(_ link: SpanLink) {
    var row = LinkRow()
    if let id = link.traceID {
      row.hasTraceID = true
      row.traceHigh = id.high
      row.traceLow = id.low
    }
    if let id = link.spanID {
      row.hasSpanID = true
      row.spanID = id.rawValue
    }
    row.traceState = table.strings.intern(link.traceState)
    row.flags = link.flags
    row.droppedAttributeCount = link.droppedAttributeCount
    row.unknownFields = table.strings.intern(link.unknownFields)
    (row.shape, row.firstValue) = append(link.attributes)
    table.appendLink(row)
  }

  private func append(_ attributes: [Attribute]) -> (shape: UInt32, firstValue: UInt32) {
    let first = table.nextValueIndex
    if attributes.isEmpty { return (0, first) }
    var slots: [UInt32] = []
    slots.reserveCapacity(attributes.count)
    for attribute in attributes {
      let type = AttributeType(of: attribute)
      slots.append(ShapeSlot(key: table.strings.intern(attribute.key), type: type).rawValue)
      table.appendValue(word(attribute, type))
    }
    return (slots.withUnsafeBytes { table.shapes.intern($0) }, first)
  }

  private func word(_ attribute: Attribute, _ type: AttributeType) -> UInt64 {
    if type == .opaqueAttribute { return UInt64(table.strings.intern(OTLP.encode(attribute))) }
    switch attribute.value {
    case .absent, .empty: return 0
    case .string(let text): return UInt64(table.strings.intern(text))
    case .bool(let value): return value ? 1 : 0
    case .int(let value): return UInt64(bitPattern: value)
    case .double(let value): return value.bitPattern
    case .bytes(let bytes), .opaque(let bytes): return UInt64(table.strings.intern(bytes))
    case .array, .map: return UInt64(table.strings.intern(OTLP.encode(attribute.value)))
    }
  }
}
