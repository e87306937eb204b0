package import TraceColumns
package import TraceGraph
package import TraceModel

/// A set of spans that a query reads: a memtable, a segment, or the partial records of one.
package protocol SpanSource: AnyObject, Sendable {
  /// The stripes, in any order. Rows of different stripes are different records.
  var stripes: [any SpanStripe] { get }

  /// How many stripes there are, which costs less than to list them.
  var stripeCount: Int { get }

  /// What can be said of all stripes together, without listing them.
  var bounds: StripeBounds { get }

  /// For each of `stripes`, whether it may hold a row that passes; as `SpanStripe.mayMatch`, but what the stripes share
  /// is looked at once. Those that are not `open` are not looked at.
  func stripes(mayMatch leaf: SpanLeaf, among open: [Bool]) throws -> [Bool]

  /// The same for rows that do not pass.
  func stripes(mayFail leaf: SpanLeaf, among open: [Bool]) throws -> [Bool]

  /// The stripes that may hold a row that passes, decided from resident data.
  ///
  /// - Parameters:
  ///   - texts: `neededTexts` of the predicate, which a search works out once.
  ///   - isOpen: whether stripes of such bounds are wanted at all; true of bounds that hold others that it is true of.
  func candidates(
    _ predicate: SpanPredicate, needing texts: NeededTexts, where isOpen: (StripeBounds) -> Bool
  ) throws -> [any SpanStripe]

  /// The rows of a trace, by stripe. Costs a probe of a resident filter when the trace is not here.
  func rows(of trace: TraceID) throws -> [LocatedRows]

  /// The same for a caller that says what it is after.
  func rows(of trace: TraceID, for use: RowUse) throws -> [LocatedRows]

  /// The same when one of its rows is known; nil when that does not say where the others stand.
  func rows(of trace: TraceID, around row: FoundRow) throws -> [LocatedRows]?

  /// Whether a row stands here, in a place that may know from when to when its trace lasts.
  func knowsBounds(around row: FoundRow) -> Bool

  /// From when to when a trace lasts one of whose rows is known, when all its records here are final; nil when that is not
  /// known without looking at them.
  func timeBounds(of trace: TraceID, around row: FoundRow) throws -> (minimumStart: UInt64, maximumEnd: UInt64)?

  /// False when the trace has certainly no rows here, partial records included; decided by a resident filter where
  /// there is one.
  func mayHold(_ trace: TraceID) throws -> Bool

  /// The places of the traces that may have rows here, ascending.
  func mayHold(among traces: [TraceID]) throws -> [Int]

  /// Calls `body` with the traces that have final spans in stripes that pass; a trace may come several times.
  func forEachTrace(inStripesThat passes: (StripeBounds) -> Bool, _ body: (TraceID) throws -> Void) throws

  /// The final rows of all traces, in the order in which the traces came, for a source in which to look up one after the
  /// other takes longer; nil for others.
  func finalsByTrace() -> [(trace: TraceID, rows: [LocatedRows])]?

  /// The rows of each stripe whose record stands in an earlier row of this source; empty where there are none.
  func repeatedRows() throws -> [Int: RowMask]

  /// Names the content for as long as the process runs; nil for sources that grow.
  var contentNumber: UInt64? { get }

  /// Calls `body` with each service name and how many spans have it.
  func forEachService(_ body: (_ name: String, _ spanCount: Int) -> Void) throws

  /// Calls `body` with each (span name, kind, span count) of a service; nil means every service.
  func forEachOperation(
    service: String?, _ body: (_ name: String, _ kind: SpanKind, _ spanCount: Int) -> Void) throws

  /// Calls `body` with each attribute key of spans, events and links, its level, type and how many values it has.
  func forEachAttributeKey(_ body: (AttributeKeyCount) -> Void) throws

  /// Calls `body` with each resource and each scope that has spans here.
  func forEachEnvelope(_ body: (SpanEnvelope) -> Void) throws

  /// Calls `body` with each distinct value of a key at a level (nil: any), and how often it occurs: once for every
  /// span, event or link, and once for every distinct resource or scope. At most `limit` distinct values are given by
  /// one source; true is returned when there were more. A value may be given several times with parts of its count.
  func forEachAttributeValue(
    key: String, level: ColumnLevel?, limit: Int, _ body: (_ value: AttributeValue, _ count: Int) -> Void
  ) throws -> Bool
}

