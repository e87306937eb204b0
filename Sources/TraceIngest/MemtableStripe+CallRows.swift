import TraceBytes
import TraceColumns
package import TraceGraph
import TraceModel
package import TraceSource

// What the service graph needs, from interned rows.
extension MemtableStripe {
  package func callRows(_ rows: [Int], _ names: inout NameTable) throws -> [CallRow] {
    let view = context.view
    let peers = context.peerSlots()
    var result: [CallRow] = []
    result.reserveCapacity(rows.count)
    for index in rows {
      let row = view.rows.pointer(at: firstRow + index)
      guard row.pointee.marks.isFinal else { continue }
      let role = SpanRole(kind: row.pointee.kind)
      var span = CallSpan(
        spanID: row.pointee.spanID, parentID: row.pointee.marks.contains(.hasParent) ? row.pointee.parentSpanID : 0,
        start: row.pointee.start, duration: row.pointee.durationNanoseconds,
        service: names.code(ofLasting: view.bytes(view.resources[Int(row.pointee.resource)].service)), role: role,
        isError: row.pointee.statusCode == SpanStatus.Code.error.rawValue)
      if role.isCaller { peers.name(&span, row, view) { names.code(ofLasting: view.bytes($0)) } }
      result.append(CallRow(row: index, span: span, targets: role == .consumer ? targets(row) : []))
    }
    return result
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
