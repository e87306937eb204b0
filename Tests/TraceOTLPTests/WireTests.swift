import Testing
import TraceBytes
import TraceModel

@testable import TraceOTLP

@Suite struct `Protobuf of OTLP` {
  static let ids: [UInt8] = [0x0a, 16] + (1...16).map { UInt8($0) } + [0x12, 8] + (17...24).map { UInt8($0) }

  /// A request with one span of these fields behind its ids.
  static func request(_ fields: [UInt8], ids: [UInt8] = ids) -> [UInt8] {
    Shuffler.field(10, Shuffler.field(18, Shuffler.field(18, ids + fields)))
  }

  static func requestWithValue(_ value: [UInt8]) -> [UInt8] {
    request(Shuffler.field(74, [0x0a, 1, 0x6b] + Shuffler.field(18, value)))
  }

  func span(_ fields: [UInt8]) throws -> SpanRecord {
    let bytes = Self.request(fields)
    let reading = try #require(try readBothWays(bytes, SpanBatch()))
    #expect(reading.triples.count == 1)
    var span: SpanRecord?
    try OTLP.decode(bytes).forEachSpan { span = $2 }
    return try #require(span)
  }

  func value(_ bytes: [UInt8]) throws -> AttributeValue? {
    try span(Shuffler.field(74, [0x0a, 1, 0x6b] + Shuffler.field(18, bytes))).attributes.first?.value
  }

  func refusal(_ bytes: [UInt8]) throws -> TracestoreError? {
    #expect(try readBothWays(bytes, SpanBatch()) == nil)
    do throws(TracestoreError) {
      _ = try OTLP.decode(bytes)
      return nil
    } catch {
      return error
    }
  }

  @Test func `the last scalar wins and the last arm wins`() throws {
    #expect(try span([0x2a, 1, 0x61, 0x2a, 1, 0x62]).name == "b")
    #expect(try span([0x2a, 1, 0x61, 0x2a, 0]).name.isEmpty)
    #expect(try span([0x30, 2, 0x30, 3]).kind == .client)
    #expect(try value([0x0a, 1, 0x61, 0x18, 7]) == 7)
    #expect(try value([0x18, 7, 0x0a, 0]) == "")
    #expect(try value([0x10, 0x05]) == true)
  }

  @Test func `messages that come in pieces merge`() throws {
    let status = try span([0x7a, 3, 0x12, 1, 0x6d, 0x7a, 2, 0x18, 2]).status
    #expect(status == SpanStatus(code: .error, message: "m"))
    #expect(try value([0x2a, 4, 0x0a, 2, 0x18, 1, 0x2a, 4, 0x0a, 2, 0x18, 2]) == .array([1, 2]))
    #expect(try value([0x2a, 4, 0x0a, 2, 0x18, 1, 0x18, 9, 0x2a, 4, 0x0a, 2, 0x18, 2]) == .array([2]))
    let pieces: [UInt8] = Shuffler.field(
      74, [0x0a, 1, 0x6b, 0x12, 6, 0x2a, 4, 0x0a, 2, 0x18, 1, 0x12, 6, 0x2a, 4, 0x0a, 2, 0x18, 2])
    #expect(try span(pieces).attributes == [Attribute("k", .array([1, 2]))])
  }

  @Test func `varints wider than their field keep their low bits`() throws {
    #expect(try span([0x30, 0x83, 0x80, 0x80, 0x80, 0x10]).kind == .client)
    #expect(try span([0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).kind.rawValue == -1)
    #expect(try span([0x50, 0x81, 0x80, 0x80, 0x80, 0x10]).droppedAttributeCount == 1)
  }