/// What the rows of a trace are looked up for, which decides how much of a stripe is read in one go.
package enum RowUse: Sendable {
  /// Most of their columns.
  case records
  /// A few columns.
  case fields
}

extension SpanSource {
  package var stripeCount: Int { stripes.count }

  package func knowsBounds(around row: FoundRow) -> Bool { false }

  package func timeBounds(
    of trace: TraceID, around row: FoundRow
  ) throws -> (minimumStart: UInt64, maximumEnd: UInt64)? { nil }

  package func finalsByTrace() -> [(trace: TraceID, rows: [LocatedRows])]? { nil }

  package func stripes(mayFail leaf: SpanLeaf, among open: [Bool]) throws -> [Bool] { open }

  package func candidates(_ predicate: SpanPredicate, where isOpen: (StripeBounds) -> Bool) throws -> [any SpanStripe] {
    try candidates(predicate, needing: predicate.neededTexts, where: isOpen)
  }

  package func candidates(
    _ predicate: SpanPredicate, needing texts: NeededTexts, where isOpen: (StripeBounds) -> Bool
  ) throws -> [any SpanStripe] {
    let stripes = stripes
    let mayMatch = try predicate.stripes(of: self, among: stripes.map { isOpen($0.bounds) })
    return zip(stripes, mayMatch).filter(\.1).map(\.0)
  }

  package func mayHold(among traces: [TraceID]) throws -> [Int] {
    try traces.indices.filter { try mayHold(traces[$0]) }
  }

  package func rows(of trace: TraceID, for use: RowUse) throws -> [LocatedRows] { try rows(of: trace) }
  package func rows(of trace: TraceID, around row: FoundRow) throws -> [LocatedRows]? { nil }
  package func repeatedRows() throws -> [Int: RowMask] { [:] }
  package var contentNumber: UInt64? { nil }
}

/// How often an attribute key occurs in a source.
package struct AttributeKeyCount: Sendable {
  package var key: String
  package var level: ColumnLevel
  /// The raw value of an `AttributeType`.
  package var type: UInt8
  package var valueCount: Int

  package init(key: String, level: ColumnLevel, type: UInt8, valueCount: Int) {
    self.key = key
    self.level = level
    self.type = type
    self.valueCount = valueCount
  }
}

/// How many spans have an operation.
package struct OperationCount: Sendable {
  package var service: String
  package var name: String
  package var kind: SpanKind
  package var count: Int

  package init(service: String, name: String, kind: SpanKind, count: Int) {
    self.service = service
    self.name = name
    self.kind = kind
    self.count = count
  }
}

/// Rows of one trace in one stripe, ascending.
package struct LocatedRows: Sendable {
  package var stripe: any SpanStripe
  package var rows: [Int]

  package init(stripe: any SpanStripe, rows: [Int]) {
    self.stripe = stripe
    self.rows = rows
  }
}

/// A row that a search has found.
package struct FoundRow: Sendable {
  package var stripe: any SpanStripe
  package var row: Int

  package init(stripe: any SpanStripe, row: Int) {
    self.stripe = stripe
    self.row = row
  }
}

/// What a stripe can say about its rows without reading them.
package struct StripeBounds: Sendable {
  package var minimumStart: UInt64 = .max
  package var maximumStart: UInt64 = 0
  package var maximumEnd: UInt64 = 0
  package var minimumDuration: UInt64 = .max
  package var maximumDuration: UInt64 = 0

  package init() {}

  package mutating func include(_ other: StripeBounds) {
    minimumStart = min(minimumStart, other.minimumStart)
    maximumStart = max(maximumStart, other.maximumStart)
    maximumEnd = max(maximumEnd, other.maximumEnd)
    minimumDuration = min(minimumDuration, other.minimumDuration)
    maximumDuration = max(maximumDuration, other.maximumDuration)
  }

  package mutating func include(start: UInt64, end: UInt64) {
    let duration = end > start ? end - start : 0
    minimumStart = min(minimumStart, start)
    maximumStart = max(maximumStart, start)
    maximumEnd = max(maximumEnd, end)
    minimumDuration = min(minimumDuration, duration)
    maximumDuration = max(maximumDuration, duration)
  }
}

