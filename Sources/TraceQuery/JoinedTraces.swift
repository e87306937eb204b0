import TraceGraph
import TraceMerge
import TraceModel
import TraceSegment
import TraceSource

/// Traces whose spans come from several places, joined: of their final spans each distinct one counts once.
struct JoinedTraces: Sendable {
  private let snapshot: QuerySnapshot
  private let loose: LooseTraces
  private var names = NameTable()
  private var pairing = CallPairing()
  private var collector = CallCollector(capacity: 0)
  private var linked: [(ordinal: UInt32, consumer: LinkedConsumer)] = []
  private var producers: [TraceCalls.Producer] = []
  private var traces: [TraceID] = []
  /// The sources that have spans of each trace, once for each stripe; nil for one whose content may change.
  private(set) var parts: [[UInt64?]] = []
  private(set) var damage = DamageReport()

  init(_ snapshot: QuerySnapshot, _ loose: LooseTraces) {
    self.snapshot = snapshot
    self.loose = loose
  }

  var calls: TraceCalls {
    TraceCalls(names: names.names, calls: collector, linked: linked, producers: producers, traces: traces)
  }

  /// Traces whose spans are in memory at once.
  static let batchCount = 4096

  /// - Parameter traces: at most `batchCount`; neighbours stand in few stripes, each of which is asked once.
  mutating func add(_ traces: [TraceID]) {
    let fragments = snapshot.callFragments(of: traces, loose, &names, &damage)
    for (place, trace) in traces.enumerated() {
      parts.append(fragments.parts(ofTrace: place))
      add(trace, fragments.distinctRows(ofTrace: place, &damage))
    }
  }

  private mutating func add(_ trace: TraceID, _ rows: [CallRow]) {
    let ordinal = traces.count
    traces.append(trace)
    let spans = rows.map(\.span)
    let names = names
    spans.withUnsafeBufferPointer { spans in
      pairing.pair(spans, precedes: names.precedes, isLinked: { !rows[$0].targets.isEmpty }) { call in
        collector.add(call, ordinal: ordinal)
      }
    }
    for (index, row) in rows.enumerated() {
      if row.span.role == .producer {
        producers.append(
          TraceCalls.Producer(
            ordinal: UInt32(truncatingIfNeeded: ordinal), service: row.span.service, spanID: row.span.spanID,
            start: row.span.start))
      }
      if row.targets.isEmpty || pairing.hasCaller(index) { continue }
      linked.append((UInt32(truncatingIfNeeded: ordinal), LinkedConsumer(span: row.span, targets: row.targets)))
    }
  }
}

/// The traces of sources that are joined whatever else has them: memtables.
struct LooseTraces: Sendable {
  /// Those of sources that give all at once, by their place in the snapshot. To look up one after the other takes a lock each
  /// time that writes hold as well.
  private var rows: [Int: [TraceID: [LocatedRows]]] = [:]
  /// In the order in which they came, so that whoever takes neighbours reads neighbours.
  private(set) var traces: [TraceID] = []

  init(_ sources: [any SpanSource], _ damage: inout DamageReport) {
    var seen: Set<TraceID> = []
    func add(_ trace: TraceID) { if seen.insert(trace).inserted { traces.append(trace) } }
    for (place, source) in sources.enumerated() where !(source is Segment) {
      guard let finals = source.finalsByTrace() else {
        damage.collect { try source.forEachTrace(inStripesThat: { _ in true }, add) }
        continue
      }
      for (trace, _) in finals { add(trace) }
      rows[place] = Dictionary(finals.map { ($0.trace, $0.rows) }, uniquingKeysWith: { $0 + $1 })
    }
  }

  /// The final rows of some traces in a source, by the places of these; nil where they have to be looked up there.
  func finals(of traces: [TraceID], inSource source: Int) -> [(place: Int, rows: LocatedRows)]? {
    rows[source].map { known in
      traces.enumerated().flatMap { place, trace in (known[trace] ?? []).map { (place, $0) } }
    }
  }
}

/// What stripes have of some traces, by the places of the traces.
struct CallFragments {
  private struct Row {
    var row: CallRow
    /// Its place in `stripes`.
    var stripe: Int
  }

  /// With the numbers of their sources.
  private var stripes: [(stripe: any SpanStripe, source: UInt64?)] = []
  private var rows: [[Row]]

  init(traceCount: Int) { rows = [[Row]](repeating: [], count: traceCount) }

