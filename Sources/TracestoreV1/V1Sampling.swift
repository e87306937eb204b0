public import TraceModel
public import TracestoreV2

/// A figure for each operation of each service.
public typealias V1OperationRates = [V1Name: [V1Name: Double]]

/// Keeps what adaptive sampling measures and decides: Jaeger's v1 `samplingstore.Store`.
public protocol V1SamplingStoring: Sendable {
  /// Stores one bucket of measurements, stamped with the present time.
  func insertThroughput(_ throughput: [SamplingThroughput]) async throws

  /// Replaces the decisions, whatever host they are from.
  func insertProbabilitiesAndQPS(
    hostname: String, probabilities: V1OperationRates, queriesPerSecond: V1OperationRates
  ) async throws

  /// The measurements of all buckets with start < time ≤ end.
  func getThroughput(start: Timestamp, end: Timestamp) async throws -> [SamplingThroughput]

  /// The last decision; empty when there is none.
  func getLatestProbabilities() async throws -> V1OperationRates
}

/// The sampling store of a v2 store in v1's words.
public struct V1SamplingStore: V1SamplingStoring {
  private let store: any SamplingStore

  public init(_ store: any SamplingStore) { self.store = store }

  public func insertThroughput(_ throughput: [SamplingThroughput]) async throws {
    try await store.insertThroughput(throughput)
  }

  public func insertProbabilitiesAndQPS(
    hostname: String, probabilities: V1OperationRates, queriesPerSecond: V1OperationRates
  ) async throws {
    try await store.insertProbabilitiesAndQPS(
      hostname: hostname, probabilities: Self.list(probabilities), queriesPerSecond: Self.list(queriesPerSecond))
  }

  public func getThroughput(start: Timestamp, end: Timestamp) async throws -> [SamplingThroughput] {
    try await store.getThroughput(after: start, through: end)
  }

  public func getLatestProbabilities() async throws -> V1OperationRates {
    var rates: V1OperationRates = [:]
    for rate in try await store.getLatestProbabilities() {
      rates[V1Name(rate.serviceName), default: [:]][V1Name(rate.operationName)] = rate.value
    }
    return rates
  }

  /// Ascending by names, so that equal maps are stored as equal lists.
  private static func list(_ rates: V1OperationRates) -> [SamplingRate] {
    rates.sorted { $0.key < $1.key }.flatMap { service, operations in
      operations.sorted { $0.key < $1.key }.map {
        SamplingRate(serviceName: service.text, operationName: $0.key.text, value: $0.value)
      }
    }
  }
}
