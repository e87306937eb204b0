extension TraceStore: TracestoreFactory {
  public func createTraceReader() async throws -> any TraceReader { self }
  public func createTraceWriter() async throws -> any TraceWriter { self }
  public func createEncodedTraceWriter() async throws -> any EncodedTraceWriter { self }
  public func createDependencyReader() async throws -> any DependencyReader { self }
  public func createDependencyWriter() async throws -> any DependencyWriter { self }
  public func createMetricsReader() async throws -> any MetricsReader { self }
  public var synchronousBulkWriteByteCap: Int? { Limits.maximumRequestByteCount }
}
