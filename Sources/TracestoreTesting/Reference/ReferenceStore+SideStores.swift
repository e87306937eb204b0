import Synchronization
public import TraceModel
public import TracestoreV2

extension ReferenceStore: DependencyReader, DependencyWriter {
  /// Links that were written, and those that the spans show.
  public func getDependencies(_ query: DependencyQuery) async throws -> ResultList<DependencyLink> {
    ResultList(serviceGraph(query).links)
  }

  /// As `getDependencies`, with the spans that could not be paired; by definition (`ServiceGraph.init(spans:_:)`).
  public func serviceGraph(_ query: DependencyQuery) -> ServiceGraph {
    let (records, snapshots) = state.withLock { ($0.records, $0.dependencies) }
    var graph = ServiceGraph(spans: records.filter(isFinal).map { found($0, ReadOptions()) }, query)
    let written = snapshots.filter { query.contains($0.time) }.flatMap(\.links)
    graph.links = DependencyLink.summed(graph.links + written)
    return graph
  }

  public func writeDependencies(_ links: [DependencyLink], at time: Timestamp) async throws {
    state.withLock { $0.dependencies.append((time, links)) }
  }
}

extension ReferenceStore: SamplingStore {
  public func insertThroughput(_ throughput: [SamplingThroughput]) async throws {
    let time = clock()
    state.withLock { $0.throughput.append((time, throughput)) }
  }

  public func insertProbabilitiesAndQPS(
    hostname: String, probabilities: [SamplingRate], queriesPerSecond: [SamplingRate]
  ) async throws {
    state.withLock { $0.probabilities = probabilities }
  }

  public func getThroughput(after start: Timestamp, through end: Timestamp) async throws -> [SamplingThroughput] {
    state.withLock { state in
      state.throughput.filter { $0.time > start && $0.time <= end }.flatMap(\.entries)
    }
  }

  public func getLatestProbabilities() async throws -> [SamplingRate] { state.withLock { $0.probabilities } }
}

extension ReferenceStore: DistributedLock {
  /// Every caller is the same owner here: a lock that is held is prolonged.
  public func acquire(_ resource: String, leaseNanoseconds: UInt64) async throws -> Bool {
    let (end, isEndless) = clock().nanoseconds.addingReportingOverflow(leaseNanoseconds)
    state.withLock { $0.lockEnds[resource] = isEndless ? .maximum : Timestamp(nanoseconds: end) }
    return true
  }

  public func forfeit(_ resource: String) async throws -> Bool {
    let now = clock()
    return state.withLock { $0.lockEnds.removeValue(forKey: resource).map { $0 > now } ?? false }
  }
}
