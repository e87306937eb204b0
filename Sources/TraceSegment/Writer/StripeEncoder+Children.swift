import TraceBytes
import TraceColumns
import TraceSource

extension StripeEncoder {
  /// Events in the order of rows.
  func encodeEvents() {
    let view = context.view
    eventRows.removeAll(keepingCapacity: true)
    eventStarts.removeAll(keepingCapacity: true)
    let (firsts, counts, rowStarts) = (rows.firstEvents, rows.eventCounts, rows.starts)
    for row in 0..<rows.count where counts[row] > 0 {
      for index in Int(firsts[row])..<Int(firsts[row] + counts[row]) {
        eventRows.append(view.events.pointer(at: index).pointee)
        eventStarts.append(rowStarts[row])
      }
    }
    let count = eventRows.count
    if count == 0 { return }
    let events = eventRows
    let starts = eventStarts
    var (first, last) = (Int64.max, Int64.min)
    encodeColumn(ChunkID.eventTime, count: count) {
      let distance = Int64(bitPattern: events[$0].time &- starts[$0])
      (first, last) = (min(first, distance), max(last, distance))
      return zigzag(distance)
    }
    result.summary.eventDistances = first...last
    encodeText(ChunkID.eventName, count: count) { events[$0].name }
    encodeColumn(ChunkID.eventDroppedAttributeCount, count: count) { UInt64(events[$0].droppedAttributeCount) }
    encodeText(ChunkID.eventUnknownFields, count: count) { events[$0].unknownFields }
  }

  /// Links in the order of rows.
  func encodeLinks() {
    let view = context.view
    linkRows.removeAll(keepingCapacity: true)
    let (firsts, counts) = (rows.firstLinks, rows.linkCounts)
    for row in 0..<rows.count where counts[row] > 0 {
      for index in Int(firsts[row])..<Int(firsts[row] + counts[row]) {
        linkRows.append(view.links.pointer(at: index).pointee)
      }
    }
    let count = linkRows.count
    if count == 0 { return }
    let links = linkRows
    encodeColumn(ChunkID.linkTraceHigh, count: count) { links[$0].traceHigh }
    encodeColumn(ChunkID.linkTraceLow, count: count) { links[$0].traceLow }
    encodeColumn(ChunkID.linkSpanID, count: count) { links[$0].spanID }
    encodeColumn(ChunkID.linkAbsence, count: count) { (links[$0].hasTraceID ? 0 : 1) | (links[$0].hasSpanID ? 0 : 2) }
    encodeText(ChunkID.linkTraceState, count: count) { links[$0].traceState }
    encodeColumn(ChunkID.linkFlags, count: count) { UInt64(links[$0].flags) }
    encodeColumn(ChunkID.linkDroppedAttributeCount, count: count) { UInt64(links[$0].droppedAttributeCount) }
    encodeText(ChunkID.linkUnknownFields, count: count) { links[$0].unknownFields }
  }
}
