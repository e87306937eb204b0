import Foundation
import Testing

/// Jaeger's and Zipkin's JSON come in, and Jaeger's goes out.
@Suite struct ForeignFormTests {
  @Test(
    arguments: [
      (["jaeger/answer.json", "jaeger/list.json", "jaeger/lines.jsonl"], 6, "jaeger-json"),
      (["zipkin/traces.json", "zipkin/lines.jsonl"], 8, "zipkin-json"),
    ] as [([String], Int, String)])
  func `one content in several documents makes equal stores, found out or named, from files and from a pipe`(
    _ names: [String], _ spanCount: Int, _ form: String
  ) throws {
    var contents: Set<[String]> = []
    for name in names {
      let file = Program.fixture(name)
      let direct = try Program()
      let run = try direct.run("import", file, "--json")
      #expect(run.status == 0, "\(run.errors)")
      #expect(try run.object()["spans"] as? Int == spanCount)
      #expect((try run.object()["refused"] as? [Any])?.isEmpty == true)
      contents.insert(try direct.records())
      let named = try Program()
      #expect(try named.run("import", file, "--input-format", form).status == 0)
      contents.insert(try named.records())
      let piped = try Program()
      #expect(try piped.run("import", "-", input: Data(contentsOf: URL(fileURLWithPath: file))).status == 0)
      contents.insert(try piped.records())
      // Again, nothing changes.
      #expect(try direct.run("import", file).status == 0)
      #expect(try direct.spanCount() == spanCount)
    }
    #expect(contents.count == 1 && contents.first?.count == spanCount)
  }

  @Test func `a form that is named wrong refuses the file`() throws {
    for (name, form) in [("jaeger/answer.json", "zipkin-json"), ("zipkin/spans.json", "jaeger-json")] {
      let program = try Program()
      let run = try program.run("import", Program.fixture(name), "--input-format", form, "--json")
      #expect(run.status == 1)
      #expect((try run.object()["refused"] as? [Any])?.count == 1)
      #expect(!program.isStored())
    }
  }

  @Test func `an empty list is no request`() throws {
    for text in ["[]", #"{"data":[],"errors":null}"#, #"{"spans":[]}"#] {
      let run = try Program().run("import", "-", "--json", input: Data(text.utf8))
      #expect(run.status == 0, "\(text)")
      #expect(try run.object()["requests"] as? Int == 0)
    }
  }

  struct Bad: CustomTestStringConvertible {
    var name: String
    var index: Int
    /// The text of the document that stands where the fault is.
    var mark: String
    var reason: String
    var storedSpanCount: Int
    var span: Int?
    var testDescription: String { name }
  }

