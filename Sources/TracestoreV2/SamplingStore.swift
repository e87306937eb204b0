public import TraceModel

/// Keeps what adaptive sampling measures and decides.
public protocol SamplingStore: Sendable {
  /// Stores one bucket of measurements, stamped with the present time.
  func insertThroughput(_ throughput: [SamplingThroughput]) async throws

  /// Replaces the decisions; the last write wins whatever its host.
  func insertProbabilitiesAndQPS(
    hostname: String, probabilities: [SamplingRate], queriesPerSecond: [SamplingRate]
  ) async throws

  /// The measurements of all buckets with start < time ≤ end, oldest bucket first.
  func getThroughput(after start: Timestamp, through end: Timestamp) async throws -> [SamplingThroughput]

  /// The probabilities of the last decision; empty when there is none.
  func getLatestProbabilities() async throws -> [SamplingRate]
}

/// How often an operation was seen at the root of traces.
public struct SamplingThroughput: Hashable, Sendable {
  public var serviceName: String
  public var operationName: String
  public var count: Int64
  /// The distinct sampling probabilities that producers reported, as text.
  public var probabilities: [String]

  public init(serviceName: String, operationName: String, count: Int64, probabilities: [String] = []) {
    self.serviceName = serviceName
    self.operationName = operationName
    self.count = count
    self.probabilities = probabilities
  }
}

/// A figure of one operation: a probability (0 to 1) or a rate (a second).
public struct SamplingRate: Hashable, Sendable {
  public var serviceName: String
  public var operationName: String
  public var value: Double

  public init(serviceName: String, operationName: String, value: Double) {
    self.serviceName = serviceName
    self.operationName = operationName
    self.value = value
  }
}

/// A lock that several processes share.
public protocol DistributedLock: Sendable {
  /// Takes the lock or prolongs it when the caller holds it.
  ///
  /// - Parameters:
  ///   - resource: What is locked. Different names are different locks.
  ///   - leaseNanoseconds: After this long the lock frees itself. At least 1.
  /// - Returns: Whether the caller holds the lock now.
  func acquire(_ resource: String, leaseNanoseconds: UInt64) async throws -> Bool

  /// Gives the lock back.
  ///
  /// - Returns: Whether the caller held it.
  func forfeit(_ resource: String) async throws -> Bool
}

/// A store that can be emptied; meant for tests.
public protocol Purgeable: Sendable {
  /// Removes everything. Durable when it returns.
  func purge() async throws
}