  @Test func `a known number with another wire type is an unknown field`() throws {
    #expect(try span([0x28, 5]).unknownFields == [0x28, 5])
    #expect(
      try span([0x78, 5, 0x2a, 1, 0x61, 0x49, 1, 2, 3, 4, 5, 6, 7, 8]).unknownFields == [
        0x78, 5, 0x49, 1, 2, 3, 4, 5, 6, 7, 8,
      ])
    #expect(try value([0x40, 5]) == .opaque([0x40, 5]))
    #expect(try value([0x2a, 2, 0x10, 1]) == .opaque([0x2a, 2, 0x10, 1]))
    #expect(
      try span(Shuffler.field(74, [0x0a, 1, 0x6b, 0x18, 1])).attributes == [
        Attribute("k", .absent, unknownFields: [0x18, 1])
      ])
  }

  @Test func `ids of a wrong length stay among the unknown fields of parents and links`() throws {
    #expect(try span([0x22, 2, 1, 2]).unknownFields == [0x22, 2, 1, 2])
    #expect(try span([0x22, 2, 1, 2]).parentSpanID == nil)
    #expect(try span([0x22, 0]).unknownFields.isEmpty)
    #expect(try span([0x22, 2, 1, 2, 0x22, 8, 0, 0, 0, 0, 0, 0, 0, 9]).parentSpanID == SpanID(9))
    #expect(try span([0x22, 2, 1, 2, 0x22, 8, 0, 0, 0, 0, 0, 0, 0, 9]).unknownFields.isEmpty)
    #expect(try span([0x22, 8, 0, 0, 0, 0, 0, 0, 0, 9, 0x22, 1, 7]).parentSpanID == nil)
    #expect(
      try span([0xf8, 7, 1, 0x22, 1, 7, 0x2a, 1, 0x61, 0xf8, 7, 2]).unknownFields == [
        0xf8, 7, 1, 0x22, 1, 7, 0xf8, 7, 2,
      ])
    let link = try span(Shuffler.field(106, [0x12, 1, 5, 0x0a, 1, 6])).links.first
    #expect(link?.unknownFields == [0x12, 1, 5, 0x0a, 1, 6])
    #expect(link?.traceID == nil && link?.spanID == nil)
  }

  @Test func `spans with unusable ids are refused alone and named`() throws {
    let zeroTrace: [UInt8] = [0x0a, 16] + [UInt8](repeating: 0, count: 16) + Self.ids[18...]
    let zeroSpan: [UInt8] = Self.ids[..<18] + [0x12, 8, 0, 0, 0, 0, 0, 0, 0, 0]
    let bad: [[UInt8]] = [
      [], Array(Self.ids[..<18]), Array(Self.ids[18...]), zeroTrace, zeroSpan, Self.ids + [0x0a, 0],
      Self.ids + [0x12, 1, 9],
      Self.ids + [0x0a, 17] + [UInt8](repeating: 1, count: 17),
    ]
    for ids in bad {
      let bytes =
        Self.request([0x2a, 1, 0x61], ids: Self.ids) + Self.request([0x2a, 1, 0x62], ids: ids) + Self.request([])
      let reading = try #require(try readBothWays(bytes, SpanBatch()))
      #expect(reading.triples.count == 2)
      #expect(reading.refusals.map(\.spanIndex) == [1])
      #expect(throws: TracestoreError.self) { try OTLP.decode(bytes) }
    }
  }

  @Test func `text that is not UTF-8 is refused at its byte, in every text field`() throws {
    let sequences: [[UInt8]] = [
      [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x80],
      [0xf8, 0x88, 0x80, 0x80, 0x80],
    ]
    for bad in sequences {
      let text = Array("0123456789é".utf8) + bad
      let value = Shuffler.field(10, text)
      let resource: [UInt8] = Shuffler.field(10, Shuffler.field(10, Shuffler.field(10, Shuffler.field(10, text))))
      let requests = [
        Self.request(Shuffler.field(26, text)), Self.request(Shuffler.field(42, text)),
        Self.request(Shuffler.field(122, Shuffler.field(18, text))),
        Self.request(Shuffler.field(90, Shuffler.field(18, text))),
        Self.request(Shuffler.field(106, Shuffler.field(26, text))),
        Self.request(Shuffler.field(74, Shuffler.field(10, text))),
        Self.requestWithValue(value), Self.requestWithValue(Shuffler.field(42, Shuffler.field(10, value))),
        Self.requestWithValue(Shuffler.field(50, Shuffler.field(10, Shuffler.field(10, text)))), resource,
        Shuffler.field(10, Shuffler.field(10, Shuffler.field(26, Shuffler.field(10, text)))),
        Shuffler.field(10, Shuffler.field(26, text)), Shuffler.field(10, Shuffler.field(18, Shuffler.field(26, text))),
        Shuffler.field(10, Shuffler.field(18, Shuffler.field(10, Shuffler.field(10, text)))),
        Shuffler.field(10, Shuffler.field(18, Shuffler.field(10, Shuffler.field(18, text)))),
      ]
      for request in requests {
        let error = try refusal(request)
        #expect(error?.code == .malformedInput)
        #expect(error?.offset == UInt64(request.count - bad.count))
      }
    }
  }

  @Test func `values nest to the limit and not beyond`() throws {
    func nested(_ depth: Int, _ wrap: ([UInt8]) -> [UInt8]) -> [UInt8] {
      (1..<depth).reduce(into: []) { value, _ in value = wrap(value) }
    }
    let wraps: [([UInt8]) -> [UInt8]] = [
      { Shuffler.field(42, Shuffler.field(10, $0)) },
      { Shuffler.field(50, Shuffler.field(10, Shuffler.field(18, $0))) },
    ]
    for wrap in wraps {
      #expect(try readBothWays(Self.requestWithValue(nested(Limits.maximumValueDepth, wrap)), SpanBatch()) != nil)
      let error = try refusal(Self.requestWithValue(nested(Limits.maximumValueDepth + 1, wrap)))
      #expect(error?.code == .limitExceeded)
      #expect(try refusal(Self.requestWithValue(nested(5000, wrap)))?.code == .limitExceeded)
    }
  }

  @Test func `groups are followed to their end and no deeper than the limit`() throws {
    let group: [UInt8] = [0xc3, 0x3e, 0x0b, 0x08, 1, 0x0c, 0xc4, 0x3e]
    #expect(try span(group).unknownFields == group)
    for bad: [UInt8] in [[0xc3, 0x3e], [0xc3, 0x3e, 0x0c], [0x0c], [0xc4, 0x3e], [0x0e], [0x0f]] {
      #expect(try refusal(Self.request(bad)) != nil)
    }
    let deep = [UInt8](repeating: 0x0b, count: 100_000)
    #expect(try refusal(Self.request(deep)) != nil)
  }

  @Test func `lengths and varints that lie are refused`() throws {
    for bad: [UInt8] in [
      [0x0a], [0x0a, 0x80], [0x0a, 1], [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
      [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], [UInt8](repeating: 0xff, count: 20), [0x00],
      [0x02, 0],
      [0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f], [0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    ] {
      #expect(try refusal(bad) != nil, "\(bad)")
    }
  }

  @Test func `an item with more attributes than the limit is refused`() throws {
    let pair: [UInt8] = [0x4a, 0]
    let most = [UInt8](repeating: 0, count: 2 * Limits.maximumAttributeCount).indices.map { pair[$0 & 1] }
    #expect(try OTLP.decode(Self.request(most)).spanCount == 1)
    #expect(try refusal(Self.request(most + pair))?.code == .limitExceeded)
  }

  @Test func `fields that a request does not know are stepped over`() throws {
    #expect(try OTLP.decode([0x10, 5] + Self.request([]) + [0x1a, 1, 0]).spanCount == 1)
    #expect(try OTLP.decode([]).isEmpty)
  }
}

@Suite struct BatchMemoryTests {
  @Test func `a batch lets go of the memory of an unusually large request, and keeps that of an ordinary one`() throws {
    func decoded(spanCount: Int) throws -> SpanBatch {
      let span = SpanRecord(traceID: TraceID(high: 1, low: 1), spanID: SpanID(1))
      let request = OTLP.encode(
        TraceData(resourceSpans: [
          ResourceSpans(scopeSpans: [ScopeSpans(spans: Array(repeating: span, count: spanCount))])
        ]))
      let batch = SpanBatch()
      try request.withUnsafeBytes { try OTLPBatchDecoder.decode($0, into: batch) }
      #expect(batch.acceptedCount == spanCount)
      batch.removeAll()
      #expect(batch.acceptedCount == 0)
      return batch
    }
    #expect(try decoded(spanCount: 5000).storage.spans.capacity >= 5000)
    let batch = try decoded(spanCount: 50_000)
    #expect(batch.storage.spans.capacity * MemoryLayout<BatchSpan>.stride <= 4 << 20)
  }
}

/// Requests that take little on the wire and much in memory.
@Suite struct ElementLimitTests {
  /// One span with as many empty events or links as asked for.
  private static func request(_ head: UInt8, _ count: Int) -> [UInt8] {
    var elements: [UInt8] = []
    elements.reserveCapacity(count * 2)
    for _ in 0..<count { elements += [head, 0] }
    return `Protobuf of OTLP`.request(elements)
  }

  @Test(arguments: [0x5a, 0x6a] as [UInt8])
  func `a request may hold so many events and links, and not one more`(_ head: UInt8) throws {
    // The resource, the scope and the rest.
    let most = Limits.maximumElementCount - 2
    let batch = SpanBatch()
    try Self.request(head, most).withUnsafeBytes { try OTLPBatchDecoder.decode($0, into: batch) }
    #expect(batch.events.count + batch.links.count == most)
    let tooMany = Self.request(head, most + 1)
    let refusal = #expect(throws: TracestoreError.self) {
      try tooMany.withUnsafeBytes { try OTLPBatchDecoder.decode($0, into: batch) }
    }
    #expect(refusal?.code == .limitExceeded && refusal?.offset == UInt64(tooMany.count - 2))
    #expect(batch.acceptedCount == 0)
    #expect(throws: TracestoreError.self) { try OTLP.decode(tooMany) }
  }

  @Test func `groups without spans count as well`() throws {
    var groups: [UInt8] = []
    groups.reserveCapacity(2 * Limits.maximumElementCount + 2)
    for _ in 0...Limits.maximumElementCount { groups += [0x0a, 0] }
    let batch = SpanBatch()
    let refusal = #expect(throws: TracestoreError.self) {
      try groups.withUnsafeBytes { try OTLPBatchDecoder.decode($0, into: batch) }
    }
    #expect(refusal?.code == .limitExceeded)
  }

  /// Empty messages of the field, one more than a request may hold elements.
  fileprivate static func tooMany(_ head: UInt8) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 2 * Limits.maximumElementCount + 2)
    for index in stride(from: 0, to: bytes.count, by: 2) { bytes[index] = head }
    return bytes
  }

  enum Element: CaseIterable {
    case arrayElement, mapEntry, valuePiece, armPiece, resourcePiece, scopePiece, entityReference

    var request: [UInt8] {
      switch self {
      case .arrayElement: `Protobuf of OTLP`.requestWithValue(Shuffler.field(42, ElementLimitTests.tooMany(0x0a)))
      case .mapEntry: `Protobuf of OTLP`.requestWithValue(Shuffler.field(50, ElementLimitTests.tooMany(0x0a)))
      case .valuePiece: `Protobuf of OTLP`.request(Shuffler.field(74, ElementLimitTests.tooMany(0x12)))
      case .armPiece: `Protobuf of OTLP`.requestWithValue(ElementLimitTests.tooMany(0x2a))
      case .resourcePiece: Shuffler.field(10, ElementLimitTests.tooMany(0x0a))
      case .scopePiece: Shuffler.field(10, Shuffler.field(18, ElementLimitTests.tooMany(0x0a)))
      case .entityReference: Shuffler.field(10, Shuffler.field(10, ElementLimitTests.tooMany(0x1a)))
      }
    }
  }

  @Test(arguments: Element.allCases)
  func `whatever is small on the wire and large in memory counts`(_ element: Element) throws {
    let request = element.request
    let batch = SpanBatch()
    let refusal = #expect(throws: TracestoreError.self) {
      try request.withUnsafeBytes { try OTLPBatchDecoder.decode($0, into: batch) }
    }
    #expect(refusal?.code == .limitExceeded)
    #expect(batch.acceptedCount == 0)
    let other = #expect(throws: TracestoreError.self) { try OTLP.decode(request) }
    #expect(other?.code == .limitExceeded && other?.offset == refusal?.offset)
  }

  @Test func `nested values in JSON count as well`() throws {
    let head = #"{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":{"arrayValue":{"values":["#
    let values = [[UInt8]](repeating: Array("{},".utf8), count: Limits.maximumElementCount).flatMap { $0 }
    let request = Array(head.utf8) + values + Array("{}]}}}]}}]}".utf8)
    let refusal = #expect(throws: TracestoreError.self) { try OTLPJSON.decode(request) }
    #expect(refusal?.code == .limitExceeded)
  }
}
