import Testing
import TraceModel
import TracestoreTesting

@Suite("The uniform shape")
struct GeneratorUniformTests {
  @Test("Ten services, ten spans a trace, 10.1 attributes a span from 97 keys and 1,000 values")
  func shape() {
    let generator = TrafficGenerator(shape: .uniform, spanCount: 20_000, seed: 1)
    let statistics = TrafficStatistics(generator)
    #expect(statistics.services == Set((0..<10).map { "tracegen-0\($0)" }))
    #expect(statistics.traceSpanCounts.values.allSatisfy { $0 == 10 })
    #expect(statistics.attributeCount == 2000 * (9 * 11 + 2))
    #expect(statistics.eventCount == 0)
    #expect(statistics.linkCount == 0)
    #expect(statistics.errorCount == 0)
    #expect(statistics.share(.server) == 0.1)
    #expect(statistics.share(.client) == 0.9)
    let keys = statistics.keyCounts.keys.filter { $0.hasPrefix("attr_") }
    #expect(keys.count == 97)
    #expect(statistics.keyCounts["attr_00"] != nil)
    #expect(statistics.keyCounts["attr_96"] != nil)
    var values: Set<String> = []
    for request in generator {
      request.forEachSpan { _, _, span in
        for case .string(let text) in span.attributes.map(\.value) where text.hasPrefix("val_") { values.insert(text) }
      }
    }
    #expect(values.count == 1000)
  }

  @Test("Children run one after the other inside their parent")
  func children() throws {
    var spans: [TraceID: [SpanRecord]] = [:]
    for request in TrafficGenerator(shape: .uniform, spanCount: 1000, seed: 9) {
      request.forEachSpan { _, _, span in spans[span.traceID, default: []].append(span) }
    }
    for trace in spans.values {
      let ordered = trace.sorted { $0.start < $1.start }
      let parent = try #require(ordered.first)
      #expect(parent.name == "lets-go")
      #expect(ordered.dropFirst().map(\.name) == (0..<9).map { "child-span-0\($0)" })
      for (left, right) in zip(ordered.dropFirst(), ordered.dropFirst(2)) { #expect(left.end < right.start) }
      #expect(ordered.allSatisfy { $0.end <= parent.end })
    }
  }
}

@Suite("The realistic shape")
struct GeneratorRealisticTests {
  /// The bounds hold for any seed: the reference measures 7.75 attributes, 0.051 events and 0.049 links a span,
  /// 2.0 % errors, 19.3 spans a trace.
  @Test("Forty services with the attributes, events, links, errors and traces of the reference", arguments: [1, 2])
  func shape(seed: UInt64) {
    let statistics = TrafficStatistics(TrafficGenerator(shape: .realistic, spanCount: 60_000, seed: seed))
    #expect(statistics.services.count == 40)
    #expect((7.0...8.6).contains(statistics.perSpan(statistics.attributeCount)))
    #expect((0.045...0.057).contains(statistics.perSpan(statistics.eventCount)))
    #expect((0.043...0.062).contains(statistics.perSpan(statistics.linkCount)))
    #expect((0.016...0.025).contains(statistics.perSpan(statistics.errorCount)))
    #expect((0.045...0.062).contains(statistics.perSpan(statistics.rootCount)))
    #expect((0.27...0.35).contains(statistics.share(.server)))
    #expect((0.54...0.64).contains(statistics.share(.client)))
    #expect((0.05...0.14).contains(statistics.share(.internal)))
    #expect((0.002...0.03).contains(statistics.share(.producer) + statistics.share(.consumer)))
    let largest = statistics.traceSpanCounts.values.max() ?? 0
    #expect((2000...6000).contains(largest))
  }

  @Test("Attributes are present as often as the reference has them")
  func presence() {
    let statistics = TrafficStatistics(TrafficGenerator(shape: .realistic, spanCount: 60_000, seed: 4))
    #expect((0.20...0.45).contains(statistics.presence("db.query.text")))
    #expect((0.15...0.35).contains(statistics.presence("http.response.status_code")))
    #expect((0.20...0.45).contains(statistics.presence("rpc.grpc.status_code")))
    #expect((0.80...1).contains(statistics.presence("server.address")))
    #expect(statistics.presence("error.type") == statistics.perSpan(statistics.errorCount))
    func ratio(_ part: String, _ whole: String) -> Double { statistics.presence(part) / statistics.presence(whole) }
    #expect((0.57...0.63).contains(ratio("db.response.returned_rows", "db.query.text")))
    #expect((0.22...0.28).contains(ratio("url.query", "url.path")))
    #expect((0.37...0.43).contains(ratio("http.request.body.size", "url.path")))
    #expect((0.46...0.54).contains(ratio("app.cache.hit", "thread.id")))
    #expect((0.36...0.44).contains(ratio("app.model.score", "thread.id")))
    #expect((0.27...0.33).contains(ratio("app.order.total", "url.path")))
    #expect(ratio("app.order.express", "app.order.total") == 1)
    #expect(statistics.keyCounts.count == 42)
  }

