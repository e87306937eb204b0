public import TraceModel

/// One span in the words of Jaeger's first model.
///
/// Texts are equal when their UTF-8 bytes are.
public struct V1Span: Hashable, Sendable {
  public var traceID: TraceID
  public var spanID: SpanID
  public var operationName: String
  public var references: [V1Reference]
  /// Bit 0 says sampled, bit 1 debug. Carried as they are: v2 has its trace flags in the same place.
  public var flags: UInt32
  public var startTime: Timestamp
  /// End minus start; negative when the span ended before it began, or has not ended.
  public var durationNanoseconds: Int64
  public var tags: [V1Tag]
  public var logs: [V1Log]
  public var process: V1Process
  /// What was wrong with the span, for people.
  public var warnings: [String]

  public init(
    traceID: TraceID, spanID: SpanID, operationName: String = "", references: [V1Reference] = [], flags: UInt32 = 0,
    startTime: Timestamp = .zero, durationNanoseconds: Int64 = 0, tags: [V1Tag] = [], logs: [V1Log] = [],
    process: V1Process = V1Process(), warnings: [String] = []
  ) {
    self.traceID = traceID
    self.spanID = spanID
    self.operationName = operationName
    self.references = references
    self.flags = flags
    self.startTime = startTime
    self.durationNanoseconds = durationNanoseconds
    self.tags = tags
    self.logs = logs
    self.process = process
    self.warnings = warnings
  }

  /// The parent: the first reference of type child-of to the same trace, else the first of type follows-from to the
  /// same trace. An id that is all zero is none.
  public var parentSpanID: SpanID? {
    let own = references.filter { $0.traceID == traceID }
    let reference = own.first { $0.type == .childOf } ?? own.first { $0.type == .followsFrom }
    return reference.flatMap { $0.spanID.isZero ? nil : $0.spanID }
  }

  public static func == (left: V1Span, right: V1Span) -> Bool {
    left.traceID == right.traceID && left.spanID == right.spanID && left.references == right.references
      && left.flags == right.flags && left.startTime == right.startTime
      && left.durationNanoseconds == right.durationNanoseconds
      && left.operationName.utf8.elementsEqual(right.operationName.utf8) && left.tags == right.tags
      && left.logs == right.logs && left.process == right.process && areEqual(left.warnings, right.warnings)
  }
}

/// Another span that a span depends on.
public struct V1Reference: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case childOf = "CHILD_OF"
    case followsFrom = "FOLLOWS_FROM"
  }

  public var type: Kind
  public var traceID: TraceID
  public var spanID: SpanID

  public init(_ type: Kind, _ traceID: TraceID, _ spanID: SpanID) {
    self.type = type
    self.traceID = traceID
    self.spanID = spanID
  }
}

/// Something that happened during a span.
public struct V1Log: Hashable, Sendable {
  public var timestamp: Timestamp
  public var fields: [V1Tag]

  public init(timestamp: Timestamp = .zero, fields: [V1Tag] = []) {
    self.timestamp = timestamp
    self.fields = fields
  }
}

/// Who emitted spans.
public struct V1Process: Hashable, Sendable {
  /// What a process is called whose resource names no service.
  public static let noServiceName = "OTLPResourceNoServiceName"

  public var serviceName: String
  public var tags: [V1Tag]

  public init(serviceName: String = "", tags: [V1Tag] = []) {
    self.serviceName = serviceName
    self.tags = tags
  }

  public static func == (left: V1Process, right: V1Process) -> Bool {
    left.serviceName.utf8.elementsEqual(right.serviceName.utf8) && left.tags == right.tags
  }
}

/// The spans of one trace.
public struct V1Trace: Hashable, Sendable {
  public var spans: [V1Span]
  /// What is to be said of the trace as a whole, for people. v2 has no place for it.
  public var warnings: [String]

  public init(spans: [V1Span] = [], warnings: [String] = []) {
    self.spans = spans
    self.warnings = warnings
  }

  /// The id of the first span, as Jaeger has it; nil without spans.
  public var traceID: TraceID? { spans.first?.traceID }

  public static func == (left: V1Trace, right: V1Trace) -> Bool {
    left.spans == right.spans && areEqual(left.warnings, right.warnings)
  }
}

/// Equality by UTF-8 bytes.
func areEqual(_ left: [String], _ right: [String]) -> Bool {
  left.elementsEqual(right) { $0.utf8.elementsEqual($1.utf8) }
}
