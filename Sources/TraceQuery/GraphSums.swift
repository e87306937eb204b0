import TraceGraph
import TraceSegment
import TraceSource
import TracestoreV2

/// Sums by edge over the names of all sources.
struct GraphSums {
  private var names = NameTable()
  private var tally = EdgeTally()

  mutating func add(_ other: EdgeTally, _ otherNames: [[UInt8]]) {
    var codes = CodeMap(otherNames)
    for (edge, sums) in zip(other.edges, other.sums) { tally.add(sums, to: codes.key(edge, &names)) }
  }

  mutating func add(_ other: GraphSums) { add(other.tally, other.names.names) }

  mutating func add(_ packed: PackedTally, _ otherNames: [[UInt8]]) {
    var codes = CodeMap(otherNames)
    packed.add(to: &tally) { codes.key($0, &names) }
  }

  /// What the sums are over, and the sums as they are kept.
  func packed() -> (names: [[UInt8]], tally: PackedTally) { (names.names, PackedTally(tally)) }

  /// Adds those calls that start in the window.
  mutating func add(_ calls: TraceCalls, in window: ClosedRange<UInt64>?, leavingOut isLeftOut: [Bool]) {
    var codes = CodeMap(calls.names)
    calls.forEachEdge(in: window, leavingOut: isLeftOut) { edge, durations, errorCount in
      tally.add(durations, errorCount: errorCount, to: codes.key(edge, &names))
    }
  }

  /// Adds a consumer: one call of each producer that its links name.
  ///
  /// - Parameter producer: the service of the producer span behind a link; nil when there is none.
  mutating func add(_ named: NamedConsumer, producer: (LinkTarget) -> [UInt8]?) {
    let (span, targets) = (named.consumer.span, named.consumer.targets)
    let callee = names.code(of: named.service)
    var isPaired = false
    for target in targets.count > 1 ? Array(Set(targets)) : targets {
      guard let caller = producer(target) else { continue }
      isPaired = true
      tally.add(Call(span, from: names.code(of: caller), to: callee, .messaging))
    }
    if !isPaired, span.parentID != 0 { tally.add(Call(span, from: callee, to: callee, .unpairedCallee)) }
  }

  func graph(includesSelfCalls: Bool) -> ServiceGraph {
    var graph = ServiceGraph()
    var unpaired: [[UInt8]: ServiceGraph.UnpairedSpans] = [:]
    let texts = names.names.map { String(decoding: $0, as: UTF8.self) }
    let ranks = texts.ranks
    func text(_ code: UInt32) -> String { texts[Int(code)] }
    /// Of each link, its ends, and their ranks.
    var ends: [(caller: [UInt8], callee: [UInt8])] = []
    var keys: [UInt64] = []
    for (edge, sums) in zip(tally.edges, tally.sums) {
      guard let connection = ConnectionKind(edge.connection) else {
        let name = names.names[Int(edge.caller)]
        var counts = unpaired[name] ?? ServiceGraph.UnpairedSpans(service: text(edge.caller))
        if edge.connection == .unpairedCaller {
          counts.callerCount += sums.callCount
        } else {
          counts.calleeCount += sums.callCount
        }
        unpaired[name] = counts
        continue
      }
      if edge.caller == edge.callee, !includesSelfCalls { continue }
      ends.append((names.names[Int(edge.caller)], names.names[Int(edge.callee)]))
      keys.append(UInt64(ranks[Int(edge.caller)]) << 32 | UInt64(ranks[Int(edge.callee)]))
      graph.links.append(
        DependencyLink(
          parent: text(edge.caller), child: text(edge.callee), connection: connection, callCount: sums.callCount,
          errorCount: sums.errorCount,
          latency: DependencyLink.Latency(
            sumNanoseconds: sums.sumNanoseconds, medianNanoseconds: sums.quantile(0.5),
            percentile95Nanoseconds: sums.quantile(0.95), maximumNanoseconds: sums.maximumNanoseconds),
          source: DependencyLink.computedSource))
    }
    // Links are large: their places are sorted. There are many to a name, whose texts are not compared for each.
    graph.links = graph.links.indices.sorted { left, right in
      if keys[left] != keys[right] { return keys[left] < keys[right] }
      if graph.links[left].precedes(graph.links[right]) { return true }
      if graph.links[right].precedes(graph.links[left]) { return false }
      // Names that are no UTF-8 may be repaired to one text; in which order they were met depends on what is kept.
      return ends[left].caller != ends[right].caller
        ? ends[left].caller.lexicographicallyPrecedes(ends[right].caller)
        : ends[left].callee.lexicographicallyPrecedes(ends[right].callee)
    }.map { graph.links[$0] }
    graph.unpaired = unpaired.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    return graph
  }
}

extension [String] {
  /// The place of each in the order of their bytes, equal for those of equal bytes: names that are no UTF-8 may be repaired
  /// to one text.
  fileprivate var ranks: [UInt32] {
    let order = indices.sorted { self[$0].utf8.lexicographicallyPrecedes(self[$1].utf8) }
    var ranks = [UInt32](repeating: 0, count: count)
    for (previous, place) in zip(order, order.dropFirst()) {
      ranks[place] = ranks[previous] + (self[previous].utf8.elementsEqual(self[place].utf8) ? 0 : 1)
    }
    return ranks
  }
}

/// The codes of names from elsewhere: each is looked up once, not once for every edge.
private struct CodeMap {
  private let texts: [[UInt8]]
  private var codes: [UInt32?]

  init(_ texts: [[UInt8]]) {
    self.texts = texts
    codes = [UInt32?](repeating: nil, count: texts.count)
  }

  mutating func key(_ edge: EdgeKey, _ names: inout NameTable) -> EdgeKey {
    EdgeKey(caller: code(edge.caller, &names), callee: code(edge.callee, &names), connection: edge.connection)
  }

  private mutating func code(_ other: UInt32, _ names: inout NameTable) -> UInt32 {
    if let known = codes[Int(other)] { return known }
    let code = names.code(of: texts[Int(other)])
    codes[Int(other)] = code
    return code
  }
}

extension ConnectionKind {
  /// Nil for unpaired spans, which are no connection.
  init?(_ connection: Connection) {
    switch connection {
    case .call: self = .call
    case .messaging: self = .messaging
    case .database: self = .database
    case .external: self = .external
    case .unpairedCaller, .unpairedCallee: return nil
    }
  }
}
