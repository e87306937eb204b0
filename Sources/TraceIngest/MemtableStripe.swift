import TraceBytes
package import TraceColumns
import TraceModel
import TraceSegment
package import TraceSource

/// Up to 4,096 rows of a memtable snapshot.
package final class MemtableStripe: SpanStripe {
  let context: MemtableContext
  let firstRow: Int
  package let rowCount: Int
  package let bounds: StripeBounds

  init(context: MemtableContext, firstRow: Int, rowCount: Int, bounds: StripeBounds) {
    self.context = context
    self.firstRow = firstRow
    self.rowCount = rowCount
    self.bounds = bounds
  }

  private var view: SpanTable.View { context.view }

  package func mayMatch(_ leaf: SpanLeaf) throws -> Bool {
    switch leaf {
    case .start(let range): return range.upperBound >= bounds.minimumStart && range.lowerBound <= bounds.maximumStart
    case .duration(let range):
      return range.upperBound >= bounds.minimumDuration && range.lowerBound <= bounds.maximumDuration
    case .name(let bytes), .statusMessage(let bytes), .traceState(let bytes), .eventName(let bytes):
      return context.code(of: bytes) != nil
    case .attribute(let level, let key, let test):
      if level == .resource || level == .scope { return true }
      return context.code(of: key).map { context.mayMatch(key: $0, test) } ?? false
    case .service, .kind, .statusCode, .scopeName, .scopeVersion: return true
    }
  }

  package func forEachMatch(_ mask: RowMask, _ body: (MatchedRow) -> Void) throws {
    mask.forEachSet { row in
      let stored = view.rows[firstRow + row]
      if stored.marks.contains(.isDead) { return }
      body(
        MatchedRow(
          row: row, start: stored.start, duration: stored.durationNanoseconds,
          trace: TraceID(high: stored.traceHigh, low: stored.traceLow)))
    }
  }

  package func spanIDs(_ rows: [Int]) throws -> [UInt64] { rows.map { view.rows[firstRow + $0].spanID } }

  package func summaryRows(_ rows: [Int]) throws -> [SummaryRow] {
    rows.map { row in
      let stored = view.rows[firstRow + row]
      return SummaryRow(
        start: stored.start, end: stored.end, spanID: stored.spanID,
        parentSpanID: stored.marks.contains(.hasParent) ? stored.parentSpanID : nil, statusCode: stored.statusCode,
        isPartial: stored.marks.contains(.isPartial),
        service: view.text(view.resources[Int(stored.resource)].service), name: view.text(stored.name))
    }
  }

  package func records(_ rows: [Int]) throws -> [SourceSpan] {
    try rows.map { row in
      let stored = view.rows[firstRow + row]
      return SourceSpan(
        resource: view.resources[Int(stored.resource)].resource, scope: view.scopes[Int(stored.scope)].scope,
        span: try view.record(firstRow + row), isPartial: stored.marks.contains(.isPartial))
    }
  }

  package func forEachAttributeKey(in mask: RowMask, _ body: (AttributeKeyCount) -> Void) throws {
    var shapeCounts: [ColumnLevel: [UInt32: Int]] = [:]
    mask.forEachSet { row in
      let stored = view.rows[firstRow + row]
      if stored.marks.contains(.isDead) { return }
      shapeCounts[.span, default: [:]][stored.shape, default: 0] += 1
      for offset in 0..<Int(stored.eventCount) {
        shapeCounts[.event, default: [:]][view.events[Int(stored.firstEvent) + offset].shape, default: 0] += 1
      }
      for offset in 0..<Int(stored.linkCount) {
        shapeCounts[.link, default: [:]][view.links[Int(stored.firstLink) + offset].shape, default: 0] += 1
      }
    }
    for (level, counts) in shapeCounts {
      for (shape, count) in counts {
        for slot in view.slots(shape) {
          let slot = ShapeSlot(rawValue: slot)
          body(AttributeKeyCount(key: view.text(slot.key), level: level, type: slot.type.rawValue, valueCount: count))
        }
      }
    }
  }

  package func forEachEnvelope(in mask: RowMask, _ body: (SpanEnvelope) -> Void) throws {
    var resources: Set<UInt32> = []
    var scopes: Set<UInt32> = []
    mask.forEachSet { row in
      let stored = view.rows.pointer(at: firstRow + row)
      if stored.pointee.marks.contains(.isDead) { return }
      resources.insert(stored.pointee.resource)
      scopes.insert(stored.pointee.scope)
    }
    for index in resources { body(.resource(view.resources[Int(index)].resource)) }
    for index in scopes { body(.scope(view.scopes[Int(index)].scope)) }
  }
}
