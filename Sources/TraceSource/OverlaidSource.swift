import Synchronization
package import TraceColumns
import TraceGraph
package import TraceModel

/// A source some of whose rows are hidden: readers see other rows in their stead, which another source holds.
///
/// Lists of names that the source has counted stay as cheap as they are: what the hidden rows contribute is taken off.
package final class OverlaidSource: SpanSource {
  private let source: any SpanSource
  private let hidden: [Int: RowMask]
  package let stripes: [any SpanStripe]
  private let hiddenOperations = Mutex<[OperationCount]?>(nil)

  /// - Parameter hidden: by the index of the stripe; each of the size of its stripe.
  package init(_ source: any SpanSource, hiding hidden: [Int: RowMask]) {
    self.source = source
    self.hidden = hidden
    stripes = source.stripes.map { stripe in
      hidden[stripe.index].flatMap { OverlaidStripe(stripe, hiding: $0) } ?? stripe
    }
  }

  package var bounds: StripeBounds { source.bounds }

  package func stripes(mayMatch leaf: SpanLeaf, among open: [Bool]) throws -> [Bool] {
    visible(try source.stripes(mayMatch: leaf, among: open))
  }

  package func stripes(mayFail leaf: SpanLeaf, among open: [Bool]) throws -> [Bool] {
    visible(try source.stripes(mayFail: leaf, among: open))
  }

  package func candidates(
    _ predicate: SpanPredicate, needing texts: NeededTexts, where isOpen: (StripeBounds) -> Bool
  ) throws -> [any SpanStripe] {
    try source.candidates(predicate, needing: texts, where: isOpen).compactMap { stripe in
      guard let own = overlaid(stripe) else { return stripe }
      return own.isAllHidden ? nil : own
    }
  }

  /// What is shown of a stripe that has hidden rows: also of one that could not be read when this source was made, when a
  /// damaged stripe stood for all of them.
  private func overlaid(_ stripe: any SpanStripe) -> OverlaidStripe? {
    let known = stripes.indices.contains(stripe.index) ? stripes[stripe.index] as? OverlaidStripe : nil
    return known ?? hidden[stripe.index].flatMap { OverlaidStripe(stripe, hiding: $0) }
  }

  /// Without the stripes whose rows are all hidden.
  private func visible(_ open: [Bool]) -> [Bool] {
    zip(open, stripes).map { isOpen, stripe in isOpen && (stripe as? OverlaidStripe)?.isAllHidden != true }
  }

  package func rows(of trace: TraceID) throws -> [LocatedRows] { try rows(of: trace, for: .records) }

  package func rows(of trace: TraceID, for use: RowUse) throws -> [LocatedRows] {
    try source.rows(of: trace, for: use).compactMap { located in
      guard let stripe = overlaid(located.stripe) else { return located }
      let rows = located.rows.filter { !stripe.hidden[$0] }
      return rows.isEmpty ? nil : LocatedRows(stripe: stripe, rows: rows)
    }
  }

  package func mayHold(_ trace: TraceID) throws -> Bool { try source.mayHold(trace) }
  package func mayHold(among traces: [TraceID]) throws -> [Int] { try source.mayHold(among: traces) }

  package func forEachTrace(
    inStripesThat passes: (StripeBounds) -> Bool, _ body: (TraceID) throws -> Void
  ) throws {
    try source.forEachTrace(inStripesThat: passes, body)
  }

  private var overlaidStripes: [OverlaidStripe] { stripes.compactMap { $0 as? OverlaidStripe } }

  // MARK: Lists

  package func forEachService(_ body: (String, Int) -> Void) throws {
    var counts = Tally<String>()
    try source.forEachService { counts.add($0, Array($0.utf8), $1) }
    for stripe in overlaidStripes {
      for service in try stripe.stripe.services(stripe.hidden.rows) {
        counts.add(service.name, Array(service.name.utf8), -service.count)
      }
    }
    for (service, count) in counts.positive { body(service, count) }
  }

  package func forEachOperation(service: String?, _ body: (String, SpanKind, Int) -> Void) throws {
    var counts = Tally<(name: String, kind: SpanKind)>()
    func add(_ name: String, _ kind: SpanKind, _ count: Int) {
      counts.add((name, kind), Array(name.utf8) + withUnsafeBytes(of: kind.rawValue) { Array($0) }, count)
    }
    try source.forEachOperation(service: service, add)
    for operation in try operationsOfHiddenRows() {
      if let service, !service.utf8.elementsEqual(operation.service.utf8) { continue }
      add(operation.name, operation.kind, -operation.count)
    }
    for (operation, count) in counts.positive { body(operation.name, operation.kind, count) }
  }

  /// Reads names of hidden rows once.
  private func operationsOfHiddenRows() throws -> [OperationCount] {
    if let known = hiddenOperations.withLock({ $0 }) { return known }
    var counts = Tally<OperationCount>()
    for stripe in overlaidStripes {
      for operation in try stripe.stripe.operations(stripe.hidden.rows) {
        let key = Array(operation.service.utf8) + [0] + Array(operation.name.utf8)
        counts.add(operation, key + withUnsafeBytes(of: operation.kind.rawValue) { Array($0) }, operation.count)
      }
    }
    let made = counts.positive.map { operation, count in
      OperationCount(service: operation.service, name: operation.name, kind: operation.kind, count: count)
    }
    hiddenOperations.withLock { $0 = made }
    return made
  }

  package func forEachAttributeKey(_ body: (AttributeKeyCount) -> Void) throws {
    var counts = Tally<AttributeKeyCount>()
    func add(_ entry: AttributeKeyCount, _ sign: Int) {
      counts.add(entry, Array(entry.key.utf8) + [entry.level.rawValue, entry.type], sign * entry.valueCount)
    }
    try source.forEachAttributeKey { add($0, 1) }
    for stripe in overlaidStripes {
      try stripe.stripe.forEachAttributeKey(in: stripe.hidden) { add($0, -1) }
    }
    for (entry, count) in counts.positive {
      body(AttributeKeyCount(key: entry.key, level: entry.level, type: entry.type, valueCount: count))
    }
  }

  package func forEachAttributeValue(
    key: String, level: ColumnLevel?, limit: Int, _ body: (AttributeValue, Int) -> Void
  ) throws -> Bool {
    var counts: [AttributeValue: Int] = [:]
    let isCut = try source.forEachAttributeValue(key: key, level: level, limit: limit) { counts[$0, default: 0] += $1 }
    let levels: [ColumnLevel] = [.span, .event, .link].filter { own in level.map { $0 == own } ?? true }
    for stripe in overlaidStripes where !levels.isEmpty {
      _ = try stripe.stripe.forEachAttributeValue(
        key: Array(key.utf8), levels, in: stripe.hidden, limit: .max
      ) { value, count in
        // A value that the source had no room for is none that could be taken off.
        if let known = counts[value] { counts[value] = known - count }
      }
    }
    for (value, count) in counts where count > 0 { body(value, count) }
    return isCut
  }

  package func forEachEnvelope(_ body: (SpanEnvelope) -> Void) throws {
    // Only envelopes of hidden rows are in doubt: they count when any visible row has them.
    var doubtful: Set<SpanEnvelope> = []
    for stripe in overlaidStripes { try stripe.stripe.forEachEnvelope(in: stripe.hidden) { doubtful.insert($0) } }
    try source.forEachEnvelope { if !doubtful.contains($0) { body($0) } }
    for stripe in stripes where !doubtful.isEmpty {
      try stripe.forEachEnvelope(in: RowMask(count: stripe.rowCount, filled: true)) {
        if doubtful.remove($0) != nil { body($0) }
      }
    }
  }
}

