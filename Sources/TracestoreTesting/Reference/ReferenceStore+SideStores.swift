import Synchronization
public import TraceModel
public import TracestoreV2

extension ReferenceStore: DependencyReader, DependencyWriter {
  /// Only links that were written; nothing is computed from spans.
  public func getDependencies(_ query: DependencyQuery) async throws -> ResultList<DependencyLink> {
    var sums: [ContentKey: DependencyLink] = [:]
    for snapshot in state.withLock({ $0.dependencies }) {
      guard snapshot.time >= query.start, snapshot.time < query.end || query.end == .maximum else { continue }
      for link in snapshot.links {
        let key = ContentKey {
          $0.add(link.parent)
          $0.add(link.child)
          $0.add(link.source)
        }
        guard var sum = sums[key] else {
          sums[key] = link
          continue
        }
        sum.callCount = Self.saturatingSum(sum.callCount, link.callCount)
        // What is unknown of a part is unknown of the sum; quantiles don't add up.
        if let left = sum.errorCount, let right = link.errorCount {
          sum.errorCount = Self.saturatingSum(left, right)
        } else {
          sum.errorCount = nil
        }
        sum.latency = nil
        sums[key] = sum
      }
    }
    let sorted = sums.values.sorted { left, right in
      for (a, b) in [(left.parent, right.parent), (left.child, right.child), (left.source, right.source)]
      where !a.utf8.elementsEqual(b.utf8) {
        return a.utf8.lexicographicallyPrecedes(b.utf8)
      }
      return false
    }
    return ResultList(sorted)
  }

  public func writeDependencies(_ links: [DependencyLink], at time: Timestamp) async throws {
    state.withLock { $0.dependencies.append((time, links)) }
  }

  private static func saturatingSum(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let (sum, isOverflow) = left.addingReportingOverflow(right)
    return isOverflow ? .max : sum
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
