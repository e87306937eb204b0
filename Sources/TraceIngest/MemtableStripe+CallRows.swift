import TraceBytes
import TraceColumns
package import TraceGraph
import TraceModel
package import TraceSource

// What the service graph needs, from interned rows.
extension MemtableStripe {
  package func callRows(_ rows: [Int], _ names: inout NameTable) throws -> [CallRow] {
    let view = context.view
    var result: [CallRow] = []
    result.reserveCapacity(rows.count)
    for index in rows {
      let row = view.rows.pointer(at: firstRow + index)
      if row.pointee.marks.contains(.isPartial) || row.pointee.marks.contains(.isDead) { continue }
      let role = SpanRole(kind: row.pointee.kind)
      var span = CallSpan(
        spanID: row.pointee.spanID, parentID: row.pointee.marks.contains(.hasParent) ? row.pointee.parentSpanID : 0,
        start: row.pointee.start, duration: row.pointee.durationNanoseconds,
        service: names.code(of: Array(view.bytes(view.resources[Int(row.pointee.resource)].service))), role: role,
        isError: row.pointee.statusCode == SpanStatus.Code.error.rawValue)
      if role.isCaller { namePeer(&span, row, &names) }
      result.append(CallRow(row: index, span: span, targets: role == .consumer ? targets(row) : []))
    }
    return result
  }

  private func namePeer(_ span: inout CallSpan, _ row: UnsafePointer<SpanRow>, _ names: inout NameTable) {
    let view = context.view
    let slots = view.slots(row.pointee.shape)
    var hasDatabase = false
    var hasMessaging = false
    for (place, key) in context.peerKeys().enumerated() {
      guard let key else { continue }
      for index in slots.indices where slots[index] == ShapeSlot(key: key, type: .string).rawValue {
        let text = view.bytes(UInt32(truncatingIfNeeded: view.values[Int(row.pointee.firstValue) + index]))
        if text.isEmpty { continue }
        if span.peer == CallSpan.noPeer { span.peer = names.code(of: Array(text)) }
        if PeerNames.databaseKeys.contains(place) { hasDatabase = true }
        if place == PeerNames.messagingKey { hasMessaging = true }
        break
      }
    }
    span.peerConnection = PeerNames.connection(span.role, hasDatabase: hasDatabase, hasMessaging: hasMessaging)
  }

  private func targets(_ row: UnsafePointer<SpanRow>) -> [LinkTarget] {
    let first = Int(row.pointee.firstLink)
    return (first..<first + Int(row.pointee.linkCount)).compactMap { index in
      let link = context.view.links[index]
      guard link.hasTraceID, link.hasSpanID else { return nil }
      return LinkTarget(trace: TraceID(high: link.traceHigh, low: link.traceLow), spanID: link.spanID)
    }
  }
}
