public import TraceModel

/// A search for traces (or spans) by the properties of single spans.
///
/// One span has to satisfy all conditions. Absent conditions are satisfied by every span. Names and texts compare by
/// their UTF-8 bytes. Either `filter` or the flat conditions may be used, not both; times, `limit`, `order`,
/// `pageToken` and `options` go with both.
public struct TraceQuery: Hashable, Sendable {
  /// Equals the text of the resource attribute `service.name`. Empty means any service.
  public var serviceName: String
  /// Equals the span name. Empty means any operation.
  public var operationName: String
  /// Each has to match an attribute of the span, its resource, its scope, any of its events or any of its links.
  /// A text (`.string`, all that public APIs can say) matches a stored value of any type whose text it is, or that is
  /// the number or truth value it reads as; a value of another type matches only an equal stored value of that type.
  /// Keys such as `error`, `span.kind` and `otel.scope.name` mean fields: `AttributeCondition` in `TracestoreTesting`
  /// is the exact definition.
  public var attributes: [Attribute]
  /// Equals the span's kind.
  public var spanKind: SpanKind?
  /// Equals the span's status code; a span without a status is unset.
  public var statusCode: SpanStatus.Code?
  /// Earliest start of the matching span, inclusive; nil is unbounded.
  public var startMinimum: Timestamp?
  /// Latest start of the matching span, inclusive; nil is unbounded. Below the minimum, nothing matches.
  public var startMaximum: Timestamp?
  /// Shortest duration of the matching span in nanoseconds, inclusive; nil is unbounded.
  public var durationMinimumNanoseconds: UInt64?
  /// Longest duration of the matching span in nanoseconds, inclusive; nil is unbounded. Below the minimum, nothing
  /// matches.
  public var durationMaximumNanoseconds: UInt64?
  /// The structured filter.
  public var filter: FilterExpression?
  /// At most this many traces (`findSpans`: spans) come back, exactly this many if there are as many. At least 1.
  public var limit: Int
  public var order: TraceOrder
  /// `ResultSummary.continuation` of the page before. The rest of the query has to be the same, except `limit` and
  /// `options`.
  public var pageToken: String?
  public var options: ReadOptions

  /// Jaeger's search depth when a caller names none.
  public static let defaultLimit = 100

  public init(
    serviceName: String = "", operationName: String = "", attributes: [Attribute] = [], spanKind: SpanKind? = nil,
    statusCode: SpanStatus.Code? = nil, startMinimum: Timestamp? = nil, startMaximum: Timestamp? = nil,
    durationMinimumNanoseconds: UInt64? = nil, durationMaximumNanoseconds: UInt64? = nil,
    filter: FilterExpression? = nil, limit: Int = TraceQuery.defaultLimit, order: TraceOrder = .newest,
    pageToken: String? = nil, options: ReadOptions = ReadOptions()
  ) {
    self.serviceName = serviceName
    self.operationName = operationName
    self.attributes = attributes
    self.spanKind = spanKind
    self.statusCode = statusCode
    self.startMinimum = startMinimum
    self.startMaximum = startMaximum
    self.durationMinimumNanoseconds = durationMinimumNanoseconds
    self.durationMaximumNanoseconds = durationMaximumNanoseconds
    self.filter = filter
    self.limit = limit
    self.order = order
    self.pageToken = pageToken
    self.options = options
  }
}

extension TraceQuery {
  /// True when any condition other than the time window and the filter is set.
  public var hasFlatConditions: Bool {
    !serviceName.isEmpty || !operationName.isEmpty || !attributes.isEmpty || spanKind != nil || statusCode != nil
      || durationMinimumNanoseconds != nil || durationMaximumNanoseconds != nil
  }

  /// Checks the bounds that every store enforces alike.
  ///
  /// - Throws: `invalidArgument` for a limit below 1, a filter beside flat conditions, or an empty attribute key.
  public func validate() throws {
    guard limit >= 1 else {
      throw TracestoreError(.invalidArgument, "The limit is \(limit); it must be at least 1.")
    }
    guard filter == nil || !hasFlatConditions else {
      throw TracestoreError(
        .invalidArgument,
        "A structured filter stands beside flat conditions (service, operation, attributes, kind, status, duration); "
          + "move them into the filter.")
    }
    guard !attributes.contains(where: { $0.key.isEmpty }) else {
      throw TracestoreError(.invalidArgument, "An attribute condition has no key; name the attribute.")
    }
  }
}

/// The order of found traces; ties by trace id, ascending.
public struct TraceOrder: RawRepresentable, Hashable, Sendable {
  public var rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  /// By the latest start among the matching spans, descending.
  public static let newest = TraceOrder(rawValue: "newest")
  /// By the longest duration among the matching spans, descending.
  public static let slowest = TraceOrder(rawValue: "slowest")
  /// By trace id, ascending: a place in it never moves, so that a walk over pages meets every trace that has a match
  /// when the walk begins, whatever arrives meanwhile.
  public static let traceID = TraceOrder(rawValue: "trace-id")
}

/// Whose operations to list.
public struct OperationQuery: Hashable, Sendable {
  public var serviceName: String
  /// Nil lists all kinds.
  public var spanKind: SpanKind?

  public init(serviceName: String, spanKind: SpanKind? = nil) {
    self.serviceName = serviceName
    self.spanKind = spanKind
  }
}

/// A span name as it occurs with one kind in one service. Names are equal when their UTF-8 bytes are.
public struct Operation: Hashable, Sendable {
  public var name: String
  public var spanKind: SpanKind

  public init(name: String, spanKind: SpanKind = .unspecified) {
    self.name = name
    self.spanKind = spanKind
  }

  public static func == (left: Operation, right: Operation) -> Bool {
    left.name.utf8.elementsEqual(right.name.utf8) && left.spanKind == right.spanKind
  }
}
