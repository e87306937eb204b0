#if Tracing
  public import TraceModel
  public import TraceRecorder
  public import Tracing

  /// A `Tracer` that records into a store: `InstrumentationSystem.bootstrap(StoreTracer(recorder: store.recorder, …))`.
  ///
  /// A span that lives longer than the recorder's interval is written while it is open; a shorter one is written once,
  /// after it has ended. What ends is written at the next interval, or when a batch of them waits: `await flush()` before
  /// the program ends. A full queue drops and counts (`SpanRecorder.statistics`).
  ///
  /// Sampling: a span with a parent does as its parent did. Of those without, `sampledFraction` of all traces are
  /// recorded, chosen by trace id as OpenTelemetry's `TraceIdRatioBased` does.
  public struct StoreTracer: Tracer {
    public typealias Span = TracedSpan

    public let recorder: SpanRecorder
    private let resource: Resource
    private let scope: InstrumentationScope
    /// Trace ids whose low 63 bits are below it are sampled.
    private let sampledBound: UInt64

    /// - Parameter sampledFraction: from 0 to 1.
    public init(
      recorder: SpanRecorder, resource: Resource, scope: InstrumentationScope = InstrumentationScope(),
      sampledFraction: Double = 1
    ) {
      self.recorder = recorder
      self.resource = resource
      self.scope = scope
      // What is not a number samples nothing.
      sampledBound = UInt64((sampledFraction > 0 ? min(sampledFraction, 1) : 0) * 0x1p63)
    }

    /// With a resource that has a service name and nothing else.
    public init(recorder: SpanRecorder, serviceName: String, sampledFraction: Double = 1) {
      self.init(
        recorder: recorder, resource: Resource(attributes: [Attribute("service.name", .string(serviceName))]),
        sampledFraction: sampledFraction)
    }

    // MARK: Spans

    public func startSpan<Instant: TracerInstant>(
      _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: Tracing.SpanKind,
      at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> TracedSpan {
      var context = context()
      let parent = context.traceParent
      let traceID = parent?.traceID ?? recorder.makeTraceID()
      let isSampled = parent?.isSampled ?? (traceID.low >> 1 < sampledBound)
      var own = TraceParent(
        traceID: traceID, spanID: recorder.makeSpanID(), flags: parent?.flags ?? (isSampled ? 1 : 0),
        traceState: parent?.traceState ?? "")
      own.isRemote = false
      guard isSampled else {
        context.contextSpan = ContextSpan(parent: own, live: nil)
        return TracedSpan(context: context, live: nil)
      }
      let record = SpanRecord(
        traceID: traceID, spanID: own.spanID, traceState: own.traceState, parentSpanID: parent?.spanID,
        name: operationName, kind: SpanKind(kind), start: Timestamp(nanoseconds: instant().nanosecondsSinceEpoch),
        flags: UInt32(own.flags) | 0x100 | (parent?.isRemote == true ? 0x200 : 0))
      let live = recorder.startOrCount(record, resource: resource, scope: scope)
      context.contextSpan = ContextSpan(parent: own, live: live)
      return TracedSpan(context: context, live: live)
    }

    /// The span of this program that the context stands for, while it is open.
    public func activeSpan(identifiedBy context: ServiceContext) -> TracedSpan? {
      guard let live = context.contextSpan?.live, live.isOpen else { return nil }
      return TracedSpan(context: context, live: live)
    }

    // MARK: Writing

    /// Writes everything that has been recorded. Durable when it returns.
    public func flush() async throws { try await recorder.flush() }

    /// Begins to write everything that has been recorded and returns at once: nothing that may run on the threads of Swift
    /// concurrency can wait without them. Use `flush()` where the end matters.
    public func forceFlush() {
      Task { [recorder] in try? await recorder.flush() }
    }

    // MARK: Wire

    public func extract<Carrier, Extract: Extractor>(
      _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
      guard let header = extractor.extract(key: "traceparent", from: carrier) else { return }
      let traceState = extractor.extract(key: "tracestate", from: carrier) ?? ""
      if let parent = TraceParent(header: header, traceState: traceState) { context.traceParent = parent }
    }

    public func inject<Carrier, Inject: Injector>(
      _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
      guard let parent = context.traceParent else { return }
      injector.inject(parent.header, forKey: "traceparent", into: &carrier)
      if !parent.traceState.isEmpty { injector.inject(parent.traceState, forKey: "tracestate", into: &carrier) }
    }
  }

  extension TraceModel.SpanKind {
    init(_ kind: Tracing.SpanKind) {
      switch kind {
      case .server: self = .server
      case .client: self = .client
      case .producer: self = .producer
      case .consumer: self = .consumer
      case .internal: self = .internal
      }
    }
  }
#endif
