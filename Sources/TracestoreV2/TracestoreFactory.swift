import TraceModel

/// Makes the parts of one store. An archive is not a kind of store: it is a second factory.
///
/// Every part that a store may lack has a default that throws `unsupported`.
public protocol TracestoreFactory: Sendable {
  func createTraceReader() async throws -> any TraceReader
  func createTraceWriter() async throws -> any TraceWriter
  func createEncodedTraceWriter() async throws -> any EncodedTraceWriter
  func createDependencyReader() async throws -> any DependencyReader
  func createDependencyWriter() async throws -> any DependencyWriter
  func createMetricsReader() async throws -> any MetricsReader
  func createSamplingStore() async throws -> any SamplingStore
  func createLock() async throws -> any DistributedLock
  /// Removes everything; meant for tests.
  func purge() async throws
  /// The most bytes that one call of the writer stores as one request, when the writer is synchronous and has such a
  /// cap; nil otherwise. Default: nil.
  var synchronousBulkWriteByteCap: Int? { get }
}

extension TracestoreFactory {
  public func createEncodedTraceWriter() async throws -> any EncodedTraceWriter {
    throw TracestoreError.unsupported("writing of encoded requests")
  }

  public func createDependencyReader() async throws -> any DependencyReader {
    throw TracestoreError.unsupported("dependencies")
  }

  public func createDependencyWriter() async throws -> any DependencyWriter {
    throw TracestoreError.unsupported("writing of dependencies")
  }

  public func createMetricsReader() async throws -> any MetricsReader {
    throw TracestoreError.unsupported("metrics")
  }

  public func createSamplingStore() async throws -> any SamplingStore {
    throw TracestoreError.unsupported("a sampling store")
  }

  public func createLock() async throws -> any DistributedLock {
    throw TracestoreError.unsupported("a lock")
  }

  public func purge() async throws {
    throw TracestoreError.unsupported("purging")
  }

  public var synchronousBulkWriteByteCap: Int? { nil }
}
