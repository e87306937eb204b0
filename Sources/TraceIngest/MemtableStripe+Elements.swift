package import TraceColumns
import TraceModel
import TraceSegment
package import TraceSource

// Conditions on single events and links. Elements count over the stripe, row by row.
extension MemtableStripe: ElementStripe {
  package func elementOffsets(_ level: ChildLevel) throws -> [UInt32]? {
    var offsets: [UInt32] = [0]
    offsets.reserveCapacity(rowCount + 1)
    var sum: UInt32 = 0
    for row in firstRow..<(firstRow + rowCount) {
      let stored = context.view.rows.pointer(at: row)
      sum += level == .event ? stored.pointee.eventCount : stored.pointee.linkCount
      offsets.append(sum)
    }
    return sum > 0 ? offsets : nil
  }

  package func mayMatch(_ leaf: ElementLeaf, _ level: ChildLevel) throws -> Bool {
    guard case .attribute(let key, let test) = leaf else { return true }
    return context.code(of: key).map { context.mayMatch(key: $0, test) } ?? false
  }

  package func filterElements(_ mask: inout RowMask, of level: ChildLevel, by leaf: ElementLeaf) throws {
    let passes = try level == .event ? eventDecision(leaf) : linkDecision(leaf)
    guard let passes else { return mask.clear(0..<mask.count) }
    var kept = mask
    var element = 0
    for row in firstRow..<(firstRow + rowCount) {
      let stored = context.view.rows.pointer(at: row)
      let (first, count) =
        level == .event
        ? (stored.pointee.firstEvent, stored.pointee.eventCount) : (stored.pointee.firstLink, stored.pointee.linkCount)
      for offset in 0..<Int(count) {
        if mask[element], try !passes(Int(first) + offset, stored.pointee.start) { kept.clear(element) }
        element += 1
      }
    }
    mask = kept
  }

  /// What decides an event by its index, given the start of its span; nil when none passes.
  private func eventDecision(_ leaf: ElementLeaf) throws -> ((Int, UInt64) throws -> Bool)? {
    let events = context.view.events
    switch leaf {
    case .name(let test):
      var decision = CodeDecision(context, test)
      return { event, _ in decision.passes(events[event].name) }
    case .time(let range): return { event, _ in range.contains(events[event].time) }
    case .timeSinceStart(let range):
      return { event, start in range.contains(Int128(events[event].time) - Int128(start)) }
    case .attribute(let key, let test):
      guard let key = context.code(of: key) else { return nil }
      var matcher = SlotMatcher(context, key: key, test)
      return { event, _ in try matcher.passes(shape: events[event].shape, firstValue: events[event].firstValue) }
    case .linkedTrace, .linkedSpan, .traceState: return nil
    }
  }

  /// The same for links.
  private func linkDecision(_ leaf: ElementLeaf) throws -> ((Int, UInt64) throws -> Bool)? {
    let links = context.view.links
    switch leaf {
    case .linkedTrace(let id):
      return { link, _ in
        let linked = TraceID(high: links[link].traceHigh, low: links[link].traceLow)
        return links[link].hasTraceID && (id.map { linked == $0 } ?? !linked.isZero)
      }
    case .linkedSpan(let id):
      return { link, _ in links[link].hasSpanID && (id.map { links[link].spanID == $0 } ?? (links[link].spanID != 0)) }
    case .traceState(let test):
      var decision = CodeDecision(context, test)
      return { link, _ in decision.passes(links[link].traceState) }
    case .attribute(let key, let test):
      guard let key = context.code(of: key) else { return nil }
      var matcher = SlotMatcher(context, key: key, test)
      return { link, _ in try matcher.passes(shape: links[link].shape, firstValue: links[link].firstValue) }
    case .name, .time, .timeSinceStart: return nil
    }
  }
}
