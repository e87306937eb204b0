// Where the package is built: a check against the library's modules alone has no tracer.
#if canImport(Tracing)
  import Foundation
  import TraceEngine
  import TracestoreTracing
  import Tracing

  /// What a span costs the program that records it with `StoreTracer`: CPU time of the calling thread, in nanoseconds a
  /// span. The fastest of some rounds counts, since other programs only ever add. Encoding and writing are not in it.
  struct TracerLoad: Encodable {
    var spanCount = 20_000
    var roundCount = 15
    /// `startSpan`, and two attributes in one `updateAttributes`.
    var startNanoseconds = Double.infinity
    /// `end()`.
    var endNanoseconds = Double.infinity
    /// A whole span.
    var nanoseconds = Double.infinity

    /// Takes everything and keeps nothing.
    private struct Nowhere: TraceWriter {
      func writeTraces(_ data: TraceData) async throws -> WriteReceipt {
        WriteReceipt(acceptedSpanCount: data.spanCount)
      }
    }

    static func measure() async throws -> TracerLoad {
      var result = TracerLoad()
      var options = RecorderOptions()
      options.snapshotIntervalNanoseconds = nil
      options.maximumWaitingSpanCount = result.spanCount
      options.batchSpanCount = 2 * result.spanCount
      let recorder = SpanRecorder(writer: Nowhere(), options: options)
      let tracer = StoreTracer(recorder: recorder, serviceName: "shop")
      for _ in 0..<result.roundCount {
        result.run(tracer)
        try await recorder.flush()
      }
      return result
    }

    /// All are open at a time, and the first of a round finds the memory of the last.
    private mutating func run(_ tracer: StoreTracer) {
      var spans: [TracedSpan] = []
      spans.reserveCapacity(spanCount)
      let begun = Self.threadNanoseconds()
      for index in 0..<spanCount {
        let span = tracer.startSpan("GET /", ofKind: .server)
        span.updateAttributes {
          $0["http.route"] = "/a"
          $0["i"] = index
        }
        spans.append(span)
      }
      let started = Self.threadNanoseconds()
      for span in spans { span.end() }
      let ended = Self.threadNanoseconds()
      func each(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / Double(spanCount) }
      startNanoseconds = min(startNanoseconds, each(started - begun))
      endNanoseconds = min(endNanoseconds, each(ended - started))
      nanoseconds = min(nanoseconds, each(ended - begun))
    }

    private static func threadNanoseconds() -> UInt64 {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
  }
#endif
