import TraceGraph
public import TracestoreV2

extension LiveFigures {
  /// The links of all minutes that are kept.
  public var links: [DependencyLink] {
    edgeSums.compactMap { key, sums in
      let kinds: [Connection: ConnectionKind] = [
        .call: .call, .messaging: .messaging, .database: .database, .external: .external,
      ]
      guard let kind = kinds[key.connection], key.caller != key.callee else { return nil }
      return DependencyLink(
        parent: text(key.caller), child: text(key.callee), connection: kind, callCount: sums.callCount,
        errorCount: sums.errorCount,
        latency: DependencyLink.Latency(
          sumNanoseconds: sums.sumNanoseconds, medianNanoseconds: sums.nanoseconds(quantile: 0.5),
          percentile95Nanoseconds: sums.nanoseconds(quantile: 0.95), maximumNanoseconds: sums.maximumNanoseconds),
        source: DependencyLink.computedSource)
    }.sorted { $0.precedes($1) }
  }

  /// Halves of calls whose other half did not come with their trace, in all minutes that are kept, by service.
  public var unpaired: [ServiceGraph.UnpairedSpans] {
    var counts: [UInt32: ServiceGraph.UnpairedSpans] = [:]
    for (key, sums) in edgeSums where key.connection == .unpairedCaller || key.connection == .unpairedCallee {
      var own = counts[key.caller] ?? ServiceGraph.UnpairedSpans(service: text(key.caller))
      if key.connection == .unpairedCaller {
        own.callerCount += sums.callCount
      } else {
        own.calleeCount += sums.callCount
      }
      counts[key.caller] = own
    }
    return counts.sorted { names.precedes($0.key, $1.key) }.map(\.value)
  }

  private var edgeSums: [EdgeKey: Cell] {
    var sums: [EdgeKey: Cell] = [:]
    for minute in held {
      for (key, cell) in zip(minute.edges, minute.edgeCells) { sums[key, default: Cell()].merge(cell) }
    }
    return sums
  }

  private func text(_ code: UInt32) -> String { String(decoding: names.names[Int(code)], as: UTF8.self) }
}
