import Foundation
import Testing

/// The same spans come in, and go out, in every form.
@Suite struct InputFormTests {
  static let spellings = ["shop-small.json", "shop-small.jsonl", "shop-small.varint.otlp", "shop-small.single.otlp"]

  @Test func `one content in four framings makes equal stores, from files and from a pipe`() throws {
    var contents: Set<[String]> = []
    for name in Self.spellings {
      let file = Program.fixture("otlp/\(name)")
      let direct = try Program()
      #expect(try direct.run("import", file).status == 0)
      contents.insert(try direct.records())
      let piped = try Program()
      let run = try piped.run("import", "-", "--json", input: Data(contentsOf: URL(fileURLWithPath: file)))
      #expect(run.status == 0, "\(run.errors)")
      contents.insert(try piped.records())
    }
    #expect(contents.count == 1 && contents.first?.isEmpty == false)
  }

  @Test(arguments: [
    ("shop-small.json", "otlp-json"), ("shop-small.jsonl", "otlp-json-lines"),
    ("shop-small.varint.otlp", "otlp-varint"),
    ("shop-small.single.otlp", "otlp-message"), ("shop-morning.otlp", "otlp-framed"),
  ])
  func `a framing that is named is taken at its word`(_ name: String, _ format: String) throws {
    let program = try Program()
    let file = Program.fixture("otlp/\(name)")
    #expect(try program.run("import", file, "--input-format", format).status == 0)
    let found = try Program()
    #expect(try found.run("import", file).status == 0)
    #expect(try program.records() == found.records())
    let wrong = try Program()
    let other = format.hasPrefix("otlp-json") ? "otlp-framed" : "otlp-json"
    #expect(try wrong.run("import", file, "--input-format", other).status == 1)
    #expect(!wrong.isStored())
  }

  @Test(arguments: ["shop-noon.otlp.gz", "shop-evening.jsonl.zst"])
  func `compressed input is undone, from files and from a pipe, and several parts are one input`(_ name: String) throws
  {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: Program.fixture("otlp/\(name)")))
    let program = try Program()
    #expect(try program.run("import", Program.fixture("otlp/\(name)")).status == 0)
    let records = try program.records()
    #expect(!records.isEmpty)
    // What differs for compressed input must not be the name: a pipe has none.
    for input in [bytes, bytes + bytes] {
      let piped = try Program()
      let run = try piped.run("import", "-", input: input)
      #expect(run.status == 0, "\(run.errors)")
      #expect(try piped.records() == records)
    }
  }

  @Test func `a trace goes out as JSON, as protobuf and as it was written, and comes back equal`() throws {
    let program = try Program()
    #expect(try program.run("import", Program.fixture("otlp/shop-morning.otlp")).status == 0)
    let found = try program.run("search", "--limit", "1000", "--format", "ids").object()
    let ids = try #require(found["traces"] as? [[String: Any]]).compactMap { $0["traceID"] as? String }
    #expect(!ids.isEmpty)
    for id in ids.prefix(4) {
      let text = try program.run("trace", id, "--format", "otlp-json")
      #expect(text.text == (try program.run("trace", id, "--json").text))
      let message = try program.run("trace", id, "--format", "otlp")
      #expect(text.status == 0 && message.status == 0)
      for (form, output) in [("otlp-json", text.output), ("otlp-message", message.output)] {
        let copy = try Program()
        let run = try copy.run("import", "-", "--input-format", form, input: output)
        #expect(run.status == 0, "\(run.errors)")
        #expect(try copy.run("trace", id, "--json").text == text.text)
      }
    }
  }

  @Test func `control keys and states: a view says open, the raw record is what was written`() throws {
    let program = try Program()
    let open = """
      {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeSpans":[\
      {"spans":[{"traceId":"0000000000000000000000000000beef","spanId":"0000000000000001","name":"work",\
      "startTimeUnixNano":"1767268800000000000","attributes":[{"key":"tracestore.sequence","value":{"intValue":"7"}},\
      {"key":"kept","value":{"stringValue":"yes"}}]}]}]}]}
      """
    #expect(try program.run("import", "-", input: Data(open.utf8)).status == 0)
    let view = try program.run("trace", "beef", "--json").text
    #expect(!view.contains("tracestore.sequence") && view.contains("tracestore.state") && view.contains("kept"))
    let raw = try program.run("trace", "beef", "--raw", "--json").text
    #expect(raw.contains("tracestore.sequence") && raw.contains("kept"))
    let copy = try Program()
    #expect(try copy.run("import", "-", input: Data(raw.utf8)).status == 0)
    #expect(try copy.run("trace", "beef", "--raw", "--json").text == raw)
    #expect(try copy.run("trace", "beef", "--json").text == view)
    #expect(try program.run("trace", "beef").text.contains("open"))
  }
}
