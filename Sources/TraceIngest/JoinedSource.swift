import Synchronization
import TraceColumns
import TraceModel
import TraceSource

/// Spans that no record alone is, as a source: each slice is a stripe that is joined when it is read.
final class JoinedSource: SpanSource {
  private let joinedStripes: [JoinedStripe]

  init(_ stripes: [JoinedStripe]) { joinedStripes = stripes }

  var stripes: [any SpanStripe] { joinedStripes }
  var bounds: StripeBounds { joinedStripes.reduce(into: StripeBounds()) { $0.include($1.bounds) } }

  func stripes(mayMatch leaf: SpanLeaf, among open: [Bool]) throws -> [Bool] {
    try zip(joinedStripes, open).map { stripe, isOpen in try isOpen && stripe.mayMatch(leaf) }
  }

  func rows(of trace: TraceID) throws -> [LocatedRows] {
    try joinedStripes.compactMap { stripe in
      let rows = try stripe.rows(of: trace)
      return rows.isEmpty ? nil : LocatedRows(stripe: stripe, rows: rows)
    }
  }

  func mayHold(_ trace: TraceID) throws -> Bool { joinedStripes.contains { $0.mayHold(trace) } }

  /// None: what is measured are records.
  func forEachTrace(inStripesThat passes: (StripeBounds) -> Bool, _ body: (TraceID) throws -> Void) throws {}

  // MARK: Lists

  /// Spans that are joined at a time for a list, and about how many bytes their records have.
  private static let listedCount = 1 << 12
  private static let listedByteCount = 16 << 20

  /// Calls `body` with stripes that hold every span once. What the cache does not hold is joined in the order of ids, in
  /// which records stand: slices are cut along starts, and each would unpack nearly all records anew.
  private func forEachStripe(_ body: (any SpanStripe, RowMask) throws -> Void) throws {
    var missing: [JoinedStripe] = []
    for stripe in joinedStripes {
      if stripe.isCached { try body(stripe, stripe.allRows) } else { missing.append(stripe) }
    }
    guard missing.count > 1 else {
      for stripe in missing { try body(stripe, stripe.allRows) }
      return
    }
    let keys = missing.flatMap(\.liveKeys).sorted()
    let averageByteCount = missing.reduce(0) { $0 + $1.recordByteCount } / max(1, keys.count)
    let count = max(1, min(Self.listedCount, Self.listedByteCount / max(1, averageByteCount)))
    for first in stride(from: 0, to: keys.count, by: count) {
      let spans = try missing[0].joined(Array(keys[first..<min(first + count, keys.count)]))
      try body(spans.stripe, RowMask(count: spans.stripe.rowCount, filled: true))
    }
  }

  func forEachService(_ body: (String, Int) -> Void) throws {
    var counts: [[UInt8]: Int] = [:]
    try forEachStripe { stripe, _ in
      for service in try stripe.services(Array(0..<stripe.rowCount)) {
        counts[Array(service.name.utf8), default: 0] += service.count
      }
    }
    for (service, count) in counts { body(String(decoding: service, as: UTF8.self), count) }
  }

  func forEachOperation(service: String?, _ body: (String, SpanKind, Int) -> Void) throws {
    struct Key: Hashable {
      var name: [UInt8]
      var kind: Int32
    }
    var counts: [Key: Int] = [:]
    try forEachStripe { stripe, _ in
      for operation in try stripe.operations(Array(0..<stripe.rowCount)) {
        if let service, !service.utf8.elementsEqual(operation.service.utf8) { continue }
        counts[Key(name: Array(operation.name.utf8), kind: operation.kind.rawValue), default: 0] += operation.count
      }
    }
    for (key, count) in counts { body(String(decoding: key.name, as: UTF8.self), SpanKind(rawValue: key.kind), count) }
  }

  func forEachAttributeKey(_ body: (AttributeKeyCount) -> Void) throws {
    try forEachStripe { stripe, rows in try stripe.forEachAttributeKey(in: rows, body) }
  }

  func forEachEnvelope(_ body: (SpanEnvelope) -> Void) throws {
    try forEachStripe { stripe, rows in try stripe.forEachEnvelope(in: rows, body) }
  }

  func forEachAttributeValue(
    key: String, level: ColumnLevel?, limit: Int, _ body: (AttributeValue, Int) -> Void
  ) throws -> Bool {
    var counts: [AttributeValue: Int] = [:]
    var isCut = false
    func add(_ value: AttributeValue, _ count: Int) {
      if counts.count < limit || counts[value] != nil { counts[value, default: 0] += count } else { isCut = true }
    }
    let levels = ColumnLevel.allCases.filter { own in level.map { $0 == own } ?? true }
    let own = levels.filter { $0 != .resource && $0 != .scope }
    if !own.isEmpty {
      try forEachStripe { stripe, rows in
        let isMore = try stripe.forEachAttributeValue(key: Array(key.utf8), own, in: rows, limit: limit, add)
        isCut = isCut || isMore
      }
    }
    if levels.count > own.count {
      var envelopes: Set<SpanEnvelope> = []
      try forEachEnvelope { if levels.contains($0.level) { envelopes.insert($0) } }
      for attribute in envelopes.flatMap(\.attributes) where attribute.key.utf8.elementsEqual(key.utf8) {
        add(attribute.value, 1)
      }
    }
    for (value, count) in counts { body(value, count) }
    return isCut
  }
}

/// What could not be read of spans that were joined for a query.
final class JoinDamage: Sendable {
  private let known = Mutex<[String]>([])

  var sentences: [String] { known.withLock { $0 } }

  func add(_ sentences: [String]) {
    if sentences.isEmpty { return }
    known.withLock { known in
      for sentence in sentences where !known.contains(sentence) { known.append(sentence) }
    }
  }
}
