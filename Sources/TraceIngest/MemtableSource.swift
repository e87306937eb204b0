import TraceBytes
package import TraceColumns
import TraceFiles
package import TraceModel
import TraceSegment
package import TraceSource

/// A snapshot of a memtable as a source: stripes of up to 4,096 rows in the order they arrived.
package final class MemtableSource: SpanSource {
  let context: MemtableContext
  private let memtableStripes: [MemtableStripe]
  /// Whether any row may be a partial record.
  let hasPartials: Bool

  init(memtable: Memtable, view: SpanTable.View, bounds: [StripeBounds], hasPartials: Bool) {
    self.hasPartials = hasPartials
    let context = MemtableContext(memtable: memtable, view: view)
    self.context = context
    let height = 1 << Memtable.stripeShift
    let count = (view.rows.count + height - 1) >> Memtable.stripeShift
    memtableStripes = (0..<count).map { index in
      MemtableStripe(
        context: context, firstRow: index * height, rowCount: min(height, view.rows.count - index * height),
        bounds: bounds[index])
    }
  }

  var memtable: Memtable { context.memtable }
  package var view: SpanTable.View { context.view }
  package var rowCount: Int { context.view.rows.count }

  package var stripes: [any SpanStripe] { memtableStripes }
  package var isEmpty: Bool { memtableStripes.isEmpty }

  package var bounds: StripeBounds {
    memtableStripes.reduce(into: StripeBounds()) { $0.include($1.bounds) }
  }

  package func stripes(mayMatch leaf: SpanLeaf, among open: [Bool]) throws -> [Bool] {
    try zip(memtableStripes, open).map { stripe, isOpen in try isOpen && stripe.mayMatch(leaf) }
  }

  package func rows(of trace: TraceID) throws -> [LocatedRows] {
    guard let entry = context.memtable.withTable({ $0.traces.entry(of: trace) }) else { return [] }
    var newestFirst: [Int] = []
    var row = entry.lastRow
    // Rows link backwards; those past the snapshot stand at the head of the chain and are passed over.
    var table = view.rows
    table.count = .max
    while row != SpanRow.noRow {
      if Int(row) < view.rows.count, !table[Int(row)].marks.contains(.isDead) { newestFirst.append(Int(row)) }
      row = table[Int(row)].previousInTrace
    }
    return locate(newestFirst.reversed())
  }

  private func locate(_ rows: some Sequence<Int>) -> [LocatedRows] {
    var located: [LocatedRows] = []
    for row in rows {
      let stripe = memtableStripes[row >> Memtable.stripeShift]
      if located.last?.stripe !== stripe { located.append(LocatedRows(stripe: stripe, rows: [])) }
      located[located.count - 1].rows.append(row - stripe.firstRow)
    }
    return located
  }

  package func finalsByTrace() -> [(trace: TraceID, rows: [LocatedRows])]? {
    view.finalsByTrace().map { ($0.id, locate($0.rows)) }
  }

  package func mayHold(_ trace: TraceID) throws -> Bool {
    context.memtable.withTable { $0.traces.entry(of: trace) } != nil
  }

  package func forEachTrace(
    inStripesThat passes: (StripeBounds) -> Bool, _ body: (TraceID) throws -> Void
  ) throws {
    // A trace gets its code with its first row, so none is above the index of its row.
    var isSeen = [Bool](repeating: false, count: view.rows.count)
    for stripe in memtableStripes where passes(stripe.bounds) {
      for index in stripe.firstRow..<(stripe.firstRow + stripe.rowCount) {
        let row = view.rows.pointer(at: index)
        guard row.pointee.marks.isFinal, !isSeen[Int(row.pointee.trace)] else { continue }
        isSeen[Int(row.pointee.trace)] = true
        try body(TraceID(high: row.pointee.traceHigh, low: row.pointee.traceLow))
      }
    }
  }

  package func repeatedRows() throws -> [Int: RowMask] {
    var masks: [Int: RowMask] = [:]
    for index in try context.memtable.repeats.rows(of: view) {
      let stripe = memtableStripes[index >> Memtable.stripeShift]
      masks[stripe.index, default: RowMask(count: stripe.rowCount)].set(index - stripe.firstRow)
    }
    return masks
  }

  package func forEachService(_ body: (String, Int) -> Void) throws {
    var counts = [Int](repeating: 0, count: view.resources.count)
    view.rows.forEachRun(in: 0..<view.rows.count) { run, _ in
      for row in run where !row.marks.contains(.isDead) { counts[Int(row.resource)] += 1 }
    }
    for (index, count) in counts.enumerated() where count > 0 { body(view.text(view.resources[index].service), count) }
  }

  package func forEachOperation(service: String?, _ body: (String, SpanKind, Int) -> Void) throws {
    struct Key: Hashable {
      var name: UInt32
      var kind: Int32
    }
    let wanted = service.map { Array($0.utf8) }
    let accepted = view.resources.map { entry in wanted.map { view.bytes(entry.service).elementsEqual($0) } ?? true }
    var counts: [Key: Int] = [:]
    view.rows.forEachRun(in: 0..<view.rows.count) { run, _ in
      for row in run where accepted[Int(row.resource)] && !row.marks.contains(.isDead) {
        counts[Key(name: row.name, kind: row.kind), default: 0] += 1
      }
    }
    for (key, count) in counts { body(view.text(key.name), SpanKind(rawValue: key.kind), count) }
  }

  package func forEachAttributeKey(_ body: (AttributeKeyCount) -> Void) throws {
    for stripe in memtableStripes {
      try stripe.forEachAttributeKey(in: RowMask(count: stripe.rowCount, filled: true), body)
    }
  }

  package func forEachEnvelope(_ body: (SpanEnvelope) -> Void) throws {
    for entry in usedResources() { body(.resource(entry.resource)) }
    for entry in usedScopes() { body(.scope(entry.scope)) }
  }

  package func forEachAttributeValue(
    key: String, level: ColumnLevel?, limit: Int, _ body: (AttributeValue, Int) -> Void
  ) throws -> Bool {
    let wanted = Array(key.utf8)
    var counts: [AttributeValue: Int] = [:]
    var isCut = false
    func add(_ value: AttributeValue, _ count: Int) {
      if counts.count < limit || counts[value] != nil { counts[value, default: 0] += count } else { isCut = true }
    }
    func addAll(_ attributes: [Attribute]) {
      for attribute in attributes where attribute.key.utf8.elementsEqual(wanted) { add(attribute.value, 1) }
    }
    if level == nil || level == .resource { for entry in usedResources() { addAll(entry.resource.attributes) } }
    if level == nil || level == .scope { for entry in usedScopes() { addAll(entry.scope.attributes) } }
    let levels: [ColumnLevel] = [.span, .event, .link].filter { own in level.map { $0 == own } ?? true }
    for stripe in memtableStripes where !levels.isEmpty {
      let all = RowMask(count: stripe.rowCount, filled: true)
      if try stripe.forEachAttributeValue(key: wanted, levels, in: all, limit: limit, add) { isCut = true }
    }
    for (value, count) in counts { body(value, count) }
    return isCut
  }

  private func usedResources() -> [ResourceEntry] {
    var isUsed = [Bool](repeating: false, count: view.resources.count)
    for index in 0..<view.rows.count where !view.rows[index].marks.contains(.isDead) {
      isUsed[Int(view.rows[index].resource)] = true
    }
    return zip(view.resources, isUsed).filter(\.1).map(\.0)
  }

  private func usedScopes() -> [ScopeEntry] {
    var isUsed = [Bool](repeating: false, count: view.scopes.count)
    for index in 0..<view.rows.count where !view.rows[index].marks.contains(.isDead) {
      isUsed[Int(view.rows[index].scope)] = true
    }
    return zip(view.scopes, isUsed).filter(\.1).map(\.0)
  }
}

