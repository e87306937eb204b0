import TraceAggregate
import TraceGraph
public import TraceModel
public import TracestoreV2

/// Calls, errors and latencies by minute and service, and the service graph, of spans as they come; with marks where the
/// present differs from what was usual.
///
/// A span counts in the minute it started in, and when it enters a service: server and consumer spans, and spans without
/// a parent. Memory is bounded: minutes older than the window are forgotten, services beyond a limit are counted together
/// under `otherServices`, and a graph with names beyond sixteen times that limit begins anew. A value: for one task at a
/// time.
public struct LiveFigures: Sendable {
  /// A service in a minute.
  public struct Cell: Sendable {
    public fileprivate(set) var callCount: UInt64 = 0
    public fileprivate(set) var errorCount: UInt64 = 0
    /// Saturating.
    public fileprivate(set) var sumNanoseconds: UInt64 = 0
    fileprivate var durations = DurationHistogram()

    public var errorRate: Double { callCount == 0 ? 0 : Double(errorCount) / Double(callCount) }

    /// A quantile of the durations, at most 1/64 of itself away from the exact one.
    public func nanoseconds(quantile: Double) -> UInt64 { durations.nearestRank(quantile) }

    fileprivate mutating func add(_ span: SpanRecord) {
      callCount += 1
      if span.isError { errorCount += 1 }
      sumNanoseconds = saturatingSum(sumNanoseconds, span.durationNanoseconds)
      durations.update(span.durationNanoseconds)
    }
  }

  /// The name under which services beyond the limit are counted.
  public static let otherServices = "(other services)"
  public static let minuteNanoseconds: UInt64 = 60_000_000_000

  /// How many minutes are kept.
  public let minuteCount: Int
  /// How many services are told apart in a minute, and edges in the graph.
  public let maximumServiceCount: Int
  /// By minute (since 1970), then by the bytes of the service.
  private var cells: [UInt64: [[UInt8]: Cell]] = [:]
  private var presentMinute: UInt64 = 0
  /// Spans that started before the window, or more than a minute from now.
  public private(set) var ignoredSpanCount: UInt64 = 0
  private var names = NameTable()
  private var edges: [UInt64: EdgeTally] = [:]
  private var pairing = CallPairing()

  public init(minuteCount: Int = 60, maximumServiceCount: Int = 1000) {
    self.minuteCount = max(1, minuteCount)
    self.maximumServiceCount = max(1, maximumServiceCount)
  }

  /// The minutes that there are figures of, ascending.
  public var minutes: [UInt64] { cells.keys.sorted() }

  /// The cells of a minute, by service.
  public func cells(ofMinute minute: UInt64) -> [(service: String, cell: Cell)] {
    (cells[minute] ?? [:]).sorted { $0.key.lexicographicallyPrecedes($1.key) }
      .map { (String(decoding: $0.key, as: UTF8.self), $0.value) }
  }

  public mutating func add(_ found: FoundSpan) {
    let kind = found.span.kind
    let isEntry = kind == .server || kind == .consumer || found.span.parentSpanID?.isZero ?? true
    guard isEntry else { return }
    guard let minute = admit(found.span.start) else {
      ignoredSpanCount += 1
      return
    }
    var service = Array(found.resource.serviceName.utf8)
    if cells[minute]?[service] == nil, cells[minute, default: [:]].count >= maximumServiceCount {
      service = Array(Self.otherServices.utf8)
    }
    cells[minute, default: [:]][service, default: Cell()].add(found.span)
  }

  /// Says what time it is: minutes that fall out of the window are forgotten. Clocks of producers do not move it.
  public mutating func advance(to now: Timestamp) {
    let minute = now.nanoseconds / Self.minuteNanoseconds
    guard minute > presentMinute else { return }
    presentMinute = minute
    let oldest = minute - min(minute, UInt64(minuteCount - 1))
    cells = cells.filter { $0.key >= oldest }
    edges = edges.filter { $0.key >= oldest }
    if edges.isEmpty || names.names.count > 16 * maximumServiceCount {
      edges = [:]
      names = NameTable()
    }
  }

  /// The minute of a time inside the window.
  private func admit(_ time: Timestamp) -> UInt64? {
    let minute = time.nanoseconds / Self.minuteNanoseconds
    return minute <= presentMinute + 1 && minute + UInt64(minuteCount) > presentMinute ? minute : nil
  }

  // MARK: The graph

  /// Adds the calls of a completed trace. Links to other traces are not followed.
  public mutating func add(trace spans: [FoundSpan]) {
    let rows = Set(spans).map { CallSpan($0, &names) }
    var calls: [Call] = []
    let table = names
    rows.withUnsafeBufferPointer { rows in
      pairing.pair(rows, precedes: table.precedes, isLinked: { _ in false }) { calls.append($0) }
    }
    for call in calls {
      guard let minute = admit(Timestamp(nanoseconds: call.start)) else { continue }
      let key = EdgeKey(call)
      var tally = edges[minute] ?? EdgeTally()
      edges[minute] = nil
      if tally.edges.count < maximumServiceCount || tally.holds(key) { tally.add(call) }
      edges[minute] = tally
    }
  }

  /// The links of all minutes that are kept.
  public var links: [DependencyLink] {
    var total = EdgeTally()
    for tally in edges.values { for (key, sums) in zip(tally.edges, tally.sums) { total.add(sums, to: key) } }
    return zip(total.edges, total.sums).compactMap { key, sums in
      let kinds: [Connection: ConnectionKind] = [
        .call: .call, .messaging: .messaging, .database: .database, .external: .external,
      ]
      guard let kind = kinds[key.connection], key.caller != key.callee else { return nil }
      func text(_ code: UInt32) -> String { String(decoding: names.names[Int(code)], as: UTF8.self) }
      return DependencyLink(
        parent: text(key.caller), child: text(key.callee), connection: kind, callCount: sums.callCount,
        errorCount: sums.errorCount,
        latency: DependencyLink.Latency(
          sumNanoseconds: sums.sumNanoseconds, medianNanoseconds: sums.quantile(0.5),
          percentile95Nanoseconds: sums.quantile(0.95), maximumNanoseconds: sums.maximumNanoseconds),
        source: DependencyLink.computedSource)
    }.sorted { $0.precedes($1) }
  }
}

extension CallSpan {
  fileprivate init(_ found: FoundSpan, _ names: inout NameTable) {
    let span = found.span
    let role = SpanRole(kind: span.kind.rawValue)
    self.init(
      spanID: span.spanID.rawValue, parentID: span.parentSpanID?.rawValue ?? 0, start: span.start.nanoseconds,
      duration: span.durationNanoseconds, service: names.code(of: Array(found.resource.serviceName.utf8)), role: role,
      isError: span.isError)
    if role.isCaller, let named = PeerNames.peer(of: span.attributes, role) {
      peer = names.code(of: Array(named.name.utf8))
      peerConnection = named.connection
    }
  }
}