  static let cases = [
    Bad(
      name: "jaeger-bad-time.json", index: 0, mark: #""soon""#, reason: "data[1].spans[2].startTime", storedSpanCount: 0
    ),
    Bad(name: "jaeger-no-process.json", index: 0, mark: #""p9""#, reason: "spans[1].processID", storedSpanCount: 0),
    Bad(name: "jaeger-zero-id.json", index: 0, mark: "", reason: "zero", storedSpanCount: 3, span: 1),
    Bad(name: "zipkin-bad-line.jsonl", index: 1, mark: #""zz""#, reason: "spans[0].traceId", storedSpanCount: 1),
    Bad(
      name: "zipkin-bad-port.json", index: 0, mark: "70000", reason: "spans[4].localEndpoint.port", storedSpanCount: 0),
    Bad(name: "zipkin-bomb.json", index: 0, mark: "", reason: "spans[0].unheardOf", storedSpanCount: 0),
    Bad(name: "jaeger-half.json", index: 0, mark: "", reason: "data[0].spans[", storedSpanCount: 0),
  ]

  @Test(arguments: cases)
  func `what has to be refused is named by file, document, span, field and byte`(_ bad: Bad) throws {
    let program = try Program()
    let file = Program.fixture("corrupt-foreign/\(bad.name)")
    let run = try program.run("import", file, "--json")
    #expect(run.status == 1)
    let refused = try #require(run.object()["refused"] as? [[String: Any]])
    #expect(refused.count == 1)
    #expect(refused.first?["file"] as? String == file)
    #expect(refused.first?["index"] as? Int == bad.index)
    #expect(refused.first?["span"] as? Int == bad.span)
    let reason = try #require(refused.first?["reason"] as? String)
    #expect(reason.contains(bad.reason), "\(reason)")
    #expect(try (program.isStored() ? program.spanCount() : 0) == bad.storedSpanCount)
    if !bad.mark.isEmpty {
      let text = try Data(contentsOf: URL(fileURLWithPath: file))
      let place = try #require(text.range(of: Data(bad.mark.utf8))?.lowerBound)
      #expect(refused.first?["offset"] as? Int == place)
    }
  }

  @Test func `a refused span is found at its byte`() throws {
    let file = Program.fixture("corrupt-foreign/jaeger-zero-id.json")
    let run = try Program().run("import", file, "--json")
    let refused = try #require(run.object()["refused"] as? [[String: Any]])
    let offset = try #require(refused.first?["offset"] as? Int)
    let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: file))[offset...], as: UTF8.self)
    #expect(text.hasPrefix("{") && text.prefix(200).contains(#""spanID": "0000000000000000""#))
  }

  @Test func `--keep-going goes on behind a bad line`() throws {
    let program = try Program()
    let file = Program.fixture("corrupt-foreign/zipkin-bad-line.jsonl")
    let run = try program.run("import", file, "--keep-going", "--json")
    #expect(run.status == 1)
    #expect(try run.object()["requests"] as? Int == 2)
    #expect(try program.spanCount() == 6)
  }

  @Test func `a large document is stored as several requests`() throws {
    let program = try Program()
    let count = 2_000
    let spans = (1...count).map {
      #"{"traceId":"\#(String($0 % 7 + 1, radix: 16))","id":"\#(String($0, radix: 16))","timestamp":\#($0),"duration":1}"#
    }
    let run = try program.run("import", "-", "--json", input: Data("[\(spans.joined(separator: ",\n"))]".utf8))
    #expect(run.status == 0, "\(run.errors)")
    #expect(try run.object()["requests"] as? Int == 4)
    #expect(try program.spanCount() == count)
  }

  @Test func `a trace goes out as UI JSON, and comes back but for what Jaeger cannot say`() throws {
    let program = try Program()
    #expect(try program.run("import", Program.fixture("otlp/shop-morning.otlp")).status == 0)
    let found = try program.run("search", "--limit", "1000", "--format", "ids").object()
    let ids = try #require(found["traces"] as? [[String: Any]]).compactMap { $0["traceID"] as? String }
    #expect(ids.count > 20)
    let copy = try Program()
    for id in ids {
      let out = try program.run("trace", id, "--format", "jaeger-json")
      #expect(out.status == 0, "\(out.errors)")
      let traces = try #require(out.object()["data"] as? [[String: Any]])
      #expect(traces.count == 1)
      let spans = try #require(traces.first?["spans"] as? [[String: Any]])
      #expect(!spans.isEmpty)
      #expect(try program.run("trace", id, "--json", "--format", "jaeger-json").output == out.output)
      // Once through v1, a trace stays what it is.
      #expect(try copy.run("import", "-", input: out.output).status == 0)
      #expect(try copy.run("trace", id, "--format", "jaeger-json").output.count == out.output.count)
    }
    #expect(try copy.spanCount() == program.spanCount())
    #expect(try program.run("trace", "f00d", "--format", "jaeger-json").status == 5)
    #expect(try program.run("trace", "f00d", "--format", "jaeger-json").output.isEmpty)
  }

  @Test func `Jaeger's own traces come back byte for byte`() throws {
    let program = try Program()
    #expect(try program.run("import", Program.fixture("jaeger/answer.json")).status == 0)
    let out = try program.run("trace", "b1c7c1e5", "--format", "jaeger-json")
    let copy = try Program()
    #expect(try copy.run("import", "-", input: out.output).status == 0)
    #expect(try copy.run("trace", "b1c7c1e5", "--format", "jaeger-json").output == out.output)
    for word in ["9007199254740993", "AP8Q", "clock skew", "FOLLOWS_FROM", "Žofie", "jaeger.version"] {
      #expect(out.text.contains(word), "\(word)")
    }
  }
}

/// Real data by others, which lies beside the package on some machines and is no part of it.
@Suite(.enabled(if: ForeignSharedData.isPresent)) struct ForeignSharedDataTests {
  @Test func `Jaeger's and Zipkin's traces go out as UI JSON, and stay what they then are`() throws {
    for name in ForeignSharedData.files {
      let program = try Program()
      #expect(try program.run("import", ForeignSharedData.folder.appendingPathComponent(name).path).status == 0)
      let found = try program.run("search", "--limit", "5", "--format", "ids").object()
      let ids = try #require(found["traces"] as? [[String: Any]]).compactMap { $0["traceID"] as? String }
      #expect(!ids.isEmpty)
      let copy = try Program()
      for id in ids {
        let out = try program.run("trace", id, "--format", "jaeger-json")
        #expect(out.status == 0, "\(name) \(id)")
        #expect(try copy.run("import", "-", input: out.output).status == 0, "\(name) \(id)")
        let again = try copy.run("trace", id, "--format", "jaeger-json")
        let last = try Program()
        #expect(try last.run("import", "-", input: again.output).status == 0, "\(name) \(id)")
        #expect(try last.run("trace", id, "--format", "jaeger-json").output == again.output, "\(name) \(id)")
      }
    }
  }
}

enum ForeignSharedData {
  static let folder = Program.fixtures.deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("shared/data")
  static let files = [
    "jaeger_ui/ui_fixtures.otlp", "jaeger_fixtures/storage_integration.otlp", "crisp/crisp.otlp",
    "zipkin_lens/smartthings-oauth-authorization.otlp", "zipkin_lens/yelp.otlp",
    "traceweaver/node_load100_first300.otlp",
  ]
  static var isPresent: Bool {
    files.allSatisfy { FileManager.default.fileExists(atPath: folder.appendingPathComponent($0).path) }
  }
}
