package import TraceAggregate

/// What the calls over one edge add up to.
package struct EdgeSums: Sendable {
  package var callCount: UInt64 = 0
  package var errorCount: UInt64 = 0
  /// Saturating.
  package var sumNanoseconds: UInt64 = 0
  package var maximumNanoseconds: UInt64 = 0
  package var durations = DurationHistogram()

  package init() {}

  @inline(__always)
  package mutating func add(_ call: Call) {
    callCount &+= 1
    if call.isError { errorCount &+= 1 }
    sumNanoseconds = saturatingSum(sumNanoseconds, call.duration)
    maximumNanoseconds = max(maximumNanoseconds, call.duration)
    durations.update(call.duration)
  }

  /// Adds calls by their durations, of which some were errors.
  package mutating func add(_ calls: UnsafeBufferPointer<UInt64>, errorCount errors: Int) {
    callCount &+= UInt64(calls.count)
    errorCount &+= UInt64(errors)
    for duration in calls {
      sumNanoseconds = saturatingSum(sumNanoseconds, duration)
      maximumNanoseconds = max(maximumNanoseconds, duration)
    }
    durations.update(calls)
  }

  package mutating func add(_ other: EdgeSums) {
    callCount &+= other.callCount
    errorCount &+= other.errorCount
    sumNanoseconds = saturatingSum(sumNanoseconds, other.sumNanoseconds)
    maximumNanoseconds = max(maximumNanoseconds, other.maximumNanoseconds)
    durations.merge(other.durations)
  }

  /// The quantile of the durations, no greater than the longest.
  package func quantile(_ share: Double) -> UInt64 { min(maximumNanoseconds, durations.nearestRank(share)) }
}

@inline(__always)
package func saturatingSum(_ left: UInt64, _ right: UInt64) -> UInt64 {
  let (sum, isOverflow) = left.addingReportingOverflow(right)
  return isOverflow ? .max : sum
}

/// An edge in the codes of whoever counts.
package struct EdgeKey: Hashable, Sendable {
  package var caller: UInt32
  package var callee: UInt32
  package var connection: Connection

  package init(caller: UInt32, callee: UInt32, connection: Connection) {
    self.caller = caller
    self.callee = callee
    self.connection = connection
  }

  package init(_ call: Call) {
    self.init(caller: call.caller, callee: call.callee, connection: call.connection)
  }
}

/// Sums of calls by edge, over one list of names.
package struct EdgeTally: Sendable {
  package private(set) var edges: [EdgeKey] = []
  package private(set) var sums: [EdgeSums] = []
  private var places: [EdgeKey: Int] = [:]

  package init() {}

  package mutating func place(of key: EdgeKey) -> Int {
    if let known = places[key] { return known }
    places[key] = edges.count
    edges.append(key)
    sums.append(EdgeSums())
    return edges.count - 1
  }

  package func holds(_ key: EdgeKey) -> Bool { places[key] != nil }

  package mutating func add(_ call: Call) { sums[place(of: EdgeKey(call))].add(call) }
  package mutating func add(_ calls: UnsafeBufferPointer<UInt64>, errorCount: Int, to key: EdgeKey) {
    sums[place(of: key)].add(calls, errorCount: errorCount)
  }
  package mutating func add(_ other: EdgeSums, to key: EdgeKey) { sums[place(of: key)].add(other) }
  package mutating func update(_ key: EdgeKey, _ body: (inout EdgeSums) -> Void) { body(&sums[place(of: key)]) }
}
