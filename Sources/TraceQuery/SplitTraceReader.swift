import TraceColumns
import TraceGraph
import TraceMerge
import TraceModel
import TraceSegment
import TraceSource

/// Where the final spans of a trace stand.
struct SplitTraceParts: Sendable {
  /// The numbers of the segments, each once; nil where others have some too.
  var segments: [UInt64]?
  var stripeCount = 0
}

/// Reads traces whose spans come from several places: of their final spans each distinct one counts once.
struct SplitTraceReader: Sendable {
  private let snapshot: QuerySnapshot
  private let loose: LooseTraces
  private var names = NameTable()
  private var pairing = CallPairing()
  private var collector = CallCollector(capacity: 0)
  private var linked: [(ordinal: UInt32, consumer: LinkedConsumer)] = []
  private var producers: [TraceCalls.Producer] = []
  private var traces: [TraceID] = []
  private(set) var parts: [SplitTraceParts] = []
  private(set) var damage = DamageReport()

  init(_ snapshot: QuerySnapshot, _ loose: LooseTraces) {
    self.snapshot = snapshot
    self.loose = loose
  }

  /// What was read, put together anew each time.
  func calls() -> TraceCalls {
    TraceCalls(names: names.names, calls: collector, linked: linked, producers: producers, traces: traces)
  }

  /// Rows that are in memory at once, unless a single trace has more.
  private static let batchRowCount = 1 << 16

  /// - Parameter traces: in the order in which stripes have them, as far as that goes: each stripe is asked once for all that
  ///   are in memory at once.
  mutating func add(_ traces: [TraceID]) {
    let located = snapshot.located(traces, loose, &damage)
    var first = 0
    while first < traces.count {
      var end = first
      var rowCount = 0
      repeat {
        rowCount += located.rowCounts[end]
        end += 1
      } while end < traces.count && rowCount + located.rowCounts[end] <= Self.batchRowCount
      var fragments = CallFragments(traces: first..<end)
      for (source, own) in located.sources { fragments.add(own, of: source, &names, &damage) }
      for place in first..<end {
        parts.append(fragments.parts(ofTrace: place))
        add(traces[place], fragments.distinctRows(ofTrace: place, &damage))
      }
      first = end
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

/// Rows of a trace, with its place among others.
private typealias PlacedRows = (place: Int, rows: LocatedRows)

/// What stripes have of some traces, by the places of the traces.
private struct CallFragments {
  private struct Row {
    var row: CallRow
    /// Its place in `stripes`.
    var stripe: Int
  }

  /// With the numbers of their segments; nil for other sources.
  private var stripes: [(stripe: any SpanStripe, segment: UInt64?)] = []
  private let traces: Range<Int>
  private var rows: [[Row]]

  /// - Parameter traces: their places.
  init(traces: Range<Int>) {
    self.traces = traces
    rows = [[Row]](repeating: [], count: traces.count)
  }

  /// Adds what one source has of these traces.
  ///
  /// - Parameter located: ascending by place, others as well.
  mutating func add(
    _ located: [PlacedRows], of source: any SpanSource, _ names: inout NameTable, _ report: inout DamageReport
  ) {
    let low = located.indices.partition { located[$0].place >= traces.lowerBound }
    let high = located.indices.partition { located[$0].place >= traces.upperBound }
    for (_, parts) in Dictionary(grouping: located[low..<high], by: \.rows.stripe.index) {
      let stripe = parts[0].rows.stripe
      stripes.append((stripe, (source as? Segment)?.number))
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

  private mutating func add(_ parts: [PlacedRows], of stripe: any SpanStripe, _ names: inout NameTable) throws {
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
      rows[wanted[next].place - traces.lowerBound].append(Row(row: row, stripe: stripes.count - 1))
    }
  }

  private mutating func add(_ found: [CallRow], ofTrace place: Int) {
    for row in found { rows[place - traces.lowerBound].append(Row(row: row, stripe: stripes.count - 1)) }
  }

  func parts(ofTrace place: Int) -> SplitTraceParts {
    var parts = SplitTraceParts(segments: [])
    var last = -1
    // Rows of one stripe stand side by side, and so do those of one source.
    for row in rows[place - traces.lowerBound] where row.stripe != last {
      parts.stripeCount += 1
      last = row.stripe
      guard let segment = stripes[row.stripe].segment else {
        parts.segments = nil
        continue
      }
      if parts.segments?.last != segment { parts.segments?.append(segment) }
    }
    return parts
  }

  /// The distinct final spans of a trace.
  func distinctRows(ofTrace place: Int, _ report: inout DamageReport) -> [CallRow] {
    let rows = rows[place - traces.lowerBound]
    guard Set(rows.lazy.map(\.row.span.spanID)).count < rows.count else { return rows.map(\.row) }
    // Only spans that agree in what is known may be one: these are compared by content.
    let counts = Dictionary(rows.map { (Likeness($0.row), 1) }, uniquingKeysWith: +)
    var seen: Set<[UInt8]> = []
    var distinct: [CallRow] = []
    for row in rows {
      guard counts[Likeness(row.row), default: 1] > 1 else {
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

  /// What two rows have in common that are one span.
  private struct Likeness: Hashable {
    private let ids: [UInt64]
    private let codes: [UInt32]

    init(_ row: CallRow) {
      let span = row.span
      ids = [span.spanID, span.parentID, span.start, span.duration]
      codes = [span.service, span.peer, UInt32(span.role.rawValue), span.isError ? 1 : 0]
    }
  }
}

extension QuerySnapshot {
  /// Where the final rows of some traces stand, source by source, and how many there are of each trace.
  fileprivate func located(
    _ traces: [TraceID], _ loose: LooseTraces, _ report: inout DamageReport
  ) -> (sources: [(source: any SpanSource, rows: [PlacedRows])], rowCounts: [Int]) {
    var rowCounts = [Int](repeating: 0, count: traces.count)
    let sources = recordSources.enumerated().map { place, source in
      let located = loose.finals(of: traces, inSource: place) ?? source.finals(of: traces, &report)
      for (place, own) in located { rowCounts[place] += own.rows.count }
      return (source: source, rows: located)
    }
    return (sources, rowCounts)
  }
}

extension SpanSource {
  /// The rows of some traces, with the places of these.
  fileprivate func finals(of traces: [TraceID], _ report: inout DamageReport) -> [PlacedRows] {
    // A source that cannot say is asked for rows, and says why it has none.
    ((try? mayHold(among: traces)) ?? Array(traces.indices)).flatMap { place in
      (report.collect { try finals(of: traces[place]) } ?? []).map { (place, $0) }
    }
  }

  private func finals(of trace: TraceID) throws -> [LocatedRows] {
    // Of a segment, partial records that cannot be read cost no final span.
    if let segment = self as? Segment { return try segment.finalRows(of: trace, for: .fields) }
    return try rows(of: trace).filter { $0.stripe.holdsFinals }
  }
}
