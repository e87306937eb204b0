#if Tracing
  import Synchronization
  import Testing
  import TraceModel
  import TraceRecorder
  import Tracing
  import TracestoreTracing
  import TracestoreV2

  private final class KeptSpans: TraceWriter {
    let spans = Mutex<[SpanRecord]>([])

    func writeTraces(_ data: TraceData) async throws -> WriteReceipt {
      spans.withLock { spans in data.forEachSpan { _, _, span in spans.append(span) } }
      return WriteReceipt(acceptedSpanCount: data.spanCount)
    }

    func named(_ name: String) -> SpanRecord? { spans.withLock { $0.last { $0.name == name } } }
  }

  private struct Headers: Extractor, Injector {
    func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
    func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
  }

  private struct Refused: Error {}

  @Suite struct StoreTracerTests {
    private let writer = KeptSpans()

    private func tracer(_ fraction: Double = 1) -> StoreTracer {
      let options = RecorderOptions(
        snapshotIntervalNanoseconds: nil, clock: { 1_000 },
        randomBits: {
          var generator = SystemRandomNumberGenerator()
          return generator.next()
        })
      return StoreTracer(
        recorder: SpanRecorder(writer: writer, options: options), serviceName: "shop", sampledFraction: fraction)
    }

    @Test func `spans nest by context, and carry what they were given`() async throws {
      let tracer = tracer()
      tracer.withSpan("outer", ofKind: .server) { outer in
        outer.attributes["sizes"] = [1, 2]
        outer.attributes["gone"] = "x"
        outer.attributes["gone"] = nil as String?
        tracer.withSpan("inner", ofKind: .client) { inner in
          inner.recordError(Refused())
          inner.setStatus(Tracing.SpanStatus(code: .error, message: "no"))
          inner.addLink(outer)
        }
        outer.operationName = "outer again"
        #expect(outer.isRecording && tracer.activeSpan(identifiedBy: outer.context) != nil)
      }
      try await tracer.flush()
      let outer = try #require(writer.named("outer again"))
      let inner = try #require(writer.named("inner"))
      #expect(outer.kind == .server && outer.attributes == [Attribute("sizes", .array([1, 2]))])
      #expect(inner.parentSpanID == outer.spanID && inner.traceID == outer.traceID && inner.kind == .client)
      #expect(inner.events.map(\.name) == ["exception"] && inner.isError)
      #expect(inner.links.first?.spanID == outer.spanID && inner.end != .zero)
    }

    @Test func `trace context survives the wire, and what is not one is left alone`() throws {
      let tracer = tracer()
      let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
      var context = ServiceContext.topLevel
      tracer.extract(["traceparent": header, "tracestate": "a=1"], into: &context, using: Headers())
      var carrier: [String: String] = [:]
      tracer.inject(context, into: &carrier, using: Headers())
      #expect(carrier == ["traceparent": header, "tracestate": "a=1"])
      let span = tracer.startSpan("child", context: context)
      #expect(span.context.traceParent?.traceID == context.traceParent?.traceID && span.isRecording)
      span.end()
      #expect(!span.isRecording)
      for bad in [
        "", "00", header + "0", header + "-x", header.uppercased(), "ff" + header.dropFirst(2),
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
      ] { #expect(TraceParent(header: bad) == nil, "\(bad)") }
      #expect(TraceParent(header: "01" + header.dropFirst(2) + "-more") != nil)
    }

    @Test func `a fraction of the roots is sampled, and children do as their parents`() {
      let none = tracer(0).startSpan("root")
      #expect(!none.isRecording && none.context.traceParent?.isSampled == false)
      #expect(!tracer(1).startSpan("child", context: none.context).isRecording)
      let half = tracer(0.5)
      let count = (0..<2_000).count { _ in
        let span = half.startSpan("root")
        defer { span.end() }
        return span.isRecording
      }
      // Ten standard deviations.
      #expect((776...1_224).contains(count))
      #expect(tracer(0).startSpan("child", context: tracer(1).startSpan("root").context).isRecording)
    }
  }
#endif
