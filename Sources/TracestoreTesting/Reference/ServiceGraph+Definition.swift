import TraceModel
public import TracestoreV2

/// What counts as a call: the plainest words that say it, over records that are all there.
///
/// - The caller of a server or consumer span is the client or producer span that shares its id; else, of any span, the
///   span whose id is its parent's. Of several, the called half (server, consumer) comes first, then the earliest, then
///   by service, kind, parent and duration.
/// - A span whose caller has another service is a call; within one service, a server or consumer span is, when a client
///   or producer span stands behind its caller.
/// - The calling span behind a span is the span itself if it is a client or producer; for internal spans, that behind
///   its caller as long as the service stays the same.
/// - A client or producer span that is behind no call, and below which no other calling span of its service stands, is a
///   call to the peer that its attributes name, and unpaired when they name none.
/// - A consumer without a caller is called by each producer that its links name.
extension ServiceGraph {
  public init(spans: [FoundSpan], _ query: DependencyQuery) {
    self.init()
    let finals = spans.filter { $0.state.phase == .final }
    var calls: [NaiveCall] = []
    for (_, trace) in Dictionary(grouping: finals, by: { $0.span.traceID }) {
      calls += NaiveTrace(trace).calls(producers: finals)
    }
    calls.removeAll { !query.contains($0.start) }
    var counts: [[UInt8]: UnpairedSpans] = [:]
    var edges: [[[UInt8]]: [NaiveCall]] = [:]
    for call in calls {
      if let connection = call.connection {
        let (parent, child) = (Array(call.parent.utf8), Array(call.child.utf8))
        if parent == child, !query.includesSelfCalls { continue }
        edges[[parent, child, Array(connection.rawValue.utf8)], default: []].append(call)
      } else {
        var own = counts[Array(call.parent.utf8)] ?? UnpairedSpans(service: call.parent)
        if call.isUnpairedCallee { own.calleeCount += 1 } else { own.callerCount += 1 }
        counts[Array(call.parent.utf8)] = own
      }
    }
    links = edges.values.map { Self.link($0) }.sorted { $0.precedes($1) }
    unpaired = counts.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
  }

  private static func link(_ calls: [NaiveCall]) -> DependencyLink {
    let durations = calls.map(\.duration).sorted()
    func quantile(_ share: Double) -> UInt64 {
      durations[max(1, Int((share * Double(durations.count)).rounded(.up))) - 1]
    }
    return DependencyLink(
      parent: calls[0].parent, child: calls[0].child, connection: calls[0].connection ?? .unspecified,
      callCount: UInt64(calls.count), errorCount: UInt64(calls.count { $0.isError }),
      latency: DependencyLink.Latency(
        sumNanoseconds: durations.reduce(0) { $0.addingReportingOverflow($1).overflow ? .max : $0 + $1 },
        medianNanoseconds: quantile(0.5), percentile95Nanoseconds: quantile(0.95),
        maximumNanoseconds: durations[durations.count - 1]),
      source: DependencyLink.computedSource)
  }
}

private struct NaiveCall {
  var parent: String
  var child = ""
  /// Nil for unpaired spans.
  var connection: ConnectionKind?
  var isUnpairedCallee = false
  var start: Timestamp
  var duration: UInt64
  var isError: Bool

  init(_ span: SpanRecord, parent: String, child: String = "", _ connection: ConnectionKind? = nil) {
    self.parent = parent
    self.child = child
    self.connection = connection
    start = span.start
    duration = span.durationNanoseconds
    isError = span.isError
  }
}

private struct NaiveTrace {
  private let all: [FoundSpan]

  init(_ spans: [FoundSpan]) { all = spans }

  private func service(_ index: Int) -> String { all[index].resource.serviceName }
  private func isSameService(_ left: Int, _ right: Int) -> Bool {
    service(left).utf8.elementsEqual(service(right).utf8)
  }
  private func isCaller(_ index: Int) -> Bool { [.client, .producer].contains(all[index].span.kind) }
  private func isCallee(_ index: Int) -> Bool { [.server, .consumer].contains(all[index].span.kind) }
  private func parent(_ index: Int) -> SpanID? {
    all[index].span.parentSpanID.flatMap { $0.isZero || $0 == all[index].span.spanID ? nil : $0 }
  }

