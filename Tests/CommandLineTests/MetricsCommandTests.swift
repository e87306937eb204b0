import Foundation
import Testing

@Suite struct MetricsCommandTests {
  @Test func `metrics are Jaeger's metric families, and small charts for people`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(3000)).status == 0)
    // All that realistic traffic may lie in.
    let window = ["--end", "2030-01-01T00:00:00Z", "--lookback", "20000d", "--step", "1h", "--rate-per", "1h"]
    for (measure, name) in [
      ("latency", "service_latencies"), ("calls", "service_call_rate"), ("errors", "service_error_rate"),
    ] {
      let family = try program.run(arguments: ["metrics", measure, "--all-kinds", "--json"] + window).object()
      #expect(family["type"] as? String == "GAUGE" && family["errorBound"] is NSNumber && family["help"] is String)
      #expect(family["name"] as? String == name)
      let metrics = try #require(family["metrics"] as? [[String: Any]])
      let labels = try #require(metrics.first?["labels"] as? [[String: String]])
      #expect(labels.first?["name"] == "service_name")
      let points = try #require(metrics.first?["metricPoints"] as? [[String: Any]])
      let point = try #require(points.first)
      #expect((point["timestamp"] as? String)?.hasSuffix("Z") == true)
      #expect((point["gaugeValue"] as? [String: Any])?["doubleValue"] is NSNumber)
    }
    let services = try program.run("services", "--json").array(of: String.self)
    let byOperation = try program.run(
      arguments: [
        "metrics", "latency", "--service", services[0], "--by-operation", "--all-kinds", "--exact", "--exemplars", "1",
        "--json",
      ] + window
    ).object()
    #expect(byOperation["name"] as? String == "service_operation_latencies")
    #expect(byOperation["errorBound"] as? Double == 0)
    let series = try #require(byOperation["metrics"] as? [[String: Any]])
    #expect(
      series.allSatisfy {
        (($0["labels"] as? [[String: String]])?.map { $0["name"] }) == ["service_name", "operation"]
      })
    let points = try #require(series.first?["metricPoints"] as? [[String: Any]])
    let exemplar = try #require((points.first?["exemplars"] as? [[String: Any]])?.first?["traceID"] as? String)
    #expect(try program.run("trace", exemplar).status == 0)

    let chart = try program.run(arguments: ["metrics", "calls", "--all-kinds", "--by-operation"] + window)
    #expect(chart.status == 0 && chart.text.contains("SERVICE") && chart.text.contains("/s"))
    #expect(chart.text.contains("█"))
    let empty = try program.run("metrics", "calls", "--end", "1")
    #expect(empty.status == 0 && empty.text.contains("no calls"))
  }

  @Test func `spans without a service are counted beside those of all services`() throws {
    let program = try Program()
    func span(_ id: Int, _ service: String?) -> String {
      let attributes = service.map { #"[{"key":"service.name","value":{"stringValue":"\#($0)"}}]"# } ?? "[]"
      return
        #"{"resource":{"attributes":\#(attributes)},"scopeSpans":[{"spans":[{"traceId":"0000000000000000000000000000000\#(id)","spanId":"0000000000000001","kind":2,"startTimeUnixNano":"1000000000","endTimeUnixNano":"1000000001"}]}]}"#
    }
    let input = "{\"resourceSpans\":[" + [span(1, nil), span(2, "cart")].joined(separator: ",") + "]}"
    #expect(try program.run("import", "-", input: Data(input.utf8)).status == 0)
    let family = try program.run(
      "metrics", "calls", "--end", "120000000000", "--lookback", "2m", "--rate-per", "1m", "--json"
    ).object()
    let metrics = try #require(family["metrics"] as? [[String: Any]])
    let services = metrics.compactMap { ($0["labels"] as? [[String: String]])?.first?["value"] }
    #expect(services.sorted() == ["", "cart"])
  }

  @Test func `what is no metrics query is a usage error`() throws {
    let program = try Program()
    for arguments in [
      ["metrics", "latency", "--quantile", "1.5"], ["metrics", "speed"], ["metrics", "calls", "--step", "0"],
      ["metrics", "calls", "--kind", "boss"], ["metrics", "calls", "--kind", "server", "--all-kinds"],
      ["metrics", "calls", "--max-series", "0"], ["metrics", "calls", "--filter", "span.duration >"],
    ] {
      #expect(try program.run(arguments: arguments).status == 2, "\(arguments)")
    }
  }
}