/// One row that a search found: its sort key and its trace.
package struct MatchedRow: Sendable {
  package var row: Int
  package var start: UInt64
  package var duration: UInt64
  package var trace: TraceID

  package init(row: Int, start: UInt64, duration: UInt64, trace: TraceID) {
    self.row = row
    self.start = start
    self.duration = duration
    self.trace = trace
  }
}

/// One row of a walk from the newest on.
package struct NewestRow: Sendable {
  package var row: Int
  package var start: UInt64
  package var trace: TraceID

  package init(row: Int, start: UInt64, trace: TraceID) {
    self.row = row
    self.start = start
    self.trace = trace
  }
}

/// What a summary needs of a row.
package struct SummaryRow: Sendable {
  package var start: UInt64
  package var end: UInt64
  package var spanID: UInt64
  package var parentSpanID: UInt64?
  package var statusCode: Int32
  package var isPartial: Bool
  package var service: String
  package var name: String

  package init(
    start: UInt64, end: UInt64, spanID: UInt64, parentSpanID: UInt64?, statusCode: Int32, isPartial: Bool,
    service: String, name: String
  ) {
    self.start = start
    self.end = end
    self.spanID = spanID
    self.parentSpanID = parentSpanID
    self.statusCode = statusCode
    self.isPartial = isPartial
    self.service = service
    self.name = name
  }
}

/// A materialised record with the resource and scope it came under.
package struct SourceSpan: Sendable {
  package var resource: Resource
  package var scope: InstrumentationScope
  package var span: SpanRecord
  /// Whether the record, or the view that several records make, does not end its span.
  package var isPartial: Bool
  /// Whether an enrichment took part in the view that this is.
  package var isEnriched: Bool

  package init(
    resource: Resource, scope: InstrumentationScope, span: SpanRecord, isPartial: Bool, isEnriched: Bool = false
  ) {
    self.resource = resource
    self.scope = scope
    self.span = span
    self.isPartial = isPartial
    self.isEnriched = isEnriched
  }
}

