import TraceEngine

@main
struct Minute {
  static func main() async throws {
    let path = CommandLine.arguments.dropFirst().first ?? "traces"

    try await withTraceStore(at: path) { store in
      // Durable when it returns.
      let receipt = try await store.writeTraces(checkout())
      print("stored \(receipt.acceptedSpanCount) spans")

      // Visible at once: whole traces, newest first.
      for try await chunk in try await store.findTraces(TraceQuery(serviceName: "cart")) {
        print("trace \(chunk.traceID)")
        chunk.data.forEachSpan { resource, _, span in
          print("  \(resource.serviceName): \(span.name), \(span.durationNanoseconds / 1_000_000) ms")
        }
      }
    }
  }

  /// One customer's checkout, as two services saw it.
  static func checkout() -> TraceData {
    let trace = TraceID(high: 0x1234, low: 0x5678)
    let noon = 1_767_268_800_000_000_000 as UInt64
    let pay = SpanRecord(
      traceID: trace, spanID: SpanID(1), name: "POST /checkout", kind: .server,
      start: Timestamp(nanoseconds: noon), end: Timestamp(nanoseconds: noon + 84_000_000),
      attributes: [Attribute("http.response.status_code", 200)])
    let load = SpanRecord(
      traceID: trace, spanID: SpanID(2), parentSpanID: SpanID(1), name: "load cart", kind: .server,
      start: Timestamp(nanoseconds: noon + 2_000_000), end: Timestamp(nanoseconds: noon + 9_000_000),
      attributes: [Attribute("cart.items", 3), Attribute("cart.cached", false)])
    return TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", "storefront")]),
        scopeSpans: [ScopeSpans(spans: [pay])]),
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", "cart")]), scopeSpans: [ScopeSpans(spans: [load])]),
    ])
  }
}
