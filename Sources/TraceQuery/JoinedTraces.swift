import TraceGraph
import TraceMerge
import TraceModel
import TraceSegment
import TraceSource

/// The calls of traces whose spans come from several places: their final spans are joined, each distinct one once.
struct JoinedTraces: Sendable {
  private let snapshot: QuerySnapshot
  private let loose: LooseTraces
  private let window: ClosedRange<UInt64>
  private var names = NameTable()
  private var tally = EdgeTally()
  private var pairing = CallPairing()
  private(set) var linked: [NamedConsumer] = []
  private(set) var damage: [String] = []

  init(_ snapshot: QuerySnapshot, _ loose: LooseTraces, _ window: ClosedRange<UInt64>) {
    self.snapshot = snapshot
    self.loose = loose
    self.window = window
  }

  func add(to sums: inout GraphSums) { sums.add(tally, names.names) }

  mutating func add(_ trace: TraceID) {
    var report = DamageReport()
    let rows = snapshot.distinctCallRows(of: trace, loose, &names, &report)
    for message in report.messages where !damage.contains(message) { damage.append(message) }
    let spans = rows.map(\.span)
    let (names, window) = (names, window)
    spans.withUnsafeBufferPointer { spans in
      pairing.pair(spans, precedes: names.precedes, isLinked: { !rows[$0].targets.isEmpty }) { call in
        if window.contains(call.start) { tally.add(call) }
      }
    }
    for (index, row) in rows.enumerated()
    where !row.targets.isEmpty && !pairing.hasCaller(index) && window.contains(row.span.start) {
      linked.append(
        NamedConsumer(
          service: names.names[Int(row.span.service)], consumer: LinkedConsumer(span: row.span, targets: row.targets)))
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

  /// The final rows of a trace in a source; nil where they have to be looked up there.
  func finals(of trace: TraceID, inSource place: Int) -> [LocatedRows]? { rows[place].map { $0[trace] ?? [] } }
}

extension QuerySnapshot {
  /// The distinct final spans of a trace.
  func distinctCallRows(
    of trace: TraceID, _ loose: LooseTraces, _ names: inout NameTable, _ report: inout DamageReport
  ) -> [CallRow] {
    var rows: [CallRow] = []
    var stripes: [any SpanStripe] = []
    for (place, source) in recordSources.enumerated() {
      let located = report.collect { try loose.finals(of: trace, inSource: place) ?? source.rows(of: trace) } ?? []
      for located in located {
        report.salvage(located) { fragment in
          let own = try fragment.stripe.callRows(fragment.rows, &names)
          rows += own
          stripes += repeatElement(fragment.stripe, count: own.count)
        }
      }
    }
    guard stripes.count > 1 else { return rows }
    let repeated = Self.repeatedIDs(rows)
    guard !repeated.isEmpty else { return rows }
    // Only spans that share their id may be one: these are compared by content.
    var seen: Set<[UInt8]> = []
    var distinct: [CallRow] = []
    for (row, stripe) in zip(rows, stripes) {
      guard repeated.contains(row.span.spanID) else {
        distinct.append(row)
        continue
      }
      report.collect {
        for record in try stripe.records([row.row]) {
          let bytes = ContentHash.canonicalBytes(resource: record.resource, scope: record.scope, span: record.span)
          if seen.insert(bytes).inserted { distinct.append(row) }
        }
      }
    }
    return distinct
  }

  private static func repeatedIDs(_ rows: [CallRow]) -> Set<UInt64> {
    var repeated: Set<UInt64> = []
    let ids = rows.map(\.span.spanID).sorted()
    for (id, next) in zip(ids, ids.dropFirst()) where id == next { repeated.insert(id) }
    return repeated
  }
}

/// A producer span that a link points to.
struct FoundProducer: Sendable {
  var start: UInt64
  var service: [UInt8]

  /// Spans that share their ids: the first counts, ties by name.
  func precedes(_ other: FoundProducer) -> Bool {
    start != other.start ? start < other.start : service.lexicographicallyPrecedes(other.service)
  }
}

/// The producer spans of some traces, by what links say of them; 28 bytes each.
struct ProducerTable: Sendable {
  /// Ascending.
  private var targets: [LinkTarget] = []
  /// Places of their names.
  private var services: [UInt32] = []
  private let names: [[UInt8]]

  /// - Parameter producers: of traces that stand nowhere else, so that of spans which share their ids the first is known.
  init(_ producers: [(target: LinkTarget, producer: FoundProducer)]) {
    targets.reserveCapacity(producers.count)
    services.reserveCapacity(producers.count)
    var names = NameTable()
    let ordered = producers.sorted {
      $0.target == $1.target ? $0.producer.precedes($1.producer) : Self.precedes($0.target, $1.target)
    }
    for (target, producer) in ordered where targets.last != target {
      targets.append(target)
      services.append(names.code(of: producer.service))
    }
    self.names = names.names
  }

  var byteCount: Int {
    targets.count * (MemoryLayout<LinkTarget>.stride + MemoryLayout<UInt32>.stride)
      + names.reduce(0) { $0 + $1.count + 32 }
  }

  /// The services of those that are wanted.
  ///
  /// What links point to need not be here. To look each up takes as many steps as the table can be halved, and to go
  /// through both side by side one for each target: whichever is less.
  ///
  /// - Parameter wanted: ascending, each once.
  func services(of wanted: [LinkTarget]) -> [(target: LinkTarget, service: [UInt8])] {
    if targets.isEmpty { return [] }
    let halvingCount = Int.bitWidth - targets.count.leadingZeroBitCount
    guard targets.count + wanted.count < wanted.count * halvingCount else {
      return wanted.compactMap { target in service(of: target).map { (target, $0) } }
    }
    var found: [(target: LinkTarget, service: [UInt8])] = []
    var place = 0
    for target in wanted {
      while place < targets.count, Self.precedes(targets[place], target) { place += 1 }
      if place == targets.count { break }
      if targets[place] == target { found.append((target, names[Int(services[place])])) }
    }
    return found
  }

  private func service(of target: LinkTarget) -> [UInt8]? {
    var (low, high) = (0, targets.count)
    while low < high {
      let middle = (low &+ high) / 2
      if Self.precedes(targets[middle], target) { low = middle &+ 1 } else { high = middle }
    }
    return low < targets.count && targets[low] == target ? names[Int(services[low])] : nil
  }

  static func precedes(_ left: LinkTarget, _ right: LinkTarget) -> Bool {
    left.trace != right.trace ? left.trace < right.trace : left.spanID < right.spanID
  }
}

/// The producers that links point to.
struct FoundProducers: Sendable {
  private var services: [LinkTarget: [UInt8]] = [:]

  /// Those that are wanted. A trace is counted in one of the tables, but where damage hides that it stands in several: then
  /// the first name counts, so that the order of the tables changes nothing.
  init(
    _ wanted: Set<LinkTarget>, among tables: [ProducerTable], _ parallel: SegmentParallelism = SegmentWriter.serial
  ) {
    let ascending = wanted.sorted(by: ProducerTable.precedes)
    for found in concurrently(parallel, tables.count, { tables[$0].services(of: ascending) }) {
      for (target, service) in found {
        if let known = services[target], known == service || known.lexicographicallyPrecedes(service) { continue }
        services[target] = service
      }
    }
  }

  func service(of target: LinkTarget) -> [UInt8]? { services[target] }
}

/// Finds the services of producers that links point to.
struct ProducerFinder {
  /// Where producers may be that are not known yet.
  private let sources: [any SpanSource]
  private var names = NameTable()
  private var known: [LinkTarget: FoundProducer?] = [:]

  init(_ sources: [any SpanSource]) { self.sources = sources }

  /// The service of the producer span that a link points to; nil when there is no such span.
  mutating func service(of target: LinkTarget, _ damage: inout DamageReport) -> [UInt8]? {
    if let known = known[target] { return known?.service }
    var best: FoundProducer?
    for source in sources {
      for located in damage.collect({ try source.rows(of: target.trace) }) ?? [] {
        damage.salvage(located) { fragment in
          let ids = try fragment.stripe.spanIDs(fragment.rows)
          let rows = zip(fragment.rows, ids).filter { $1 == target.spanID }.map(\.0)
          for row in try fragment.stripe.callRows(rows, &names) where row.span.role == .producer {
            let producer = FoundProducer(start: row.span.start, service: names.names[Int(row.span.service)])
            if best.map(producer.precedes) ?? true { best = producer }
          }
        }
      }
    }
    known[target] = .some(best)
    return best?.service
  }
}
