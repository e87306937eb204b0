import Foundation
import Testing

/// An export reads traces in the order in which they are stored, and writes them in the order of their ids.
@Suite struct ExportTests {
  private struct Line {
    var trace: String
    var spans: [String]
  }

  /// What stands in the lines of an export.
  private func lines(of run: Run, status: Int32 = 0) throws -> [Line] {
    #expect(run.status == status, "\(run.errors)")
    return try run.output.split(separator: UInt8(ascii: "\n")).map { line in
      let data = try #require(JSONSerialization.jsonObject(with: line) as? [String: [[String: Any]]])
      let scoped = data["resourceSpans"]?.flatMap { $0["scopeSpans"] as? [[String: Any]] ?? [] } ?? []
      let spans = scoped.flatMap { $0["spans"] as? [[String: Any]] ?? [] }
      return Line(
        trace: try #require(spans.first?["traceId"] as? String), spans: spans.compactMap { $0["spanId"] as? String })
    }
  }

  /// The trace ids of the lines of an export, one after another.
  private func traces(of run: Run) throws -> [String] {
    var traces: [String] = []
    for line in try lines(of: run) where traces.last != line.trace { traces.append(line.trace) }
    return traces
  }

  /// A request of one span.
  private func request(_ trace: Int, _ span: Int, _ text: String) -> Data {
    let ids = String(format: #""traceId":"%032x","spanId":"%016x""#, trace, span)
    let start = 1_767_268_800_000_000_000 + span
    return Data(
      #"{"resourceSpans":[{"scopeSpans":[{"spans":[{\#(ids),"name":"work","startTimeUnixNano":"\#(start)","endTimeUnixNano":"\#(start)","attributes":[{"key":"text","value":{"stringValue":"\#(text)"}}]}]}]}]}"#
        .utf8) + Data("\n".utf8)
  }

  @Test func `a span is one line of comma-separated values, whatever its texts hold`() throws {
    let program = try Program()
    let text =
      #"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a,b"}}]},"scopeSpans":[{"scope":{"name":"lib"},"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"say \"hi\"\r\nthere","kind":2,"startTimeUnixNano":"1000","endTimeUnixNano":"3000","status":{"code":2,"message":"broken"},"attributes":[{"key":"n","value":{"intValue":"-7"}},{"key":"big","value":{"intValue":"9007199254740993"}},{"key":"list","value":{"arrayValue":{"values":[{"boolValue":true},{"doubleValue":0.5}]}}}],"events":[{"timeUnixNano":"2000","name":"tick"}]},{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060709","parentSpanId":"0102030405060708","name":"open","startTimeUnixNano":"2000"}]}]}]}"#
    let file = program.path("csv.json")
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    #expect(try program.run("import", file).status == 0)
    let run = try program.run("export", "--format", "csv", "--out", "-")
    #expect(run.status == 0, "\(run.errors)")
    let lines = run.text.components(separatedBy: "\r\n")
    #expect(lines[0].hasPrefix("trace_id,span_id,parent_span_id,service,name,kind,start_unix_nano,"))
    let trace = "0102030405060708090a0b0c0d0e0f10"
    // The line break of the name is its own.
    #expect(lines[1] == "\(trace),0102030405060708,,\"a,b\",\"say \"\"hi\"\"")
    let resource = #""{""service.name"":""a,b""}""#
    #expect(
      lines[2]
        == #"there",server,1000,3000,2000,error,broken,final,lib,"{""n"":-7,""big"":""9007199254740993"",""list"":[true,0.5]}","#
        + resource + #","[{""name"":""tick"",""time_unix_nano"":2000,""attributes"":{}}]",[]"#)
    #expect(
      lines[3].hasPrefix("\(trace),0102030405060709,0102030405060708,\"a,b\",open,unspecified,2000,")
        && lines[3].contains(",unset,,abandoned,lib,{},"), "\(lines[3])")
    #expect(lines.count == 5 && lines[4].isEmpty)
  }

  private static let megabyte = String(repeating: "x", count: 1 << 20)

  @Test func `traces are written once and in the order of ids, however they are stored`() throws {
    let program = try Program()
    // Two segments, several windows, and traces that stand in the log alone, as a writer is open.
    #expect(try program.run("import", program.generate(20_000)).status == 0)
    #expect(try program.run("import", program.generate(5_000, seed: 2)).status == 0)
    let writer = try program.start(["import", "-"])
    try writer.input.write(contentsOf: Data(contentsOf: URL(fileURLWithPath: program.generate(1_000, seed: 3))))
    try writer.wait("what the pipe gave") { try program.storedSpanCount() == 26_000 }
    #expect(try program.spanCount() == 25_000)
    let all = try traces(of: program.run("export", "--format", "otlp-json", "--out", "-"))
    #expect(all.count > 1000 && all == Set(all).sorted())
    let first = try traces(of: program.run("export", "--format", "otlp-json", "--limit", "300", "--out", "-"))
    #expect(first == Array(all.prefix(300)))
    let run = try program.run("export", "--out", program.path("all.otlp"), "--json")
    #expect(try run.object()["traces"] as? Int == all.count)
    #expect(try run.object()["spans"] as? Int == 26_000)
    try writer.input.close()
    #expect(try writer.end().status == 0)
  }

  /// Thirty small traces in a stripe, one of nine spans in two, and one that does not fit beside it in what an export
  /// holds. Returns the segment.
  private func importLarge(_ program: Program) throws -> String {
    var input = Data()
    for trace in 1...30 { input += request(trace, trace, "small") }
    for span in 100..<109 { input += request(31, span, Self.megabyte) }
    for span in 200..<230 { input += request(32, span, Self.megabyte) }
    let file = program.path("large.jsonl")
    try input.write(to: URL(fileURLWithPath: file))
    #expect(try program.run("import", file).status == 0)
    return program.store + "/segment-0000000000000001.seg"
  }

  /// Damages the column of span ids in a stripe of so many spans: its traces are found, and its spans cannot be read.
  private func damage(_ segment: String, stripeOf spanCount: Int, _ program: Program) throws {
    let parts = try #require(program.run("dump", segment, "--columns", "--json").object()["parts"] as? [[String: Any]])
    let stripe = try #require(parts.first { ($0["fields"] as? [String: Any])?["spans"] as? Int == spanCount })
    let columns = try #require(stripe["parts"] as? [[String: Any]])
    let column = try #require(columns.first { $0["name"] as? String == "span.id" })
    let offset = try #require(column["offset"] as? Int)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: segment))
    bytes[offset + 2] ^= 1
    try bytes.write(to: URL(fileURLWithPath: segment))
  }

  @Test func `damage is told once and the rest is written, also where traces do not fit together`() throws {
    let program = try Program()
    let segment = try importLarge(program)
    // The first eight spans of the trace whose neighbour is too large: read with it, and again alone.
    try damage(segment, stripeOf: 8, program)
    let run = try program.run("export", "--format", "otlp-json", "--out", "-")
    let expected = (Array(1...30) + [108] + Array(200..<230)).map { String(format: "%016x", $0) }
    let spans = try lines(of: run, status: 1).flatMap(\.spans)
    #expect(spans == expected)
    let told = run.errors.split(separator: "\n").filter { $0.contains("damaged: ") }
    #expect(told.count == 1 && told.allSatisfy { $0.contains(segment) }, "\(run.errors)")
    let out = program.path("rest.otlp")
    #expect(try program.run("export", "--out", out).status == 1)
    let copy = try Program()
    #expect(try copy.run("import", out).status == 0)
    #expect(try copy.spanCount() == expected.count)
  }

  @Test func `a limit counts the traces that are written, not those that are found and cannot be read`() throws {
    let program = try Program()
    try damage(importLarge(program), stripeOf: 30, program)
    let run = try program.run("export", "--format", "otlp-json", "--limit", "2", "--out", "-")
    let traces = Set(try lines(of: run, status: 1).map(\.trace))
    #expect(traces == Set([31, 32].map { String(format: "%032x", $0) }))
  }

  @Test func `standard output has nothing but the export, whatever is to be told in JSON`() throws {
    let program = try Program()
    try damage(importLarge(program), stripeOf: 30, program)
    for out in [["--out", "-"], ["--out=-"]] {
      let run = try program.run(arguments: ["export", "--format", "otlp-json", "--json"] + out)
      #expect(try lines(of: run, status: 1).count > 1)
      #expect(run.errors.contains(#"{"error":{"code":"corrupt""#), "\(run.errors)")
      #expect(run.errors.contains(#""spans":39"#), "\(run.errors)")
    }
    let nowhere = try program.run("export", "--out", "-", "--json", "--store", program.path("nowhere"))
    #expect(nowhere.status == 3 && nowhere.output.isEmpty, "\(nowhere.errors)")
    #expect(nowhere.errors.hasPrefix(#"{"error":"#), "\(nowhere.errors)")
    let file = try program.run("export", "--out", program.path("rest.otlp"), "--json")
    #expect(file.text.contains(#"{"error":{"code":"corrupt""#) && !file.errors.contains("{"))
  }

  @Test func `traces that are larger than what an export holds come whole, and in their place`() throws {
    let program = try Program()
    var input = request(1, 1, "small")
    for span in 2...40 { input += request(2, span, Self.megabyte) }
    for trace in 3...9 { input += request(trace, trace + 100, "small") }
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