  private func caller(_ index: Int) -> Int? {
    let shared = all.indices.filter {
      $0 != index && isCallee(index) && all[$0].span.spanID == all[index].span.spanID && isCaller($0)
    }
    if let half = shared.min(by: isBetter) { return half }
    guard let parent = parent(index) else { return nil }
    return all.indices.filter { $0 != index && all[$0].span.spanID == parent }.min(by: isBetter)
  }

  private func isBetter(_ left: Int, _ right: Int) -> Bool {
    let roles: [SpanKind: Int] = [.client: 1, .producer: 2, .server: 3, .consumer: 4]
    func key(_ index: Int) -> (Int, UInt64) { (isCallee(index) ? 0 : 1, all[index].span.start.nanoseconds) }
    if key(left) != key(right) { return key(left) < key(right) }
    if !isSameService(left, right) { return service(left).utf8.lexicographicallyPrecedes(service(right).utf8) }
    func rest(_ index: Int) -> (Int, UInt64, UInt64) {
      let span = all[index].span
      return (roles[span.kind] ?? 0, span.parentSpanID?.rawValue ?? 0, span.durationNanoseconds)
    }
    return rest(left) < rest(right)
  }

  private func calling(_ index: Int, seen: Set<Int> = []) -> Int? {
    if isCaller(index) { return index }
    if isCallee(index) || seen.contains(index) { return nil }
    guard let caller = caller(index), isSameService(caller, index) else { return nil }
    return calling(caller, seen: seen.union([index]))
  }

  func calls(producers: [FoundSpan]) -> [NaiveCall] {
    var calls: [NaiveCall] = []
    // Calling spans that are accounted for, by id and service.
    var settled: Set<[UInt8]> = []
    func name(_ index: Int) -> [UInt8] { Array(all[index].span.spanID.hex.utf8) + Array(service(index).utf8) }
    for index in all.indices {
      let span = all[index].span
      guard let caller = caller(index) else {
        let linked = linkedCalls(index, producers)
        calls += linked
        if linked.isEmpty, isCallee(index), !(span.parentSpanID?.isZero ?? true) {
          var call = NaiveCall(span, parent: service(index))
          call.isUnpairedCallee = true
          calls.append(call)
        }
        continue
      }
      let calling = calling(caller)
      if isSameService(caller, index), !isCallee(index) {
        if isCaller(index), let calling { settled.insert(name(calling)) }
        continue
      }
      if let calling { settled.insert(name(calling)) }
      if isSameService(caller, index), calling == nil { continue }
      let isMessaging = span.kind == .consumer || calling.map { all[$0].span.kind == .producer } ?? false
      calls.append(
        NaiveCall(span, parent: service(caller), child: service(index), isMessaging ? .messaging : .call))
    }
    for index in all.indices where isCaller(index) && !settled.contains(name(index)) {
      calls.append(peerCall(index))
    }
    return calls
  }

  private func linkedCalls(_ index: Int, _ producers: [FoundSpan]) -> [NaiveCall] {
    guard all[index].span.kind == .consumer else { return [] }
    var calls: [NaiveCall] = []
    var seen: Set<String> = []
    for link in all[index].span.links {
      guard let trace = link.traceID, let id = link.spanID, seen.insert(trace.hex + id.hex).inserted else { continue }
      let named = producers.filter { $0.span.kind == .producer && $0.span.traceID == trace && $0.span.spanID == id }
      let producer = named.min {
        $0.span.start != $1.span.start
          ? $0.span.start < $1.span.start
          : $0.resource.serviceName.utf8.lexicographicallyPrecedes($1.resource.serviceName.utf8)
      }
      guard let producer else { continue }
      calls.append(
        NaiveCall(all[index].span, parent: producer.resource.serviceName, child: service(index), .messaging))
    }
    return calls
  }

  private func peerCall(_ index: Int) -> NaiveCall {
    let span = all[index].span
    func text(_ key: String) -> String? {
      for attribute in span.attributes
      where attribute.unknownFields.isEmpty && attribute.key.utf8.elementsEqual(key.utf8) {
        if case .string(let text) = attribute.value, !text.isEmpty { return text }
      }
      return nil
    }
    let isDatabase = text("db.system.name") != nil || text("db.system") != nil
    let isMessaging = span.kind == .producer || text("messaging.system") != nil
    let keys = ["peer.service", "db.system.name", "db.system", "messaging.system", "server.address", "net.peer.name"]
    guard let peer = keys.lazy.compactMap(text).first else { return NaiveCall(span, parent: service(index)) }
    return NaiveCall(
      span, parent: service(index), child: peer, isDatabase ? .database : isMessaging ? .messaging : .external)
  }
}
