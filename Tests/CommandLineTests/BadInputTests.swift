import Foundation
import Testing

/// What the world may hand to `import`, and what it gets for it: its name, the request, the byte, and everything before
/// that place stored.
@Suite struct BadInputTests {
  struct Case: CustomTestStringConvertible {
    var name: String
    var index: Int
    var offset: Int
    var storedSpanCount: Int
    var testDescription: String { name }

    init(_ name: String, _ index: Int, _ offset: Int, stored: Int) {
      (self.name, self.index, self.offset, storedSpanCount) = (name, index, offset, stored)
    }
  }

  static let cases = [
    Case("absurd-length.otlp", 1, 88, stored: 1), Case("absurd-varint-length.varint.otlp", 2, 170, stored: 2),
    Case("bad-base64.json", 0, 89, stored: 0), Case("bad-checksum.otlp.gz", 8, 704, stored: 8),
    Case("bad-id.json", 0, 136, stored: 0), Case("bad-line.jsonl", 1, 335, stored: 1),
    Case("bad-number.json", 0, 233, stored: 0), Case("bad-utf8-key.otlp", 1, 153, stored: 1),
    Case("bad-utf8-name.otlp", 1, 154, stored: 1), Case("bad-utf8-surrogate.otlp", 1, 158, stored: 1),
    Case("field-number-zero.otlp", 1, 149, stored: 1), Case("field-past-end.otlp", 1, 177, stored: 1),
    Case("group-never-ends.otlp", 1, 151, stored: 1), Case("half.json", 0, 136, stored: 0),
    Case("inner-length-past-end.otlp", 1, 150, stored: 1), Case("lone-surrogate.json", 0, 207, stored: 0),
    Case("nested-bomb.json", 0, 2500, stored: 0), Case("nested-bomb.otlp", 1, 969, stored: 1),
    Case("not-otlp.otlp", 0, 10, stored: 0), Case("trailing-text.json", 0, 302, stored: 0),
    Case("truncated-frame.otlp", 1, 88, stored: 1), Case("truncated-length.otlp", 1, 88, stored: 1),
    Case("truncated-varint.otlp", 1, 150, stored: 1), Case("truncated.otlp.gz", 3, 347, stored: 3),
    Case("truncated.otlp.zst", 0, 0, stored: 0), Case("varint-of-eleven-bytes.otlp", 1, 150, stored: 1),
    Case("wire-type-7.otlp", 1, 150, stored: 1),
  ]

