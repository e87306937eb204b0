import Foundation
import Testing

@Suite struct TrialTests {
  /// A segment with integers, texts and doubles.
  private static let segment = Program.fixture("format/v1/shop.seg")

  private struct Column {
    var name: String
    var kind: String
    var valueCount: Int
    var storedByteCount: Int
    /// Without the encodings that cannot hold it.
    var tried: [String: Int]

    init(_ object: [String: Any]) throws {
      name = try #require(object["name"] as? String)
      kind = try #require(object["kind"] as? String)
      valueCount = try #require(object["values"] as? Int)
      storedByteCount = try #require(object["stored"] as? Int)
      tried = try #require(object["tried"] as? [String: Any]).compactMapValues { $0 as? Int }
    }
  }

  @Test func `every column is tried, and no encoding alone is clearly shorter than what the writer chose`() throws {
    let program = try Program()
    let run = try program.run("dump", Self.segment, "--try", "--json")
    #expect(run.status == 0, "\(run.errors)")
    let report = try run.object()
    #expect(report["schema"] as? Int == 1 && report["segments"] as? Int == 1)
    #expect((report["damaged"] as? [Any])?.isEmpty == true && (report["untried"] as? [Any])?.isEmpty == true)
    let columns = try #require(report["columns"] as? [[String: Any]]).map { try Column($0) }
    #expect(Set(columns.map(\.kind)) == ["integers", "texts", "doubles"])
    #expect(columns.map(\.storedByteCount) == columns.map(\.storedByteCount).sorted(by: >))
    for column in columns {
      #expect(column.valueCount > 0 && !column.tried.isEmpty, "\(column.name)")
      // An encoding without direct access has to save an eighth, a column of texts in place of a dictionary as well.
      let own = column.tried.filter { $0.key != "zstd" }.values.min() ?? column.storedByteCount
      #expect(own * 8 >= column.storedByteCount * 7 - 16 * 8 || column.kind == "texts", "\(column.name)")
    }
    // The start of a span is in every stripe, and the stripes of 48 rows have one page each.
    let start = try #require(columns.first { $0.name == "span.start" })
    #expect(start.valueCount == report["spans"] as? Int)
    let price = try #require(columns.first { $0.name == "attribute:span:row.price:double" })
    #expect(price.tried["decimal"] == price.storedByteCount)
    #expect(try #require(price.tried["bits"]) > price.storedByteCount)
    let texts = try #require(columns.first { $0.name == "attribute:span:row.key:string" })
    #expect(Set(texts.tried.keys).isSuperset(of: ["raw", "zstd"]))
    let indices = columns.filter { $0.name.hasSuffix(" indices") }
    #expect(!indices.isEmpty && indices.allSatisfy { $0.kind == "integers" })

    let totals = try #require(report["totals"] as? [[String: Any]]).map { try Column($0) }
    for total in totals {
      let members = columns.filter { $0.kind == total.kind }
      #expect(total.storedByteCount == members.reduce(0) { $0 + $1.storedByteCount })
      #expect(total.valueCount == members.reduce(0) { $0 + $1.valueCount })
    }
  }

  @Test func `people get a table for each kind of column`() throws {
    let program = try Program()
    let run = try program.run("dump", Self.segment, "--try")
    #expect(run.status == 0, "\(run.errors)")
    for word in ["INTEGERS", "TEXTS", "DOUBLES", "STORED", "STEPS", "TEMPLATE", "DECIMAL", "ZSTD", "total"] {
      #expect(run.text.contains(word), "\(word)")
    }
    #expect(try program.run("dump", Self.segment, "--try", "--rows").status == 2)
  }

  @Test func `a store is tried as all of its segments, and what has none says so`() throws {
    let program = try Program()
    for seed in 1...2 { try program.run("import", program.generate(300, seed: seed, to: "traffic-\(seed).otlp")) }
    let report = try program.run("dump", program.store, "--try", "--json").object()
    #expect(report["spans"] as? Int == 600 && (report["segments"] as? Int ?? 0) > 1)
    let none = try program.run("dump", Program.fixture("otlp"), "--try")
    #expect(none.status == 3 && none.errors.contains("no segment"), "\(none.errors)")
  }

  @Test func `a damaged segment is tried as far as it goes`() throws {
    let program = try Program()
    var bytes = try Data(contentsOf: URL(fileURLWithPath: Self.segment))
    let file = program.path("broken.seg")
    // Inside the pages of the first stripe, behind its head.
    for offset in stride(from: 2000, to: 2400, by: 40) { bytes[offset] ^= 0xff }
    try bytes.write(to: URL(fileURLWithPath: file))
    let run = try program.run("dump", file, "--try", "--json")
    #expect(run.status == 1 && run.errors.contains("damaged"), "\(run.errors)")
    let report = try run.object()
    #expect((report["damaged"] as? [Any])?.isEmpty == false && (report["columns"] as? [Any])?.isEmpty == false)
    #expect(try program.run("dump", Program.fixture("corrupt/newer-version.seg"), "--try").status == 4)
  }
}
