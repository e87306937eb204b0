import Foundation
import Testing

/// An export reads traces in the order in which they are stored, and writes them in the order of their ids.
@Suite struct ExportTests {
  /// The trace ids of the lines of an export, one after another.
  private func traces(of run: Run) throws -> [String] {
    #expect(run.status == 0, "\(run.errors)")
    var traces: [String] = []
    for line in run.output.split(separator: UInt8(ascii: "\n")) {
      let data = try #require(JSONSerialization.jsonObject(with: line) as? [String: [[String: Any]]])
      let scoped = data["resourceSpans"]?.first?["scopeSpans"] as? [[String: Any]]
      let span = try #require((scoped?.first?["spans"] as? [[String: Any]])?.first)
      let trace = try #require(span["traceId"] as? String)
      if traces.last != trace { traces.append(trace) }
    }
    return traces
  }

  @Test func `traces are written once and in the order of ids, however they are stored`() throws {
    let program = try Program()
    // Two segments, several windows, and traces that stand in the log alone.
    #expect(try program.run("import", program.generate(20_000)).status == 0)
    #expect(try program.run("import", program.generate(5_000, seed: 2)).status == 0)
    let all = try traces(of: program.run("export", "--format", "otlp-json", "--out", "-"))
    #expect(all.count > 1000 && all == Set(all).sorted())
    let first = try traces(of: program.run("export", "--format", "otlp-json", "--limit", "300", "--out", "-"))
    #expect(first == Array(all.prefix(300)))
    let run = try program.run("export", "--out", program.path("all.otlp"), "--json")
    #expect(try run.object()["traces"] as? Int == all.count)
    #expect(try run.object()["spans"] as? Int == (try program.spanCount()))
  }

  @Test func `an export of a damaged store has what can be read, names the rest, and is status 1`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(5_000)).status == 0)
    let segment = program.store + "/segment-0000000000000001.seg"
    var bytes = try Data(contentsOf: URL(fileURLWithPath: segment))
    // A page of a column, so that the traces are found and their spans are not.
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(fileURLWithPath: segment))
    let run = try program.run("export", "--out", program.path("rest.otlp"), "--json")
    #expect(run.status == 1 && run.errors.contains("damaged: ") && run.errors.contains(segment), "\(run.errors)")
    let copy = try Program()
    #expect(try copy.run("import", program.path("rest.otlp")).status == 0)
    #expect((1..<5_000).contains(try copy.spanCount()))
  }

  @Test func `traces that are larger than what an export holds come whole, and in their place`() throws {
    let program = try Program()
    let text = String(repeating: "x", count: 1 << 20)
    var input = Data()
    func add(_ trace: Int, _ span: Int, _ value: String) {
      let ids = String(format: #""traceId":"%032x","spanId":"%016x""#, trace, span)
      let start = 1_767_268_800_000_000_000 + span
      input +=
        Data(
          #"{"resourceSpans":[{"scopeSpans":[{"spans":[{\#(ids),"name":"work","startTimeUnixNano":"\#(start)","endTimeUnixNano":"\#(start)","attributes":[{"key":"text","value":{"stringValue":"\#(value)"}}]}]}]}]}"#
            .utf8) + Data("\n".utf8)
    }
    add(1, 1, "small")
    for span in 2...40 { add(2, span, text) }
    for trace in 3...9 { add(trace, trace + 100, "small") }
    let file = program.path("large.jsonl")
    try input.write(to: URL(fileURLWithPath: file))
    #expect(try program.run("import", file).status == 0)
    let exported = try program.run("export", "--format", "otlp-json", "--out", "-")
    #expect(try traces(of: exported) == (1...9).map { String(format: "%032x", $0) })
    let copy = try Program()
    let out = program.path("copy.otlp")
    let run = try program.run("export", "--out", out, "--json")
    #expect(try run.object()["spans"] as? Int == 47)
    #expect(try run.object()["traces"] as? Int == 9)
    #expect(try copy.run("import", out).status == 0)
    #expect(try copy.records() == program.records())
  }
}