  @Test(arguments: cases)
  func `refused input is named by file, request and byte, and what stands before it is stored`(_ bad: Case) throws {
    let program = try Program()
    let file = Program.fixture("corrupt-otlp/\(bad.name)")
    let run = try program.run("import", file, "--json")
    #expect(run.status == 1)
    let receipt = try run.object()
    let refused = try #require(receipt["refused"] as? [[String: Any]])
    #expect(refused.count == 1)
    #expect(refused.first?["file"] as? String == file)
    #expect(refused.first?["index"] as? Int == bad.index)
    #expect(refused.first?["offset"] as? Int == bad.offset)
    #expect((refused.first?["reason"] as? String)?.isEmpty == false)
    #expect(receipt["spans"] as? Int == bad.storedSpanCount)
    guard bad.storedSpanCount > 0 else { return #expect(!FileManager.default.fileExists(atPath: program.store)) }
    // Some of these files send one span several times.
    #expect((1...bad.storedSpanCount).contains(try program.spanCount()))
  }

  @Test(arguments: [[], ["--keep-going"], ["--input-format", "otlp-framed"], ["--input-format", "zipkin-json"]])
  func `what is no trace data at all makes no store`(_ options: [String]) throws {
    let program = try Program()
    let file = program.path("some.txt")
    try Data("Dear diary,\ntoday I have named the wrong file.\n".utf8).write(to: URL(fileURLWithPath: file))
    // Neither where there is nothing yet nor in a folder of other things.
    for name in ["new/store", "."] {
      let before = try FileManager.default.contentsOfDirectory(atPath: program.folder.path).count
      let arguments = ["import", "--store", program.path(name), file] + options
      #expect(try program.run(arguments: arguments).status == 1)
      let names = try FileManager.default.contentsOfDirectory(atPath: program.folder.path)
      #expect(names.filter { !$0.hasPrefix("out-") && !$0.hasPrefix("err-") } == ["some.txt"], "\(before)")
    }
    // What can be read behind it does make one.
    let kept = try program.run(
      "import", "--keep-going", file, Program.fixture("otlp/shop-morning.otlp"), "--json")
    #expect(kept.status == 1)
    #expect(try (kept.object()["refused"] as? [Any])?.count == 1)
    #expect(try program.spanCount() == kept.object()["spans"] as? Int)
  }

  @Test func `every damaged fixture has a case`() throws {
    let folder = Program.fixture("corrupt-otlp")
    let harmless: Set = ["empty.otlp", "refused-spans.otlp", "wrong-wire-type.otlp"]
    let names = Set(try FileManager.default.contentsOfDirectory(atPath: folder)).subtracting(harmless)
    #expect(names == Set(Self.cases.map(\.name)))
  }

  @Test func `people read the place in one line for each refusal`() throws {
    let program = try Program()
    let file = Program.fixture("corrupt-otlp/absurd-varint-length.varint.otlp")
    let run = try program.run("import", file)
    #expect(run.status == 1)
    #expect(run.errors.hasPrefix("refused: \(file), request 2, at byte 170: "), "\(run.errors)")
    #expect(run.errors.contains("18446744073709551615") && run.errors.split(separator: "\n").count == 1)
  }

  @Test func `spans that cannot be addressed are refused alone and named by their place in the request`() throws {
    let program = try Program()
    let run = try program.run("import", Program.fixture("corrupt-otlp/refused-spans.otlp"), "--json")
    #expect(run.status == 1)
    let refused = try #require(run.object()["refused"] as? [[String: Any]])
    #expect(refused.compactMap { $0["span"] as? Int } == Array(1...8))
    #expect(try program.spanCount() == 2)
  }

  @Test func `an input without bytes holds nothing and is no error`() throws {
    let program = try Program()
    let file = try program.run("import", Program.fixture("corrupt-otlp/empty.otlp"), "--json")
    let pipe = try program.run("import", "-", "--json")
    for run in [file, pipe] {
      #expect(run.status == 0, "\(run.errors)")
      #expect(try run.object()["requests"] as? Int == 0)
    }
  }

  @Test func `nothing behind a refused request is stored, however much was under way`() throws {
    let program = try Program()
    let frames = try program.frames(of: program.generate(6000))
    // One that is decoded long before its neighbours are, one that is found out late, and both at once.
    let quick = Data([0, 0, 0, 2, 0x0f, 0xff])
    let late = frames[4].dropLast(1) + Data([0xff])
    for (bad, seed) in [(quick, 1), (late, 2), (late + quick, 3)] {
      let file = program.path("bad-\(seed).otlp")
      let before = frames[..<3].reduce(Data(), +)
      try (before + bad + frames[3...].reduce(Data(), +)).write(to: URL(fileURLWithPath: file))
      let store = try Program()
      let run = try store.run("import", file, "--json")
      #expect(run.status == 1)
      let receipt = try run.object()
      #expect(receipt["requests"] as? Int == 3)
      let refused = try #require(receipt["refused"] as? [[String: Any]])
      #expect(refused.count == 1 && refused.first?["index"] as? Int == 3)
      let offset = try #require(refused.first?["offset"] as? Int)
      #expect((before.count...before.count + bad.count).contains(offset))
      let clean = try Program()
      let good = program.path("good.otlp")
      try before.write(to: URL(fileURLWithPath: good))
      #expect(try clean.run("import", good).status == 0)
      #expect(try store.records() == clean.records())
      #expect(receipt["spans"] as? Int == (try clean.spanCount()))
    }
  }

  @Test func `a refused request ends the import of all files, and --keep-going only itself`() throws {
    let program = try Program()
    let bad = Program.fixture("corrupt-otlp/bad-line.jsonl")
    let good = try program.generate(500)
    let ended = try program.run("import", bad, good, "--json")
    #expect(ended.status == 1)
    #expect(try ended.object()["spans"] as? Int == 1)
    #expect(try program.spanCount() == 1)
    let kept = try program.run("import", bad, good, "--keep-going", "--json")
    #expect(kept.status == 1)
    #expect(try kept.object()["spans"] as? Int == 502)
    // The good lines around the bad one are equal.
    #expect(try program.spanCount() == 501)
  }

  @Test(arguments: ["gz", "zst"])
  func `a compressed file that breaks off gives all requests before the place`(_ form: String) throws {
    let program = try Program()
    let name = form == "gz" ? "shop-noon.otlp.gz" : "shop-evening.jsonl.zst"
    let whole = try Data(contentsOf: URL(fileURLWithPath: Program.fixture("otlp/\(name)")))
    #expect(try program.run("import", Program.fixture("otlp/\(name)")).status == 0)
    let everything = try program.spanCount()
    var counts: [Int] = []
    for tenths in [1, 5, 9] {
      let file = program.path("cut-\(tenths).\(form)")
      try whole.prefix(whole.count * tenths / 10).write(to: URL(fileURLWithPath: file))
      let store = try Program()
      let run = try store.run("import", file, "--json")
      #expect(run.status == 1)
      let refused = try #require(run.object()["refused"] as? [[String: Any]])
      #expect(refused.count == 1 && (refused.first?["reason"] as? String)?.contains("too early") == true)
      #expect(refused.first?["index"] as? Int == (try run.object()["requests"] as? Int))
      counts.append(store.isStored() ? try store.spanCount() : 0)
      #expect(try run.object()["spans"] as? Int == counts.last)
    }
    #expect(counts == counts.sorted())
    // A small zstd file is one block, which is there whole or not at all.
    if form == "gz" { #expect(counts[1] > 0 && counts[2] > counts[1] && counts[2] < everything) }
  }

  @Test func `text behind a compressed file does not cost what stands before it`() throws {
    let program = try Program()
    let original = try Data(contentsOf: URL(fileURLWithPath: Program.fixture("otlp/shop-noon.otlp.gz")))
    let file = program.path("tail.gz")
    try (original + Data("garbage".utf8)).write(to: URL(fileURLWithPath: file))
    #expect(try program.run("import", file).status == 1)
    let clean = try Program()
    #expect(try clean.run("import", Program.fixture("otlp/shop-noon.otlp.gz")).status == 0)
    #expect(try program.records() == clean.records())
  }
}

extension Program {
  /// The requests of a framed file, each with its length.
  func frames(of file: String) throws -> [Data] {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
    var frames: [Data] = []
    var place = bytes.startIndex
    while place < bytes.endIndex {
      let length = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
      frames.append(Data(bytes[place..<place + 4 + length]))
      place += 4 + length
    }
    return frames
  }
}