/// Rows that are read together. All methods are synchronous, thread-safe, and throw `TracestoreError(.corrupt)`
/// naming file and page when bytes they need are damaged.
package protocol SpanStripe: AnyObject, Sendable {
  var rowCount: Int { get }
  var bounds: StripeBounds { get }
  /// Bytes of the stripe on disk; 0 when there are none.
  var storedByteCount: UInt64 { get }
  /// Whether the stripe is in memory: all of it, or the columns that were asked for.
  var isCached: Bool { get }

  /// False when no row of the stripe can pass; decided from resident data, without reading the stripe.
  func mayMatch(_ leaf: SpanLeaf) throws -> Bool

  /// Clears every row of `mask` that does not pass. Rows that are not set need not be looked at.
  func filter(_ mask: inout RowMask, by leaf: SpanLeaf) throws

  /// Calls `body` with every set row in ascending order.
  func forEachMatch(_ mask: RowMask, _ body: (MatchedRow) -> Void) throws

  /// Calls `body` with set rows by descending start (equal starts in any order) until it returns false. Cost: at most
  /// that of `forEachMatch` and a sort; an ordered stripe looks at little more than what it gives.
  func forEachNewest(_ mask: RowMask, _ body: (NewestRow) -> Bool) throws

  /// Calls `body` with each attribute key of the set rows, their events and links; every key may be given several
  /// times with parts of its count.
  func forEachAttributeKey(in mask: RowMask, _ body: (AttributeKeyCount) -> Void) throws

  /// Calls `body` with each distinct value that a key has in the set rows, their events or links, and how often. At
  /// most `limit` distinct values are given; true is returned when there were more. A value may be given several times
  /// with parts of its count.
  func forEachAttributeValue(
    key: [UInt8], _ levels: [ColumnLevel], in mask: RowMask, limit: Int,
    _ body: (_ value: AttributeValue, _ count: Int) -> Void
  ) throws -> Bool

  /// Calls `body` with each resource and each scope of the set rows, perhaps more than once.
  func forEachEnvelope(in mask: RowMask, _ body: (SpanEnvelope) -> Void) throws

  /// Calls `body` with the final spans of `rows` and `mask` (nil: all) that the selection takes. One run may come in
  /// several parts.
  ///
  /// Cost: pages without such rows are not decoded.
  func forEachCallRun(
    _ selection: CallSelection, in rows: Range<Int>, _ mask: RowMask?, _ body: (CallRun) throws -> Void) throws

  /// The text that a code of `forEachCallRun` stands for.
  func text(_ code: UInt32) throws -> [UInt8]

  /// The text of the first value that a key has in each set row: levels in the order given, attributes in theirs.
  func texts(of key: [UInt8], _ levels: [ColumnLevel], in mask: RowMask) throws -> RowTexts

  /// Its place among the stripes of its source.
  var index: Int { get }

  /// False for a stripe of partial records alone, which questions about finals spare themselves.
  var holdsFinals: Bool { get }

  /// Those of the rows (ascending) that are partial records.
  func partialRows(_ rows: [Int]) -> [Int]

  /// The rows' span ids, in the order of `rows` (ascending).
  func spanIDs(_ rows: [Int]) throws -> [UInt64]

  func summaryRows(_ rows: [Int]) throws -> [SummaryRow]

  /// The earliest start and the latest end of rows (one or more, ascending), when that costs less than their summary
  /// rows; nil when it does not, or when an end is not known.
  func timeBounds(_ rows: [Int]) throws -> (minimumStart: UInt64, maximumEnd: UInt64)?

  /// What the service graph needs of those of the rows (ascending) that are final; texts become codes of `names`.
  func callRows(_ rows: [Int], _ names: inout NameTable) throws -> [CallRow]

  /// The services of rows (ascending), and how many of them have each; one may be given several times with parts of its
  /// count.
  func services(_ rows: [Int]) throws -> [(name: String, count: Int)]

  /// The services, names and kinds of rows (ascending), and how many of them have each; one may be given several times
  /// with parts of its count. Costs their records, unless a stripe knows better.
  func operations(_ rows: [Int]) throws -> [OperationCount]

  /// The records in the order of `rows` (ascending).
  func records(_ rows: [Int]) throws -> [SourceSpan]
}

extension SpanStripe {
  package var storedByteCount: UInt64 { 0 }
  package var isCached: Bool { true }

  package var holdsFinals: Bool { true }
  package func partialRows(_ rows: [Int]) -> [Int] { [] }

  package func timeBounds(_ rows: [Int]) throws -> (minimumStart: UInt64, maximumEnd: UInt64)? { nil }

  package func callRows(_ rows: [Int], _ names: inout NameTable) throws -> [CallRow] {
    try zip(rows, records(rows)).compactMap { row, record in
      record.isPartial ? nil : CallRow(row: row, record.span, service: record.resource.serviceName, &names)
    }
  }

  package func services(_ rows: [Int]) throws -> [(name: String, count: Int)] {
    try operations(rows).map { ($0.service, $0.count) }
  }

  package func operations(_ rows: [Int]) throws -> [OperationCount] {
    try records(rows).map {
      OperationCount(service: $0.resource.serviceName, name: $0.span.name, kind: $0.span.kind, count: 1)
    }
  }

  package func forEachNewest(_ mask: RowMask, _ body: (NewestRow) -> Bool) throws {
    var rows: [NewestRow] = []
    try forEachMatch(mask) { rows.append(NewestRow(row: $0.row, start: $0.start, trace: $0.trace)) }
    rows.sort { $0.start > $1.start }
    for row in rows where !body(row) { return }
  }
}
