import TraceBytes
package import TraceColumns
package import TraceModel
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

  package var index: Int { firstRow >> Memtable.stripeShift }

  package func partialRows(_ rows: [Int]) -> [Int] {
    rows.filter { view.rows.pointer(at: firstRow + $0).pointee.marks.contains(.isPartial) }
  }

  package func mayMatch(_ leaf: SpanLeaf) throws -> Bool {
    switch leaf {
    case .start(let range): return range.upperBound >= bounds.minimumStart && range.lowerBound <= bounds.maximumStart
    case .duration(let range):
      return range.upperBound >= bounds.minimumDuration && range.lowerBound <= bounds.maximumDuration
    case .text(.service, _), .text(.resourceSchemaURL, _): return true
    case .text(.scopeName, _), .text(.scopeVersion, _), .text(.scopeSchemaURL, _): return true
    case .text(_, let test): return test.list.map { !context.codes(of: $0).isEmpty } ?? true
    case .attribute(let level, let key, let test):
      if level == .resource || level == .scope { return true }
      return context.code(of: key).map { context.mayMatch(key: $0, test) } ?? false
    case .some(let level, let predicate): return try mayMatch(predicate, level)
    case .end(let range):
      // A span may end before it starts, but then its duration counts as zero.
      return range.lowerBound <= bounds.maximumEnd
        && (bounds.minimumStart <= range.upperBound || bounds.minimumDuration == 0)
    case .kind, .statusCode, .traceID, .spanID, .parent, .record: return true
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

  package func operations(_ rows: [Int]) throws -> [OperationCount] {
    struct Operation: Hashable {
      var resource: UInt32
      var name: UInt32
      var kind: Int32
    }
    var counts: [Operation: Int] = [:]
    for row in rows {
      let stored = view.rows.pointer(at: firstRow + row)
      if stored.pointee.marks.contains(.isDead) { continue }
      counts[
        Operation(resource: stored.pointee.resource, name: stored.pointee.name, kind: stored.pointee.kind), default: 0
      ] += 1
    }
    return counts.map { operation, count in
      OperationCount(
        service: view.text(view.resources[Int(operation.resource)].service), name: view.text(operation.name),
        kind: SpanKind(rawValue: operation.kind), count: count)
    }
  }

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
        span: try view.record(firstRow + row), isPartial: stored.marks.contains(.isPartial),
        isEnriched: stored.marks.contains(.isEnriched))
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

  package func forEachAttributeValue(
    key: [UInt8], _ levels: [ColumnLevel], in mask: RowMask, limit: Int, _ body: (AttributeValue, Int) -> Void
  ) throws -> Bool {
    guard let code = context.code(of: key) else { return false }
    var counts: [AttributeValue: Int] = [:]
    var isCut = false
    func add(shape: UInt32, firstValue: UInt32) throws {
      let slots = view.slots(shape)
      for index in 0..<slots.count where slots[index] >> 4 == code {
        let word = view.values[Int(firstValue) + index]
        let value = try view.attribute(ShapeSlot(rawValue: slots[index]), word: word).value
        if counts.count < limit || counts[value] != nil { counts[value, default: 0] += 1 } else { isCut = true }
      }
    }
    try mask.forEachSet { index in
      let row = view.rows[firstRow + index]
      if row.marks.contains(.isDead) { return }
      if levels.contains(.span) { try add(shape: row.shape, firstValue: row.firstValue) }
      if levels.contains(.event) {
        for offset in 0..<Int(row.eventCount) {
          let event = view.events[Int(row.firstEvent) + offset]
          try add(shape: event.shape, firstValue: event.firstValue)
        }
      }
      if levels.contains(.link) {
        for offset in 0..<Int(row.linkCount) {
          let link = view.links[Int(row.firstLink) + offset]
          try add(shape: link.shape, firstValue: link.firstValue)
        }
      }
    }
    for (value, count) in counts { body(value, count) }
    return isCut
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