  /// Adds what one source has.
  ///
  /// - Parameter located: with the places of the traces.
  mutating func add(
    _ located: [(place: Int, rows: LocatedRows)], of source: any SpanSource, _ names: inout NameTable,
    _ report: inout DamageReport
  ) {
    for (_, parts) in Dictionary(grouping: located, by: \.rows.stripe.index) {
      let stripe = parts[0].rows.stripe
      stripes.append((stripe, source.contentNumber))
      do {
        try add(parts, of: stripe, &names)
      } catch {
        // What is damaged costs the rows that need it alone.
        for (place, own) in parts {
          report.salvage(own) { add(try $0.stripe.callRows($0.rows, &names), ofTrace: place) }
        }
      }
    }
  }

  private mutating func add(
    _ parts: [(place: Int, rows: LocatedRows)], of stripe: any SpanStripe, _ names: inout NameTable
  ) throws {
    if parts.count == 1 {
      return add(try stripe.callRows(parts[0].rows.rows, &names), ofTrace: parts[0].place)
    }
    var wanted: [(row: Int, place: Int)] = []
    for (place, own) in parts { for row in own.rows { wanted.append((row, place)) } }
    wanted.sort { $0.row < $1.row }
    var next = 0
    for row in try stripe.callRows(wanted.map(\.row), &names) {
      // Records that are not final are not among them.
      while wanted[next].row < row.row { next += 1 }
      rows[wanted[next].place].append(Row(row: row, stripe: stripes.count - 1))
    }
  }

  private mutating func add(_ found: [CallRow], ofTrace place: Int) {
    for row in found { rows[place].append(Row(row: row, stripe: stripes.count - 1)) }
  }

  /// The sources that have rows of a trace, once for each stripe.
  func parts(ofTrace place: Int) -> [UInt64?] {
    var parts: [UInt64?] = []
    var last = -1
    // Rows of one stripe stand side by side.
    for row in rows[place] where row.stripe != last {
      parts.append(stripes[row.stripe].source)
      last = row.stripe
    }
    return parts
  }

  /// The distinct final spans of a trace.
  func distinctRows(ofTrace place: Int, _ report: inout DamageReport) -> [CallRow] {
    let rows = rows[place]
    let repeated = Self.repeatedIDs(rows.map(\.row.span.spanID))
    guard !repeated.isEmpty else { return rows.map(\.row) }
    // Only spans that share their id may be one: these are compared by content.
    var seen: Set<[UInt8]> = []
    var distinct: [CallRow] = []
    for row in rows {
      guard repeated.contains(row.row.span.spanID) else {
        distinct.append(row.row)
        continue
      }
      report.collect {
        for record in try stripes[row.stripe].stripe.records([row.row.row]) {
          let bytes = ContentHash.canonicalBytes(resource: record.resource, scope: record.scope, span: record.span)
          if seen.insert(bytes).inserted { distinct.append(row.row) }
        }
      }
    }
    return distinct
  }

  private static func repeatedIDs(_ ids: [UInt64]) -> Set<UInt64> {
    guard ids.count > 1 else { return [] }
    var repeated: Set<UInt64> = []
    let ids = ids.sorted()
    for (id, next) in zip(ids, ids.dropFirst()) where id == next { repeated.insert(id) }
    return repeated
  }
}

extension QuerySnapshot {
  /// What all sources have of some traces.
  func callFragments(
    of traces: [TraceID], _ loose: LooseTraces, _ names: inout NameTable, _ report: inout DamageReport
  ) -> CallFragments {
    var fragments = CallFragments(traceCount: traces.count)
    for (place, source) in recordSources.enumerated() {
      let located = loose.finals(of: traces, inSource: place) ?? source.finals(of: traces, &report)
      fragments.add(located, of: source, &names, &report)
    }
    return fragments
  }
}

extension SpanSource {
  /// The rows of some traces, with the places of these.
  fileprivate func finals(of traces: [TraceID], _ report: inout DamageReport) -> [(place: Int, rows: LocatedRows)] {
    // A source that cannot say is asked for rows, and says why it has none.
    ((try? mayHold(among: traces)) ?? Array(traces.indices)).flatMap { place in
      (report.collect { try rows(of: traces[place], for: .fields) } ?? [])
        .filter { $0.stripe.holdsFinals }.map { (place, $0) }
    }
  }
}