/// What the stripes of one snapshot share.
final class MemtableContext: Sendable {
  let memtable: Memtable
  let view: SpanTable.View
  /// Which resources and scopes pass a leaf: decided once for each leaf of a query, not once for each stripe.
  private let entryMatches = Monitor<[String: [Bool]]>([:])
  private let peers = Monitor<PeerSlots?>(nil)

  init(memtable: Memtable, view: SpanTable.View) {
    self.memtable = memtable
    self.view = view
  }

  /// What names peers in all shapes of the snapshot.
  func peerSlots() -> PeerSlots {
    peers.withLock { peers in
      if let peers { return peers }
      var made = PeerSlots()
      if view.shapes.count > 0 { made.include(UInt32(truncatingIfNeeded: view.shapes.count - 1), view) }
      peers = made
      return made
    }
  }

  /// The code of a text in the table's dictionary; nil when no row has it.
  func code(of bytes: [UInt8]) -> UInt32? {
    bytes.withUnsafeBytes { bytes in memtable.withTable { $0.strings.code(of: bytes) } }
  }

  /// The codes of those of the texts that rows of the snapshot may have.
  func codes(of list: TextList) -> CodeList { list.codes(in: self) { code(of: $0) } }

  /// False when no value of the key can pass: decided by the types that the key has in any shape, and by whether the
  /// sought text was ever interned.
  func mayMatch(key: UInt32, _ test: ValueTest) -> Bool {
    let name = "key \(key) \(test.name)"
    return entryMatches(name) {
      let isTextKnown = test.strings.list.map { !codes(of: $0).isEmpty } ?? true
      for shape in 0..<view.shapes.count {
        for slot in view.slots(UInt32(shape)) where slot >> 4 == key {
          let type = ShapeSlot(rawValue: slot).type
          if type == .string ? isTextKnown : !test.cannotMatch(type) { return [true] }
        }
      }
      return [false]
    }[0]
  }

  /// For each resource, whether it passes; computed once for a name.
  func resourceMatches(_ name: @autoclosure () -> String, _ passes: (Resource) -> Bool) -> [Bool] {
    entryMatches("resource " + name()) { view.resources.map { passes($0.resource) } }
  }

  /// For each scope, whether it passes; computed once for a name.
  func scopeMatches(_ name: @autoclosure () -> String, _ passes: (InstrumentationScope) -> Bool) -> [Bool] {
    entryMatches("scope " + name()) { view.scopes.map { passes($0.scope) } }
  }

  private func entryMatches(_ name: String, _ make: () -> [Bool]) -> [Bool] {
    if let known = entryMatches.withLock({ $0[name] }) { return known }
    let made = make()
    entryMatches.withLock { $0[name] = made }
    return made
  }
}
