import Testing
import TraceBytes
import TraceMerge
import TraceModel
import TraceOTLP

/// A triple with a name, for tests that need something to compare.
struct Sample: Sendable {
  var resource = Resource()
  var scope = InstrumentationScope()
  var span = SpanRecord(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3))

  var hash: Hash128 { ContentHash.hash(resource: resource, scope: scope, span: span) }
  var bytes: [UInt8] { ContentHash.canonicalBytes(resource: resource, scope: scope, span: span) }

  static let checkout = Sample(
    resource: Resource(
      attributes: [Attribute("service.name", "checkout")], schemaURL: "https://opentelemetry.io/schemas/1.27.0"),
    scope: InstrumentationScope(name: "http", version: "1.0"),
    span: SpanRecord(
      traceID: TraceID(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10), spanID: SpanID(0x1112_1314_1516_1718),
      parentSpanID: SpanID(0x2122_2324_2526_2728), name: "GET /cart", kind: .server,
      start: Timestamp(nanoseconds: 1_700_000_000_000_000_000), end: Timestamp(nanoseconds: 1_700_000_000_012_345_678),
      attributes: [Attribute("http.response.status_code", 200), Attribute("cache.hit", true), Attribute("ratio", 0.5)],
      status: SpanStatus(code: .error, message: "no")))

  static let unusual = Sample(
    span: SpanRecord(
      traceID: TraceID(high: 0, low: 1), spanID: SpanID(2),
      attributes: [
        Attribute("k", .absent), Attribute("k", .empty), Attribute("list", .array([-1, .double(-0.0), .empty])),
        Attribute("map", .map([Attribute("b", .bytes([0, 255]))])),
      ],
      status: SpanStatus(), unknownFields: [0xf8, 0x07, 0x02, 0xf0, 0x07, 0x01, 0xf8, 0x07, 0x01]))
}

func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

func hex(_ hash: Hash128) -> String { TraceID(high: hash.first, low: hash.second).hex }

@Suite struct `Content hash` {
  @Test func `golden vectors never change`() {
    let vectors: [(Sample, bytes: String, hash: String)] = [
      (
        Sample(), "00001c0a100000000000000001000000000000000212080000000000000003", "b42bed5ea5c7f06ec3f7f5a6a1e32d71"
      ),
      (
        .checkout,
        "470a1c0a1a0a0c736572766963652e6e616d65120a0a08636865636b6f75741a2768747470733a2f2f6f70656e74656c656d65747279"
          + "2e696f2f736368656d61732f312e32372e300d0a0b0a04687474701203312e3094010a100102030405060708090a0b0c0d0e0f10"
          + "12081112131415161718220821222324252627282a09474554202f6361727430023900002a36fe9c9717414e61e636fe9c97174a"
          + "200a19687474702e726573706f6e73652e7374617475735f636f6465120318c8014a0f0a0963616368652e686974120210014a12"
          + "0a05726174696f120921000000000000e03f7a0612026e6f1802",
        "00e98a88f8d9fd31f63ae5eb58cfe008"
      ),
      (
        .unusual,
        "00006f0a1000000000000000000000000000000001120800000000000000024a030a016b4a050a016b12004a240a046c697374121c2a"
          + "1a0a0b18ffffffffffffffffff010a092100000000000000800a004a140a036d6170120d320b0a090a016212043a0200ff7a00f0"
          + "0701f80701f80702",
        "1cc44bbf05282d5b4d1373ae709eb4d6"
      ),
    ]
    for (sample, bytes, hash) in vectors {
      #expect(hex(sample.bytes) == bytes)
      #expect(hex(sample.hash) == hash)
    }
  }

