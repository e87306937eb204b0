import Testing
import TraceModel
import TracestoreTesting
import TracestoreV2

@Suite struct DefinitionTests {
  @Test(arguments: [
    (0.0, "0"), (-0.0, "-0"), (1, "1"), (-1.5, "-1.5"), (72.5, "72.5"), (0.1, "0.1"), (100, "100"),
    (1e20, "100000000000000000000"),
    (1e21, "1e+21"), (1.25e21, "1.25e+21"), (123_456_789_012_345_683_968, "123456789012345680000"), (1e-6, "0.000001"),
    (9.5e-7, "9.5e-7"), (1e-7, "1e-7"), (-1e-7, "-1e-7"), (0.000_012_3, "0.0000123"), (1e16, "10000000000000000"),
    (.greatestFiniteMagnitude, "1.7976931348623157e+308"), (.leastNonzeroMagnitude, "5e-324"), (.nan, "NaN"),
    (.infinity, "Infinity"),
    (-.infinity, "-Infinity"),
  ])
  func `a double has its shortest text`(_ value: Double, _ text: String) {
    #expect(AttributeText.text(of: value) == text)
  }

  @Test func `values of every type have their text`() {
    let values: [(AttributeValue, String?)] = [
      (.absent, ""), (.empty, ""), ("a", "a"), (true, "true"), (false, "false"), (.int(.min), "-9223372036854775808"),
      (.bytes([]), ""), (.bytes([1]), "AQ=="), (.bytes([1, 2]), "AQI="), (.bytes([1, 2, 3]), "AQID"),
      (.bytes([255, 254, 253, 252]), "//79/A=="), (.array([]), "[]"), (.map([]), "{}"), (.opaque([1]), nil),
      (
        .array(["\"\\\n\u{1}\u{8}\u{c}\r\t/é", 1, 0.5, .double(.nan), true, .empty, .absent, .bytes([1]), .opaque([])]),
        "[\"\\\"\\\\\\n\\u0001\\b\\f\\r\\t/é\",1,0.5,\"NaN\",true,null,null,\"AQ==\",null]"
      ),
      (.map([Attribute("b", 1), Attribute("a", .array([])), Attribute("b", 2)]), "{\"b\":1,\"a\":[],\"b\":2}"),
    ]
    for (value, text) in values { #expect(AttributeText.text(of: value) == text) }
  }

  @Test func `the model's own text is the defined one`() {
    for batch in randomTraces(seed: 3, count: 100) {
      batch.forEachSpan { resource, _, span in
        for attribute in resource.attributes + span.attributes {
          let text = AttributeText.text(of: attribute.value) ?? ""
          #expect(attribute.value.text.utf8.elementsEqual(text.utf8))
        }
      }
    }
  }

  @Test func `a text reads as a number only by the plain grammar`() {
    for text in ["0", "12", "+1", "-1", "1.5", "1e3", "1E-3", "01", "1.0e+10"] {
      #expect(AttributeCondition.isNumber(text), "\(text)")
    }
    for text in ["", "+", "1.", ".5", "1e", "0x1", "inf", "nan", " 1", "1 ", "1_000", "--1", "1.5.2"] {
      #expect(!AttributeCondition.isNumber(text), "\(text)")
    }
  }

  @Test func `content keys tell apart what Swift's equality may not`() {
    let id = TraceID(high: 0, low: 1)
    func key(_ change: (inout Resource, inout InstrumentationScope, inout SpanRecord) -> Void) -> ContentKey {
      var (resource, scope, span) = (Resource(), InstrumentationScope(), SpanRecord(traceID: id, spanID: SpanID(1)))
      change(&resource, &scope, &span)
      return ContentKey(resource, scope, span)
    }
    let keys = [
      key { _, _, _ in }, key { _, _, span in span.name = "caf\u{e9}" },
      key { _, _, span in span.name = "cafe\u{301}" },
      key { _, _, span in span.parentSpanID = SpanID(0) }, key { _, _, span in span.status = SpanStatus() },
      key { _, _, span in span.attributes = [Attribute("a", 0.0)] },
      key { _, _, span in span.attributes = [Attribute("a", -0.0)] },
      key { _, _, span in span.attributes = [Attribute("a", 0)] },
      key { _, _, span in span.attributes = [Attribute("a", .absent)] },
      key { _, _, span in span.attributes = [Attribute("a", .empty)] },
      key { _, _, span in span.attributes = [Attribute("a", ""), Attribute("b", "")] },
      key { _, _, span in span.attributes = [Attribute("b", ""), Attribute("a", "")] },
      key { resource, _, _ in resource.attributes = [Attribute("a", 0)] },
      key { _, scope, _ in scope.attributes = [Attribute("a", 0)] }, key { resource, _, _ in resource.schemaURL = "u" },
      key { _, scope, _ in scope.schemaURL = "u" }, key { resource, _, _ in resource.unknownFields = [1] },
      key { resource, _, _ in resource.envelopeUnknownFields = [1] },
      key { _, _, span in span.events = [SpanEvent()] }, key { _, _, span in span.links = [SpanLink()] },
    ]
    #expect(Set(keys).count == keys.count)
    #expect(key { _, _, _ in } == keys[0])
  }

  @Test func `a summary of nothing is empty and open spans are counted apart`() {
    let id = TraceID(high: 0, low: 1)
    #expect(TraceSummary(traceID: id, spans: []) == TraceSummary(traceID: id))
    let time = Timestamp(nanoseconds: 5)
    let open = SpanRecord(
      traceID: id, spanID: SpanID(1), name: "job", start: time, events: [SpanEvent(time: Timestamp(nanoseconds: 9))],
      status: SpanStatus(code: .error))
    let child = SpanRecord(
      traceID: id, spanID: SpanID(2), parentSpanID: SpanID(1), start: Timestamp(nanoseconds: 6),
      end: Timestamp(nanoseconds: 7))
    let summary = TraceSummary(
      traceID: id,
      spans: [
        FoundSpan(resource: Resource(), scope: InstrumentationScope(), span: open, state: .open),
        FoundSpan(resource: Resource(), scope: InstrumentationScope(), span: child),
      ])
    let expected = TraceSummary(
      traceID: id, rootOperationName: "job", minimumStart: time, maximumEnd: Timestamp(nanoseconds: 9), spanCount: 1,
      openSpanCount: 1, services: [ServiceSummary(name: "", spanCount: 1)])
    #expect(summary == expected)
  }
}
