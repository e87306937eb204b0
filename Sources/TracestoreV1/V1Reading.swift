public import TraceModel
public import TracestoreV2

/// Reads spans: Jaeger's v1 `spanstore.Reader`.
///
/// Thread-safety: every method may be called from any number of tasks at once.
public protocol V1SpanReading: Sendable {
  /// The trace with an id.
  ///
  /// - Throws: `TracestoreError.v1TraceNotFound` when there is no span of it.
  func getTrace(_ parameters: GetTraceParameters) async throws -> V1Trace

  /// As in `TraceReader`.
  func getServices() async throws -> ResultList<String>

  /// As in `TraceReader`.
  func getOperations(_ query: OperationQuery) async throws -> ResultList<Operation>

  /// The traces that have a matching span, whole. None is an empty list (Jaeger's null), not an error.
  func findTraces(_ query: V1TraceQuery) async throws -> [V1Trace]

  /// As `findTraces`, the ids alone.
  func findTraceIDs(_ query: V1TraceQuery) async throws -> [TraceID]
}

/// Stores spans: Jaeger's v1 `spanstore.Writer`.
public protocol V1SpanWriting: Sendable {
  /// Stores one span; durable as the store promises. Whatever keeps the span out is an error.
  func writeSpan(_ span: V1Span) async throws
}

/// A search in v1's words. One span has to satisfy all conditions; a zero time, duration or count is not set.
public struct V1TraceQuery: Sendable {
  /// Empty means any, where a store allows it.
  public var serviceName: String
  /// Empty means any.
  public var operationName: String
  /// What tags have to say, as text.
  public var tags: [V1Name: String]
  /// Earliest start of the matching span, inclusive.
  public var startTimeMinimum: Timestamp
  /// Latest start of the matching span, inclusive.
  public var startTimeMaximum: Timestamp
  /// Shortest duration of the matching span, inclusive.
  public var durationMinimumNanoseconds: UInt64
  /// Longest duration of the matching span, inclusive.
  public var durationMaximumNanoseconds: UInt64
  /// At most this many traces; 0 and less mean `TraceQuery.defaultLimit`.
  public var traceCount: Int

  public init(
    serviceName: String = "", operationName: String = "", tags: [V1Name: String] = [:],
    startTimeMinimum: Timestamp = .zero, startTimeMaximum: Timestamp = .zero, durationMinimumNanoseconds: UInt64 = 0,
    durationMaximumNanoseconds: UInt64 = 0, traceCount: Int = 0
  ) {
    self.serviceName = serviceName
    self.operationName = operationName
    self.tags = tags
    self.startTimeMinimum = startTimeMinimum
    self.startTimeMaximum = startTimeMaximum
    self.durationMinimumNanoseconds = durationMinimumNanoseconds
    self.durationMaximumNanoseconds = durationMaximumNanoseconds
    self.traceCount = traceCount
  }
}

/// A text as a key: equal to those with the same UTF-8 bytes, where `String` would take two spellings of one letter for
/// one key.
public struct V1Name: Hashable, Sendable, Comparable, ExpressibleByStringLiteral {
  public var text: String

  public init(_ text: String) { self.text = text }
  public init(stringLiteral text: String) { self.init(text) }

  public static func == (left: V1Name, right: V1Name) -> Bool { left.text.isExactly(right.text) }

  public func hash(into hasher: inout Hasher) { hasher.combine(text) }

  /// By UTF-8 bytes.
  public static func < (left: V1Name, right: V1Name) -> Bool {
    left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
  }
}

extension TracestoreError {
  /// The text by which v1's callers know a trace that does not exist.
  public static let v1TraceNotFoundMessage = "trace not found"

  /// A trace of which the store holds no span.
  public static var v1TraceNotFound: TracestoreError { TracestoreError(.notFound, v1TraceNotFoundMessage) }

  /// A store answered the question for one id with several traces.
  public static var v1TooManyTraces: TracestoreError { TracestoreError(.tooManyTraces, "too many traces found") }
}

extension TracestoreError.Code {
  /// A store answered the question for one trace with several.
  public static let tooManyTraces = TracestoreError.Code(rawValue: "tooManyTraces")
}