  @Test("Services have as many operations as asked for, and the rest of the shape stays", arguments: [3, 10])
  func operationFactor(factor: Int) {
    func traffic(_ factor: Int) -> TrafficGenerator {
      TrafficGenerator(shape: .realistic, spanCount: 60_000, seed: 5, operationFactor: factor)
    }
    func operationCount(_ traffic: TrafficGenerator) -> Int {
      var names: Set<[String]> = []
      for request in traffic {
        request.forEachSpan { resource, _, span in names.insert([resource.serviceName, span.name]) }
      }
      return names.count
    }
    let plain = operationCount(traffic(1))
    let grown = operationCount(traffic(factor))
    // Names are drawn twice, services call more operations of others, and rare ones do not happen among so few spans.
    #expect((plain * 3 / 2...plain * factor * 4 / 3).contains(grown), "\(plain) operations became \(grown)")
    let statistics = TrafficStatistics(traffic(factor))
    #expect(statistics.services.count == 40)
    #expect((7.0...8.6).contains(statistics.perSpan(statistics.attributeCount)))
    #expect((0.27...0.35).contains(statistics.share(.server)))
  }

  @Test("Java and Node count microseconds, other clocks nanoseconds")
  func clocks() {
    var shares: [String: (whole: Int, all: Int)] = [:]
    for request in TrafficGenerator(shape: .realistic, spanCount: 20_000, seed: 6) {
      request.forEachSpan { resource, _, span in
        guard case .string(let language)? = resource.attributes.value(of: "telemetry.sdk.language") else { return }
        let isWhole = span.start.nanoseconds % 1000 == 0 && span.end.nanoseconds % 1000 == 0
        shares[language, default: (0, 0)].whole += isWhole ? 1 : 0
        shares[language, default: (0, 0)].all += 1
      }
    }
    #expect(shares.keys.contains { $0 == "java" || $0 == "nodejs" })
    #expect(shares.keys.contains { $0 == "go" || $0 == "python" })
    for (language, share) in shares {
      if language == "java" || language == "nodejs" {
        #expect(share.whole == share.all, "\(language)")
      } else {
        #expect(share.whole < share.all / 100, "\(language)")
      }
    }
  }

  @Test("Errors carry an exception with a stack trace inside the span, links point at spans of the traffic")
  func errorsAndLinks() {
    var places: Set<SpanID> = []
    var targets: [SpanLink] = []
    for request in TrafficGenerator(shape: .realistic, spanCount: 20_000, seed: 8) {
      request.forEachSpan { _, _, span in
        places.insert(span.spanID)
        targets += span.links
        let exceptions = span.events.filter { $0.name == "exception" }
        #expect(exceptions.count == (span.isError ? 1 : 0))
        #expect(span.events.allSatisfy { span.start <= $0.time && $0.time <= span.end })
        for exception in exceptions {
          #expect(
            exception.attributes.map(\.key) == [
              "exception.type", "exception.message", "exception.stacktrace", "exception.escaped",
            ])
          #expect(exception.attributes.value(of: "exception.type") == span.attributes.value(of: "error.type"))
        }
        if span.kind == .consumer { #expect(span.links.count == 1) }
      }
    }
    #expect(!targets.isEmpty)
    #expect(targets.allSatisfy { link in link.spanID.map { places.contains($0) } ?? false })
  }

  @Test("Every instance is a Kubernetes pod with 31 resource attributes")
  func resources() {
    var resources: Set<Resource> = []
    for request in TrafficGenerator(shape: .realistic, spanCount: 20_000, seed: 2) {
      resources.formUnion(request.resourceSpans.map(\.resource))
    }
    #expect((80...240).contains(resources.count))
    for resource in resources {
      #expect(resource.attributes.count == 31)
      #expect(resource.attributes.value(of: "k8s.pod.name") == resource.attributes.value(of: "host.name"))
      #expect(resource.schemaURL == "https://opentelemetry.io/schemas/1.37.0")
    }
  }
}