  @Test func `every difference of content changes the bytes and the hash`() {
    var samples: [Sample] = []
    func add(_ change: (inout Sample) -> Void) {
      var sample = Sample()
      change(&sample)
      samples.append(sample)
    }
    add { _ in }
    add { $0.resource.attributes = [Attribute("a", "b")] }
    add { $0.resource.droppedAttributeCount = 1 }
    add { $0.resource.entityReferences = [[0x0a, 0x01, 0x61]] }
    add { $0.resource.schemaURL = "u" }
    add { $0.resource.unknownFields = [0xf8, 0x07, 0x01] }
    add { $0.resource.envelopeUnknownFields = [0xf8, 0x07, 0x01] }
    add { $0.scope.name = "u" }
    add { $0.scope.version = "u" }
    add { $0.scope.attributes = [Attribute("a", "b")] }
    add { $0.scope.droppedAttributeCount = 1 }
    add { $0.scope.schemaURL = "u" }
    add { $0.scope.unknownFields = [0xf8, 0x07, 0x01] }
    add { $0.scope.envelopeUnknownFields = [0xf8, 0x07, 0x01] }
    add { $0.span.traceID.high = 9 }
    add { $0.span.traceID.low = 9 }
    add { $0.span.spanID = SpanID(9) }
    add { $0.span.traceState = "u" }
    add { $0.span.parentSpanID = SpanID(0) }
    add { $0.span.parentSpanID = SpanID(3) }
    add { $0.span.name = "u" }
    add { $0.span.name = "e\u{301}" }
    add { $0.span.name = "\u{e9}" }
    add { $0.span.kind = .client }
    add { $0.span.kind = SpanKind(rawValue: -1) }
    add { $0.span.start = Timestamp(nanoseconds: 1) }
    add { $0.span.end = Timestamp(nanoseconds: 1) }
    add { $0.span.droppedAttributeCount = 1 }
    add { $0.span.droppedEventCount = 1 }
    add { $0.span.droppedLinkCount = 1 }
    add { $0.span.flags = 1 }
    add { $0.span.status = SpanStatus() }
    add { $0.span.status = SpanStatus(code: .ok) }
    add { $0.span.status = SpanStatus(message: "u") }
    add { $0.span.status = SpanStatus(unknownFields: [0xf8, 0x07, 0x01]) }
    add { $0.span.unknownFields = [0xf8, 0x07, 0x01] }
    let values: [AttributeValue] = [
      .absent, .empty, "", "a", true, false, 0, 1, -1, 0.0, .double(-0.0), .double(.nan),
      .double(Double(bitPattern: 0x7ff8_0000_0000_0001)), .bytes([]), .bytes([0]), .array([]), .array([.empty]),
      .array(["a"]), .map([]), .map([Attribute("", .absent)]), .map([Attribute("", .empty)]), .opaque([0x40, 0x01]),
    ]
    for value in values { add { $0.span.attributes = [Attribute("k", value)] } }
    add { $0.span.attributes = [Attribute("k", 1, unknownFields: [0xf8, 0x07, 0x01])] }
    add { $0.span.attributes = [Attribute("a", 1), Attribute("b", 2)] }
    add { $0.span.attributes = [Attribute("b", 2), Attribute("a", 1)] }
    add { $0.span.attributes = [Attribute("a", 1), Attribute("a", 1)] }
    add { $0.span.events = [SpanEvent()] }
    add { $0.span.events = [SpanEvent(), SpanEvent()] }
    add { $0.span.events = [SpanEvent(name: "u")] }
    add { $0.span.links = [SpanLink()] }
    add { $0.span.links = [SpanLink(traceID: TraceID(high: 0, low: 0))] }
    add { $0.span.links = [SpanLink(spanID: SpanID(0))] }
    #expect(Set(samples.map(\.bytes)).count == samples.count)
    #expect(Set(samples.map(\.hash)).count == samples.count)
  }

  @Test func `the order in which unknown fields came is not content`() {
    let one: [UInt8] = [0xf8, 0x07, 0x01]
    let other: [UInt8] = [0xf0, 0x07, 0x05]
    let group: [UInt8] = [0xeb, 0x07, 0x08, 0x01, 0xec, 0x07]
    let orders = [
      one + other + group, one + group + other, other + one + group, other + group + one, group + one + other,
      group + other + one,
    ]
    let hashes = orders.map { fields in
      var sample = Sample.checkout
      sample.span.unknownFields = fields
      sample.span.attributes[0].unknownFields = fields
      sample.resource.envelopeUnknownFields = fields
      return sample.hash
    }
    #expect(Set(hashes).count == 1)
  }

  @Test func `unknown bytes that are no fields are content too`() {
    let tails: [[UInt8]] = [[0xff], [0xff, 0xff], [0xf8, 0x07], [0x07], [0xfb, 0x07]]
    let hashes = tails.map { fields in
      var sample = Sample()
      sample.span.unknownFields = fields
      return sample.hash
    }
    #expect(Set(hashes).count == tails.count)
  }

  @Test func `parts give the same hash as the whole`() {
    var scratch: [UInt8] = [1, 2, 3]
    for sample in [Sample(), .checkout, .unusual] {
      let hash = OTLP.identity(of: sample.span).withUnsafeBytes { span in
        ContentHash.hash(
          resourceIdentity: OTLP.identity(of: sample.resource), scopeIdentity: OTLP.identity(of: sample.scope),
          spanIdentity: span, scratch: &scratch)
      }
      #expect(hash == sample.hash)
      #expect(scratch == sample.bytes)
    }
  }

  @Test func `the canonical bytes are three OTLP messages behind their lengths`() throws {
    let bytes = Sample.checkout.bytes
    try bytes.withUnsafeBytes { buffer in
      var reader = ByteReader(buffer)
      _ = try reader.readLengthPrefixedBytes()
      _ = try reader.readLengthPrefixedBytes()
      let span = try reader.readLengthPrefixedBytes()
      #expect(reader.isAtEnd)
      #expect(try OTLP.decodeSpan(span) == Sample.checkout.span)
    }
  }
}
