public import TraceModel

/// A trace that a search found.
public struct FoundTrace: Hashable, Sendable {
  public var traceID: TraceID
  /// The earliest start of all its spans: a good hint for `GetTraceParameters.start`. Nil when it isn't known.
  public var start: Timestamp?
  /// The latest end of all its spans, an open span counting with what is known of its end. Nil when it isn't known.
  public var end: Timestamp?

  public init(traceID: TraceID, start: Timestamp? = nil, end: Timestamp? = nil) {
    self.traceID = traceID
    self.start = start
    self.end = end
  }
}

/// A span that a search found, with all its context.
public struct FoundSpan: Hashable, Sendable {
  public var resource: Resource
  public var scope: InstrumentationScope
  public var span: SpanRecord
  public var state: SpanState

  public init(resource: Resource, scope: InstrumentationScope, span: SpanRecord, state: SpanState = .final) {
    self.resource = resource
    self.scope = scope
    self.span = span
    self.state = state
  }
}

/// Spans of one trace.
public struct TraceChunk: Hashable, Sendable {
  public var traceID: TraceID
  /// At least one span, all of `traceID`.
  public var data: TraceData
  /// The states of the spans that are not plain finals, by the place of the span in `data`: how many spans
  /// `forEachSpan` calls before it. Spans may share their ids, so ids would not tell them apart.
  public var states: [Int: SpanState]

  public init(traceID: TraceID, data: TraceData, states: [Int: SpanState] = [:]) {
    self.traceID = traceID
    self.data = data
    self.states = states
  }

  /// The state of the span at a place of `data`.
  public func state(at spanIndex: Int) -> SpanState { states[spanIndex] ?? .final }
}

/// Whether a span is complete, and where its parts come from.
public struct SpanState: Hashable, Sendable {
  public enum Phase: String, Hashable, Sendable, CaseIterable {
    /// The producer has ended the span.
    case final
    /// The producer has not ended it yet.
    case open
    /// The producer has not ended it and has not been heard of for longer than the lease.
    case abandoned
  }

  public var phase: Phase
  /// True when records from elsewhere added to the span.
  public var isEnriched: Bool

  public init(_ phase: Phase, isEnriched: Bool = false) {
    self.phase = phase
    self.isEnriched = isEnriched
  }

  public static let final = SpanState(.final)
  public static let open = SpanState(.open)
  public static let abandoned = SpanState(.abandoned)
}

/// What a trace is about, over all its spans. Counts are of final spans; open ones are counted apart. Names are equal
/// when their UTF-8 bytes are.
public struct TraceSummary: Hashable, Sendable {
  public var traceID: TraceID
  /// The service of the root: of the spans without a parent id (none, or all zero) the one that starts first; ties by
  /// span id, then by names. Empty when every span names a parent, and when the root has no service name.
  public var rootServiceName: String
  /// The name of the root; empty when every span names a parent.
  public var rootOperationName: String
  /// The earliest start.
  public var minimumStart: Timestamp
  /// The latest end.
  public var maximumEnd: Timestamp
  public var spanCount: Int
  /// Spans whose status code is error.
  public var errorSpanCount: Int
  /// Spans that name a parent which is not in the trace; those that share their id count once. A span that is its own
  /// parent is none.
  public var orphanSpanCount: Int
  /// Spans that are open or abandoned.
  public var openSpanCount: Int
  /// One entry for each distinct service name (a missing one is empty), ascending by UTF-8 bytes.
  public var services: [ServiceSummary]

  public init(
    traceID: TraceID, rootServiceName: String = "", rootOperationName: String = "", minimumStart: Timestamp = .zero,
    maximumEnd: Timestamp = .zero, spanCount: Int = 0, errorSpanCount: Int = 0, orphanSpanCount: Int = 0,
    openSpanCount: Int = 0, services: [ServiceSummary] = []
  ) {
    self.traceID = traceID
    self.rootServiceName = rootServiceName
    self.rootOperationName = rootOperationName
    self.minimumStart = minimumStart
    self.maximumEnd = maximumEnd
    self.spanCount = spanCount
    self.errorSpanCount = errorSpanCount
    self.orphanSpanCount = orphanSpanCount
    self.openSpanCount = openSpanCount
    self.services = services
  }

  public static func == (left: TraceSummary, right: TraceSummary) -> Bool {
    left.traceID == right.traceID && left.rootServiceName.utf8.elementsEqual(right.rootServiceName.utf8)
      && left.rootOperationName.utf8.elementsEqual(right.rootOperationName.utf8)
      && left.minimumStart == right.minimumStart && left.maximumEnd == right.maximumEnd
      && left.spanCount == right.spanCount && left.errorSpanCount == right.errorSpanCount
      && left.orphanSpanCount == right.orphanSpanCount && left.openSpanCount == right.openSpanCount
      && left.services == right.services
  }
}

/// The share of one service in a trace.
public struct ServiceSummary: Hashable, Sendable {
  public var name: String
  public var spanCount: Int
  public var errorSpanCount: Int

  public init(name: String, spanCount: Int = 0, errorSpanCount: Int = 0) {
    self.name = name
    self.spanCount = spanCount
    self.errorSpanCount = errorSpanCount
  }

  public static func == (left: ServiceSummary, right: ServiceSummary) -> Bool {
    left.name.utf8.elementsEqual(right.name.utf8) && left.spanCount == right.spanCount
      && left.errorSpanCount == right.errorSpanCount
  }
}
