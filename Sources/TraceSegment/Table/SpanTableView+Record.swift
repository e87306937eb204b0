package import TraceBytes
package import TraceColumns
package import TraceModel
import TraceOTLP

/// Rows of a span table as model values. What was interned was validated when it was decoded, so a failure here is
/// damage in memory and is reported as such.
extension SpanTable.View {
  package func record(_ index: Int) throws -> SpanRecord {
    let row = rows[index]
    var span = SpanRecord(
      traceID: TraceID(high: row.traceHigh, low: row.traceLow), spanID: SpanID(row.spanID),
      traceState: text(row.traceState),
      parentSpanID: row.marks.contains(.hasParent) ? SpanID(row.parentSpanID) : nil,
      name: text(row.name), kind: SpanKind(rawValue: row.kind), start: Timestamp(nanoseconds: row.start),
      end: Timestamp(nanoseconds: row.end), attributes: try attributes(shape: row.shape, firstValue: row.firstValue),
      droppedAttributeCount: row.droppedAttributeCount, droppedEventCount: row.droppedEventCount,
      droppedLinkCount: row.droppedLinkCount, flags: row.flags, unknownFields: bytes(row.unknownFields).array)
    if row.marks.contains(.hasStatus) {
      span.status = SpanStatus(
        code: SpanStatus.Code(rawValue: row.statusCode), message: text(row.statusMessage),
        unknownFields: bytes(row.statusUnknownFields).array)
    }
    span.events.reserveCapacity(Int(row.eventCount))
    for offset in 0..<Int(row.eventCount) { span.events.append(try event(Int(row.firstEvent) + offset)) }
    span.links.reserveCapacity(Int(row.linkCount))
    for offset in 0..<Int(row.linkCount) { span.links.append(try link(Int(row.firstLink) + offset)) }
    return span
  }

  package func event(_ index: Int) throws -> SpanEvent {
    let row = events[index]
    return SpanEvent(
      time: Timestamp(nanoseconds: row.time), name: text(row.name),
      attributes: try attributes(shape: row.shape, firstValue: row.firstValue),
      droppedAttributeCount: row.droppedAttributeCount, unknownFields: bytes(row.unknownFields).array)
  }

  package func link(_ index: Int) throws -> SpanLink {
    let row = links[index]
    return SpanLink(
      traceID: row.hasTraceID ? TraceID(high: row.traceHigh, low: row.traceLow) : nil,
      spanID: row.hasSpanID ? SpanID(row.spanID) : nil, traceState: text(row.traceState),
      attributes: try attributes(shape: row.shape, firstValue: row.firstValue),
      droppedAttributeCount: row.droppedAttributeCount, flags: row.flags,
      unknownFields: bytes(row.unknownFields).array)
  }

  package func attributes(shape: UInt32, firstValue: UInt32) throws -> [Attribute] {
    let slots = slots(shape)
    var attributes: [Attribute] = []
    attributes.reserveCapacity(slots.count)
    for index in 0..<slots.count {
      let slot = ShapeSlot(rawValue: slots[index])
      attributes.append(try attribute(slot, word: values[Int(firstValue) + index]))
    }
    return attributes
  }

  package func attribute(_ slot: ShapeSlot, word: UInt64) throws -> Attribute {
    if slot.type == .opaqueAttribute { return try OTLP.decodeAttribute(bytes(UInt32(truncatingIfNeeded: word))) }
    return Attribute(text(slot.key), try value(slot.type, word: word))
  }

  /// The value of a slot that is not `opaqueAttribute`.
  package func value(_ type: AttributeType, word: UInt64) throws -> AttributeValue {
    switch type {
    case .absent: .absent
    case .empty: .empty
    case .string: .string(text(UInt32(truncatingIfNeeded: word)))
    case .bool: .bool(word != 0)
    case .int: .int(Int64(bitPattern: word))
    case .double: .double(Double(bitPattern: word))
    case .bytes: .bytes(bytes(UInt32(truncatingIfNeeded: word)).array)
    case .array, .map, .opaque, .opaqueAttribute: try OTLP.decodeAttributeValue(bytes(UInt32(truncatingIfNeeded: word)))
    }
  }

  package func text(_ code: UInt32) -> String { code == 0 ? "" : String(decoding: bytes(code), as: UTF8.self) }
}
