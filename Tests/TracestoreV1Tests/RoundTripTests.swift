import Testing
import TraceModel
import TracestoreTesting
import TracestoreV1

/// What v1 can carry comes back equal; random spans, so a failure prints its seed.
@Suite struct `Round trips` {
  /// Takes away what v1 has no place for, or reads as something else on the way back.
  private func carried(_ data: TraceData) -> [(Resource, InstrumentationScope, SpanRecord)] {
    var all: [(Resource, InstrumentationScope, SpanRecord)] = []
    data.forEachSpan { resource, scope, span in
      var (resource, scope, span) = (resource, scope, span)
      resource.schemaURL = ""
      resource.attributes = kept(resource.attributes)
      if resource.serviceName.isEmpty { resource.attributes.removeAll { $0.key == "service.name" } }
      scope = InstrumentationScope(name: scope.name, version: scope.name.isEmpty ? "" : scope.version)
      span.attributes = kept(span.attributes)
      if span.parentSpanID?.isZero == true { span.parentSpanID = nil }
      if !(0...5).contains(span.kind.rawValue) { span.kind = .unspecified }
      let code = span.status?.code
      if code != .ok, code != .error { span.status = nil }
      for index in span.events.indices { span.events[index].attributes = kept(span.events[index].attributes) }
      span.links = span.links.map {
        SpanLink(
          traceID: $0.traceID, spanID: $0.spanID, attributes: [Attribute("opentracing.ref_type", "follows_from")])
      }
      all.append((resource, scope, span))
    }
    return all
  }

  private func kept(_ attributes: [Attribute]) -> [Attribute] {
    attributes.filter { attribute in
      // These two decide on the status of a span that has none.
      if attribute.key == "error" || attribute.key == "http.status_code" { return false }
      return switch attribute.value {
      case .string, .bool, .int, .double, .bytes: true
      default: false
      }
    }
  }

  @Test func `v2 to v1 and back`() {
    var count = 0
    for seed in UInt64(1)...60 {
      for data in randomTraces(seed: seed, count: 10, openSpanShare: 6) {
        for (resource, scope, span) in carried(data) {
          let v1 = V1Span(span, scope: scope, resource: resource)
          let back = v1.record
          #expect(Resource(v1.process) == resource, "seed \(seed)")
          #expect(back.scope == scope, "seed \(seed)")
          #expect(back.span == span, "seed \(seed)")
          count += 1
        }
      }
    }
    #expect(count > 3_000)
  }

  @Test func `whatever v1 has once become stays what it is`() {
    for seed in UInt64(1)...60 {
      for data in randomTraces(seed: seed, count: 10).map(described) {
        for trace in V1Trace.traces(of: [data]) {
          let once = TraceData(trace.spans)
          let again = TraceData(V1Trace.traces(of: [once]).flatMap(\.spans))
          #expect(once.spanCount == trace.spans.count, "seed \(seed)")
          #expect(again == once, "seed \(seed)")
        }
      }
    }
  }

  /// A description without a code stays a tag, until an HTTP code makes it an error's.
  private func described(_ data: TraceData) -> TraceData {
    var data = data
    for group in data.resourceSpans.indices {
      for scoped in data.resourceSpans[group].scopeSpans.indices {
        for span in data.resourceSpans[group].scopeSpans[scoped].spans.indices {
          let status = data.resourceSpans[group].scopeSpans[scoped].spans[span].status
          if status?.code != .ok, status?.code != .error {
            data.resourceSpans[group].scopeSpans[scoped].spans[span].status = nil
          }
        }
      }
    }
    return data
  }

  @Test func `traces to UI JSON and back, at microseconds`() throws {
    for seed in UInt64(1)...60 {
      let traces = V1Trace.traces(of: randomTraces(seed: seed, count: 8, openSpanShare: 9))
      guard !traces.isEmpty else { continue }
      let back = try JaegerJSON.decode(JaegerJSON.encode(traces))
      #expect(back == traces.map(floored), "seed \(seed)")
      #expect(JaegerJSON.encode(back) == JaegerJSON.encode(traces), "seed \(seed)")
    }
  }

  private func floored(_ trace: V1Trace) -> V1Trace {
    var trace = trace
    for index in trace.spans.indices {
      trace.spans[index].startTime.nanoseconds -= trace.spans[index].startTime.nanoseconds % 1_000
      let duration = max(0, trace.spans[index].durationNanoseconds)
      trace.spans[index].durationNanoseconds = duration - duration % 1_000
      for log in trace.spans[index].logs.indices {
        trace.spans[index].logs[log].timestamp.nanoseconds -=
          trace.spans[index].logs[log].timestamp.nanoseconds % 1_000
      }
      // The payload of a NaN is beyond JSON.
      trace.spans[index].tags = trace.spans[index].tags.map(plain)
      trace.spans[index].process.tags = trace.spans[index].process.tags.map(plain)
      for log in trace.spans[index].logs.indices {
        trace.spans[index].logs[log].fields = trace.spans[index].logs[log].fields.map(plain)
      }
    }
    return trace
  }

  private func plain(_ tag: V1Tag) -> V1Tag {
    if case .float64(let value) = tag.value, value.isNaN { V1Tag(tag.key, .float64(.nan)) } else { tag }
  }

  @Test func `requests are bounded, and tell where each span stood`() throws {
    let count = 1_300
    let spans = (1...count).map { number in
      v1Span(tags: number % 3 == 0 ? [V1Tag("otel.scope.name", "lib")] : []) {
        $0.spanID = SpanID(UInt64(number))
        $0.process = V1Process(serviceName: "s\(number % 2)")
      }
    }
    let document = JaegerJSON.encode([V1Trace(spans: spans)])
    let decoded = try JaegerJSON.decodeSpans(document)
    #expect(decoded.count == count)
    var seen: [UInt64] = []
    for request in decoded.requests {
      #expect(request.data.spanCount <= DecodedSpans.maximumRequestSpanCount && request.data.spanCount > 0)
      #expect(request.spanIndexes.count == request.data.spanCount)
      var place = 0
      request.data.forEachSpan { _, _, span in
        let id = span.spanID.rawValue
        #expect(request.spanIndexes[place] == Int(id) - 1)
        let offset = request.spanOffsets[place]
        #expect(
          text(Array(document[offset...].prefix(120))).hasPrefix(
            #"{"traceID":"00000000000000ab","spanID":"\#(span.spanID.hex)""#))
        seen.append(id)
        place += 1
      }
    }
    #expect(decoded.requests.map(\.data.spanCount) == [512, 512, 276])
    #expect(seen.sorted() == Array(1...UInt64(count)))
    #expect(try JaegerJSON.decodeSpans(bytes("[]")).requests.map(\.data.spanCount).isEmpty)
  }

  @Test func `large spans make small requests`() throws {
    let long = String(repeating: "x", count: 1 << 20)
    let spans = (1...9).map { number in
      v1Span(tags: [V1Tag("long", .string(long))]) { $0.spanID = SpanID(UInt64(number)) }
    }
    let decoded = try JaegerJSON.decodeSpans(JaegerJSON.encode([V1Trace(spans: spans)]))
    #expect(decoded.requests.map(\.data.spanCount) == [3, 3, 3])
    let huge = v1Span(tags: [V1Tag("long", .string(String(repeating: "x", count: 5 << 20)))])
    let mixed = try JaegerJSON.decodeSpans(JaegerJSON.encode([V1Trace(spans: [v1Span(), huge, v1Span(), huge])]))
    #expect(mixed.requests.map(\.data.spanCount) == [1, 1, 1, 1])
  }
}
