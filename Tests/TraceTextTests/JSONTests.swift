import Testing
import TraceText

@Suite struct `JSON tokenizer` {
  func whole<Value>(_ text: String, _ body: (inout JSONReader) throws -> Value) throws -> Value {
    try Array(text.utf8).withUnsafeBytes { buffer in
      var reader = JSONReader(buffer)
      let value = try body(&reader)
      try reader.finish()
      return value
    }
  }

  @Test func `valid texts are stepped over whole`() throws {
    for text in [
      "{}", "[]", " [ ] ", "null", "true", "false", "0", "-0", "1.5e+10", "1E-2", "\"\"", "[1,2,[3,{\"a\":[]}],\"x\"]",
      "{\"a\":{\"b\":[{}]},\"a\":null}", "\t\r\n{ \"a\" : 1 , \"b\" : 2 }\n", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"",
    ] {
      try whole(text) { try $0.skip() }
    }
  }

  @Test func `invalid texts are refused`() {
    for text in [
      "", " ", "{", "}", "[", "]", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{1:2}",
      "{\"a\":1 \"b\":2}",
      "nul", "tru", "True", "+1", "01", "-", ".5", "1.", "1e", "1e+", "0x10", "NaN", "1a", "\"", "\"\\\"", "\"\\x\"",
      "\"\\u12\"",
      "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"", "'a'", "[1]]", "{}{}", "/**/1", "[1}", "{\"a\":1]",
    ] {
      #expect(throws: JSONError.self, "\(text)") { try whole(text) { try $0.skip() } }
    }
  }

  @Test func `escapes become what they name`() throws {
    #expect(try whole(#""a\u00e9\ud83d\uDE80\n\/\u0000""#) { try $0.string() } == "a\u{e9}\u{1f680}\n/\u{0}")
    #expect(try whole("\"é\"") { try $0.string() } == "é")
  }

  @Test func `numbers keep their text`() throws {
    for text in ["18446744073709551616", "-0.0", "1e400", "0.1000"] {
      #expect(try whole(text) { try $0.number() } == text)
    }
  }

  @Test func `nesting is bounded`() throws {
    for depth in [3, 4, 100_000] {
      let text = Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
      text.withUnsafeBytes { buffer in
        var reader = JSONReader(buffer, maximumDepth: 3)
        if depth == 3 {
          #expect(throws: Never.self) { try reader.skip() }
        } else {
          let error = #expect(throws: JSONError.self) { try reader.skip() }
          #expect(error?.offset == 3)
        }
      }
    }
  }

  @Test func `what the writer writes the reader reads`() throws {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("a\"\\\n\u{1}")
    writer.beginArray()
    writer.literal("1")
    writer.string("é\u{7f}\u{1f}\t\r\u{8}\u{c}")
    writer.bool(true)
    writer.beginObject()
    writer.endObject()
    writer.endArray()
    writer.key("b")
    writer.bool(false)
    writer.endObject()
    let text = String(decoding: writer.bytes, as: UTF8.self)
    #expect(text == "{\"a\\\"\\\\\\n\\u0001\":[1,\"é\u{7f}\\u001f\\t\\r\\b\\f\",true,{}],\"b\":false}")
    try whole(text) { reader in
      try reader.beginObject()
      #expect(try reader.nextKey() == "a\"\\\n\u{1}")
      try reader.beginArray()
      #expect(try reader.nextElement())
      #expect(try reader.number() == "1")
      #expect(try reader.nextElement())
      #expect(try reader.string() == "é\u{7f}\u{1f}\t\r\u{8}\u{c}")
      #expect(try reader.nextElement())
      #expect(try reader.bool())
      #expect(try reader.nextElement())
      try reader.skip()
      #expect(try !reader.nextElement())
      #expect(try reader.nextKey() == "b")
      #expect(try !reader.bool())
      #expect(try reader.nextKey() == nil)
    }
  }
}