/// A stripe some of whose rows are hidden. They are never given; what is asked about given rows is answered as before.
final class OverlaidStripe: SpanStripe {
  let stripe: any SpanStripe
  let hidden: RowMask
  /// As of a stripe of partial records that are all shown as joined spans.
  let isAllHidden: Bool

  /// Nil when the mask is of another size than the stripe: one stripe stands for all that a damaged index named.
  init?(_ stripe: any SpanStripe, hiding hidden: RowMask) {
    guard hidden.count == stripe.rowCount else { return nil }
    self.stripe = stripe
    self.hidden = hidden
    isAllHidden = hidden.isFull
  }

  var index: Int { stripe.index }
  var rowCount: Int { stripe.rowCount }
  var bounds: StripeBounds { stripe.bounds }
  var storedByteCount: UInt64 { stripe.storedByteCount }
  var isCached: Bool { stripe.isCached }

  func mayMatch(_ leaf: SpanLeaf) throws -> Bool { try !isAllHidden && stripe.mayMatch(leaf) }

  func filter(_ mask: inout RowMask, by leaf: SpanLeaf) throws {
    mask.subtract(hidden)
    if !mask.isEmpty { try stripe.filter(&mask, by: leaf) }
  }

  private func visible(_ mask: RowMask) -> RowMask {
    var mask = mask
    mask.subtract(hidden)
    return mask
  }

