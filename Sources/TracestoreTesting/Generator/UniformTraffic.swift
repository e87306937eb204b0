import TraceModel

/// The shape of Jaeger's storage benchmark: a parent with nine children, one after the other, attributes by counter.
struct UniformTraffic: TrafficSource {
  private static let childCount = 9
  private static let spansPerTrace = 10
  private static let serviceCount = 10
  private static let attributesPerChild = 11
  private static let keyCount = 97
  private static let valueCount = 1000

  let resources: [Resource]
  let scopes = [InstrumentationScope(name: "tracegen")]
  private let plan: TrafficPlan
  private let identities: TrafficIdentities
  private let names: [String]
  private let keys: [String]
  private let values: [AttributeValue]
  private let parentAttributes = [
    Attribute("peer.service", "tracegen-server"), Attribute("peer.host.ipv4", "1.1.1.1"),
  ]

  init(plan: TrafficPlan) {
    self.plan = plan
    identities = TrafficIdentities(seed: plan.seed)
    names = (0..<Self.childCount).map { "child-span-0\($0)" } + ["lets-go"]
    keys = (0..<Self.keyCount).map { "attr_\(TrafficText.padded($0, 2))" }
    values = (0..<Self.valueCount).map { .string("val_\(TrafficText.padded($0, 2))") }
    resources = (0..<Self.serviceCount).map { service in
      Resource(
        attributes: [
          Attribute("host.name", "5f2c1f8a9d3e"), Attribute("os.type", "linux"),
          Attribute("service.name", .string("tracegen-0\(service)")), Attribute("telemetry.sdk.language", "go"),
          Attribute("telemetry.sdk.name", "opentelemetry"), Attribute("telemetry.sdk.version", "1.38.0"),
        ], schemaURL: TrafficText.schemaURL)
    }
  }

  /// The number of the chunk's first trace. Only the very last trace may be short, so every chunk starts a trace.
  private func firstTrace(ofChunk index: Int) -> Int {
    index == plan.chunkCount ? traceCount : plan.spanRange(ofChunk: index).lowerBound / Self.spansPerTrace
  }

  private var traceCount: Int { (plan.spanCount + Self.spansPerTrace - 1) / Self.spansPerTrace }

  /// Traces are spread evenly over the window.
  private func start(ofTrace trace: Int) -> Int64 {
    let (quotient, remainder) = Int(plan.windowNanoseconds).quotientAndRemainder(dividingBy: traceCount)
    return Int64(quotient * trace + remainder * trace / traceCount)
  }

  func start(ofChunk index: Int) -> Int64 { start(ofTrace: firstTrace(ofChunk: index)) }

  func chunk(at index: Int) -> TrafficChunk {
    var random = TrafficRandom(seed: plan.seed, purpose: 2, index: index)
    let first = firstTrace(ofChunk: index)
    let count = firstTrace(ofChunk: index + 1) - first
    var spans: [TrafficSpan] = []
    spans.reserveCapacity(count * Self.spansPerTrace)
    for trace in 0..<count {
      appendTrace(first + trace, as: trace, to: &spans, &random)
    }
    return TrafficChunk(
      index: index, firstSpan: first * Self.spansPerTrace, spans: spans, facts: [], traceCount: count)
  }

  private func appendTrace(
    _ trace: Int, as local: Int, to spans: inout [TrafficSpan], _ random: inout TrafficRandom
  ) {
    let jitter = min(start(ofTrace: trace + 1) - start(ofTrace: trace), 1_000_000_000)
    let begin = start(ofTrace: trace) + Int64(random.below(Int(max(1, jitter))))
    let childCount = min(Self.spansPerTrace, plan.spanCount - trace * Self.spansPerTrace) - 1
    // The parent stands last, so that the order of spans is the order of their ends.
    let parent = Int32(spans.count + childCount)
    var clock = begin
    func span(_ operation: Int, start: Int64, end: Int64, parent: Int32) -> TrafficSpan {
      TrafficSpan(
        start: start, end: end, trace: Int32(local), parent: parent, operation: Int32(operation),
        resource: Int32(trace % Self.serviceCount), scope: 0, level: parent < 0 ? 0 : 1, isError: false)
    }
    for child in 0..<childCount {
      let (a, b) = random.normalPair()
      let childStart = clock + Int64(3000 * PortableMath.exp(0.3 * a))
      clock = childStart + Int64(70_000 * PortableMath.exp(0.25 * b)) + 1000
      spans.append(span(child, start: childStart, end: clock, parent: parent))
    }
    clock += Int64(3000 * PortableMath.exp(0.3 * random.normalPair().0))
    spans.append(span(Self.childCount, start: begin, end: clock, parent: -1))
  }

  func record(_ index: Int, of chunk: TrafficChunk, origin: UInt64) -> SpanRecord {
    let span = chunk.spans[index]
    let isChild = span.parent >= 0
    var attributes = parentAttributes
    if isChild {
      let trace = chunk.firstSpan / Self.spansPerTrace + Int(span.trace)
      let counter = (trace * Self.childCount + Int(span.operation)) * Self.attributesPerChild
      attributes = (counter..<counter + Self.attributesPerChild).map {
        Attribute(keys[$0 % Self.keyCount], values[$0 % Self.valueCount])
      }
    }
    return SpanRecord(
      traceID: identities.traceID(Int(span.trace), of: chunk), spanID: identities.spanID(index, of: chunk),
      parentSpanID: isChild ? identities.spanID(Int(span.parent), of: chunk) : nil,
      name: names[Int(span.operation)], kind: isChild ? .client : .server,
      start: Timestamp(nanoseconds: origin &+ UInt64(span.start)),
      end: Timestamp(nanoseconds: origin &+ UInt64(span.end)), attributes: attributes, status: SpanStatus(),
      flags: TrafficText.sampledFlags)
  }
}