  func forEachMatch(_ mask: RowMask, _ body: (MatchedRow) -> Void) throws {
    try stripe.forEachMatch(visible(mask), body)
  }

  func forEachNewest(_ mask: RowMask, _ body: (NewestRow) -> Bool) throws {
    try stripe.forEachNewest(visible(mask), body)
  }

  func forEachAttributeKey(in mask: RowMask, _ body: (AttributeKeyCount) -> Void) throws {
    try stripe.forEachAttributeKey(in: visible(mask), body)
  }

  func forEachAttributeValue(
    key: [UInt8], _ levels: [ColumnLevel], in mask: RowMask, limit: Int, _ body: (AttributeValue, Int) -> Void
  ) throws -> Bool {
    try stripe.forEachAttributeValue(key: key, levels, in: visible(mask), limit: limit, body)
  }

  func forEachEnvelope(in mask: RowMask, _ body: (SpanEnvelope) -> Void) throws {
    try stripe.forEachEnvelope(in: visible(mask), body)
  }

  func forEachCallRun(
    _ selection: CallSelection, in rows: Range<Int>, _ mask: RowMask?, _ body: (CallRun) throws -> Void
  ) throws {
    try stripe.forEachCallRun(selection, in: rows, visible(mask ?? RowMask(count: rowCount, filled: true)), body)
  }

  func text(_ code: UInt32) throws -> [UInt8] { try stripe.text(code) }

  func texts(of key: [UInt8], _ levels: [ColumnLevel], in mask: RowMask) throws -> RowTexts {
    try stripe.texts(of: key, levels, in: mask)
  }

  func callRows(_ rows: [Int], _ names: inout NameTable) throws -> [CallRow] { try stripe.callRows(rows, &names) }
  var holdsFinals: Bool { stripe.holdsFinals }
  func partialRows(_ rows: [Int]) -> [Int] { stripe.partialRows(rows) }
  func services(_ rows: [Int]) throws -> [(name: String, count: Int)] { try stripe.services(rows) }
  func operations(_ rows: [Int]) throws -> [OperationCount] { try stripe.operations(rows) }
  func spanIDs(_ rows: [Int]) throws -> [UInt64] { try stripe.spanIDs(rows) }
  func summaryRows(_ rows: [Int]) throws -> [SummaryRow] { try stripe.summaryRows(rows) }
  func records(_ rows: [Int]) throws -> [SourceSpan] { try stripe.records(rows) }
}

/// Counts of things that are equal when their keys are.
private struct Tally<Thing> {
  private var entries: [[UInt8]: (thing: Thing, count: Int)] = [:]

  mutating func add(_ thing: Thing, _ key: [UInt8], _ count: Int) {
    entries[key, default: (thing, 0)].count += count
  }

  /// Those whose counts are above zero, in no order.
  var positive: [(Thing, Int)] { entries.values.filter { $0.count > 0 }.map { ($0.thing, $0.count) } }
}
