import Testing
import TraceBytes
import TraceModel

@testable import TraceOTLP

@Suite struct `Frame reader` {
  static func request(_ seed: UInt64) -> TraceData {
    var model = RandomModel(seed: seed)
    model.allowsUnknownFields = false
    let span = model.span()
    return TraceData(resourceSpans: [
      ResourceSpans(resource: model.resource(), scopeSpans: [ScopeSpans(scope: model.scope(), spans: [span])])
    ])
  }

  static func framed(_ requests: [TraceData], _ framing: OTLPFrameReader.Framing) -> [UInt8] {
    var writer = ByteWriter()
    for request in requests {
      switch framing {
      case .message: writer.append(OTLP.encode(request))
      case .lengthPrefixed:
        let bytes = OTLP.encode(request)
        writer.appendInteger(UInt32(bytes.count).bigEndian)
        writer.append(bytes)
      case .varintDelimited: writer.appendLengthPrefixed(OTLP.encode(request))
      case .json: writer.append(pretty(OTLPJSON.encode(request)))
      case .jsonLines:
        writer.append(OTLPJSON.encode(request))
        writer.append(UInt8(ascii: "\n"))
      }
    }
    return writer.bytes
  }

  /// The same JSON over several lines.
  static func pretty(_ bytes: [UInt8]) -> [UInt8] {
    Array("{\n  ".utf8) + bytes.dropFirst().dropLast() + Array("\n}\n".utf8)
  }

  func frames(_ reader: OTLPFrameReader) throws -> [OTLPFrameReader.Frame] {
    var reader = reader
    var frames: [OTLPFrameReader.Frame] = []
    while let frame = try reader.next() { frames.append(frame) }
    return frames
  }

  @Test func `every framing is found and split, however the input arrives`() throws {
    for seed in UInt64(0)..<40 {
      for framing in OTLPFrameReader.Framing.allCases {
        let isSingle = framing == .message || framing == .json
        let requests = (0..<(isSingle ? 1 : 1 + seed % 4)).map { Self.request(seed * 10 + $0) }
        let bytes = Self.framed(requests, framing)
        for chunk in [1, 7, bytes.count] {
          var place = 0
          var reader = OTLPFrameReader { maximum in
            let end = min(bytes.count, place + min(chunk, maximum))
            defer { place = end }
            return Array(bytes[place..<end])
          }
          var found: [TraceData] = []
          while let frame = try reader.next() {
            #expect(frame.index == found.count)
            #expect(Array(bytes[Int(frame.offset)...].prefix(frame.bytes.count)) == frame.bytes)
            var refusals: [OTLP.Refusal] = []
            found.append(try frame.decode(refusals: &refusals))
            #expect(refusals.isEmpty)
          }
          #expect(reader.framing == framing, "seed \(seed)")
          #expect(found.map { OTLP.encode($0) } == requests.map { OTLP.encode($0) }, "seed \(seed) \(framing)")
        }
      }
    }
  }

  @Test(arguments: [OTLPFrameReader.Framing.lengthPrefixed, .varintDelimited, .jsonLines])
  func `a request is handed out as soon as it is whole`(_ framing: OTLPFrameReader.Framing) throws {
    let requests = (1...3).map { Self.request($0) }
    // Each in two pieces, as a slow producer may write it.
    let pieces = requests.flatMap { request in
      let bytes = Self.framed([request], framing)
      return [Array(bytes.prefix(bytes.count / 2)), Array(bytes.dropFirst(bytes.count / 2))]
    }
    var readCount = 0
    var reader = OTLPFrameReader { _ in
      defer { readCount += 1 }
      return readCount < pieces.count ? pieces[readCount] : []
    }
    for index in requests.indices {
      let frame = try reader.next()
      #expect(frame?.index == index)
      #expect(readCount == 2 * (index + 1))
    }
    #expect(try reader.next() == nil)
  }

  @Test(arguments: [OTLPFrameReader.Framing.lengthPrefixed, .varintDelimited])
  func `requests without spans hold up nothing that follows them`(_ framing: OTLPFrameReader.Framing) throws {
    var empty = Self.request(1)
    empty.resourceSpans[0].scopeSpans = []
    empty.resourceSpans[0].resource.attributes = [Attribute("host.name", .string("a host without spans"))]
    var pieces: [[UInt8]] = [Self.framed(Array(repeating: empty, count: 20), framing)]
    // Behind what settles the framing they may be as short as they like.
    for request in [Self.request(2), TraceData(), Self.request(3)] { pieces.append(Self.framed([request], framing)) }
    var readCount = 0
    var reader = OTLPFrameReader { _ in
      defer { readCount += 1 }
      return readCount < pieces.count ? pieces[readCount] : []
    }
    for index in 0..<23 {
      let frame = try reader.next()
      #expect(frame?.index == index)
      #expect(readCount == max(2, index - 18))
    }
    #expect(reader.framing == framing)
    #expect(try reader.next() == nil)
  }

  @Test func `a framing that is settled stays the same, whatever comes behind`() throws {
    func check(_ bytes: [UInt8], _ label: String) -> Int {
      let framing = FramingDetection(bytes: bytes, isWhole: true).framing
      var settledCount = 0
      for count in 0...bytes.count {
        let prefix = FramingDetection(bytes: Array(bytes.prefix(count)), isWhole: false)
        guard let settled = prefix.settledFraming else { continue }
        settledCount += 1
        #expect(settled == framing, "\(label), \(count) bytes")
      }
      return settledCount
    }
    var settledCount = 0
    for seed in UInt64(0)..<100 {
      var random = SeededGenerator(seed: seed)
      for framing in OTLPFrameReader.Framing.allCases {
        var bytes = Self.framed([Self.request(seed), Self.request(seed + 1)], framing)
        bytes = Array(bytes.prefix(1500))
        for _ in 0..<Int.random(in: 0...3, using: &random) {
          let place = Int.random(in: 0..<min(bytes.count, 60), using: &random)
          bytes[place] = UInt8.random(in: 0...255, using: &random)
        }
        settledCount += check(bytes, "seed \(seed), \(framing)")
      }
    }
    #expect(settledCount > 0)
    // A number that goes on beyond its span, in a frame that has spans if the bytes behind it are its own.
    let request: [UInt8] = [0x0a, 6, 0x12, 4, 0x12, 2, 0x50, 0x80]
    let number: [UInt8] = [0, 0, 0, UInt8(request.count)] + request
    for tail in [[0xff, 0xff, 0xff, 0xff, 1], [1], [0], number] as [[UInt8]] {
      #expect(check(number + tail, "a number that goes on") == 0)
    }
  }

  @Test func `how an input arrives does not change what a damaged one is taken for`() throws {
    for seed in UInt64(0)..<200 {
      var random = SeededGenerator(seed: seed)
      let framing = OTLPFrameReader.Framing.allCases[Int(seed % 5)]
      var bytes = Self.framed([Self.request(seed), Self.request(seed + 1)], framing)
      for _ in 0..<Int.random(in: 0...4, using: &random) {
        bytes[Int.random(in: 0..<min(bytes.count, 40), using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      var found: [OTLPFrameReader.Framing?] = []
      for chunk in [1, 3, bytes.count] {
        var place = 0
        var reader = OTLPFrameReader { maximum in
          let end = min(bytes.count, place + min(chunk, maximum))
          defer { place = end }
          return Array(bytes[place..<end])
        }
        _ = try? reader.next()
        found.append(reader.framing)
      }
      #expect(Set(found).count == 1, "seed \(seed): \(found)")
    }
  }

  /// What the first bytes hold of a large request has to do.
  @Test(arguments: [60, 3_000, 300_000, 1_100_000])
  func `requests larger than what is looked at are found`(_ textByteCount: Int) throws {
    var number = 0 as UInt64
    func request(byteCount: Int) -> TraceData {
      var spans: [SpanRecord] = []
      while spans.count * textByteCount < byteCount {
        number += 1
        spans.append(
          SpanRecord(
            traceID: TraceID(high: 1, low: number), spanID: SpanID(number), name: "large",
            attributes: [Attribute("text", .string(String(repeating: "x", count: textByteCount)))]))
      }
      return TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: spans)])])
    }
    for byteCount in [1_048_000, 1_200_000, 4_000_000, 17_000_000] {
      let requests = [request(byteCount: byteCount), request(byteCount: 10)]
      for framing in [OTLPFrameReader.Framing.message, .lengthPrefixed, .varintDelimited] {
        let written = framing == .message ? [requests[0]] : requests
        var reader = OTLPFrameReader(bytes: Self.framed(written, framing))
        var spanCounts: [Int] = []
        while let frame = try reader.next() {
          var refusals: [OTLP.Refusal] = []
          spanCounts.append(try frame.decode(refusals: &refusals).spanCount)
        }
        #expect(reader.framing == framing, "\(byteCount) bytes")
        #expect(spanCounts == written.map(\.spanCount), "\(byteCount) bytes, \(framing)")
      }
    }
  }

  @Test func `what is wrong in a request does not make it look framed otherwise`() throws {
    var value = AttributeValue.int(1)
    for _ in 0..<Limits.maximumValueDepth { value = .map([Attribute("k", value)]) }
    let span = SpanRecord(
      traceID: TraceID(high: 1, low: 1), spanID: SpanID(1), name: "deep", attributes: [Attribute("deep", value)])
    let request = TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: [span])])])
    for framing in [OTLPFrameReader.Framing.message, .lengthPrefixed, .varintDelimited] {
      var reader = OTLPFrameReader(bytes: Self.framed([request], framing))
      let frame = try #require(try reader.next())
      #expect(reader.framing == framing)
      var refusals: [OTLP.Refusal] = []
      let error = #expect(throws: TracestoreError.self) { try frame.decode(refusals: &refusals) }
      #expect(error?.code == .limitExceeded)
    }
  }

  @Test func `an empty input has no frames`() throws {
    #expect(try frames(OTLPFrameReader(bytes: [])).isEmpty)
    for framing in OTLPFrameReader.Framing.allCases {
      #expect(try frames(OTLPFrameReader(framing: framing, bytes: [])).isEmpty)
    }
    #expect(try frames(OTLPFrameReader(framing: .json, bytes: [0x20, 0x0a])).isEmpty)
  }

  @Test func `a frame cut short is named with its place and ends the input`() throws {
    let bytes = Self.framed([Self.request(1), Self.request(2)], .lengthPrefixed)
    let firstByteCount = 4 + bytes[..<4].reduce(0) { $0 << 8 | Int($1) }
    for count in firstByteCount + 1..<bytes.count {
      var reader = OTLPFrameReader(framing: .lengthPrefixed, bytes: Array(bytes[..<count]))
      #expect(try reader.next()?.index == 0)
      do {
        _ = try reader.next()
        Issue.record("a frame of \(count) bytes passed")
      } catch let error as TracestoreError {
        #expect(error.code == .malformedInput)
        #expect(error.offset == UInt64(firstByteCount))
        #expect(error.message.hasPrefix("Frame 1 "))
      }
      #expect(try reader.next() == nil)
    }
  }

  @Test func `a single frame cut short is still seen as framed`() throws {
    let bytes = Self.framed([Self.request(3)], .lengthPrefixed)
    var reader = OTLPFrameReader(bytes: Array(bytes.dropLast()))
    #expect(throws: TracestoreError.self) { try reader.next() }
    #expect(reader.framing == .lengthPrefixed)
  }

  @Test func `damage behind a good frame does not hide how the input is framed`() throws {
    let first = Self.framed([Self.request(1)], .lengthPrefixed)
    let both = Self.framed([Self.request(1), Self.request(2)], .lengthPrefixed)
    let absurd = first + [0xff, 0xff, 0xff, 0xff, 0x0a, 0x01]
    for bytes in (first.count + 1..<both.count).map({ Array(both[..<$0]) }) + [absurd] {
      var reader = OTLPFrameReader(bytes: bytes)
      #expect(try reader.next()?.index == 0)
      #expect(reader.framing == .lengthPrefixed, "\(bytes.count) bytes")
      do {
        _ = try reader.next()
        Issue.record("\(bytes.count) bytes passed")
      } catch let error as TracestoreError {
        #expect(error.offset == UInt64(first.count))
      }
    }
  }

  @Test func `an absurd length costs nothing and is named`() throws {
    var calls = 0
    var reader = OTLPFrameReader(framing: .lengthPrefixed) { _ in
      calls += 1
      return calls == 1 ? [0xff, 0xff, 0xff, 0xff, 0] : []
    }
    do {
      _ = try reader.next()
      Issue.record("passed")
    } catch let error as TracestoreError {
      #expect(error.code == .limitExceeded && error.offset == 0)
    }
    for bytes in [[UInt8](repeating: 0xff, count: 12), [0x80], [0xff, 0xff, 0xff, 0xff, 0xff, 0x01]] {
      var reader = OTLPFrameReader(framing: .varintDelimited, bytes: bytes)
      #expect(throws: TracestoreError.self) { try reader.next() }
      #expect(try reader.next() == nil)
    }
    var lying = OTLPFrameReader(framing: .lengthPrefixed, bytes: [0x0f, 0xff, 0xff, 0xff, 1])
    #expect(throws: TracestoreError.self) { try lying.next() }
  }

  @Test func `a bad line does not end JSON lines`() throws {
    let good = OTLPJSON.encode(Self.request(5))
    let bytes = good + Array("\n{\"resourceSpans\":[\n\n  \r\n".utf8) + good + Array("\nnonsense\n".utf8) + good
    let found = try frames(OTLPFrameReader(bytes: bytes))
    #expect(found.count == 5)
    var refusals: [OTLP.Refusal] = []
    #expect(found.map { (try? $0.decode(refusals: &refusals)) != nil } == [true, false, true, false, true])
    do throws(TracestoreError) {
      _ = try found[3].decode(refusals: &refusals)
      Issue.record("nonsense passed")
    } catch {
      #expect(error.offset == found[3].offset)
    }
  }

  @Test func `a first line that is damaged is still a line`() throws {
    let good = OTLPJSON.encode(Self.request(6))
    let bytes: [UInt8] = Array(good[..<(good.count - 3)]) + [0x0a] + good + [0x0a]
    #expect(try frames(OTLPFrameReader(bytes: bytes)).count == 2)
  }

  @Test func `what the source throws comes through`() {
    struct Refused: Error {}
    var reader = OTLPFrameReader { _ in throw Refused() }
    #expect(throws: Refused.self) { try reader.next() }
  }

  @Test(arguments: OTLPFrameReader.Framing.allCases)
  func `frames that stand whole before a failed read are handed out before the failure`(
    _ framing: OTLPFrameReader.Framing
  ) throws {
    struct Refused: Error {}
    let frame = Self.framed([Self.request(3)], framing)
    // An input that is one frame has none before its end.
    let isWhole = framing == .message || framing == .json
    for isKnown in [true, false] {
      for tail in [0, 1, 3, 5, frame.count - 1] {
        var bytes = frame + frame + frame.prefix(tail)
        if isWhole { bytes = Array(frame.prefix(frame.count - 1)) }
        var reader = OTLPFrameReader(framing: isKnown ? framing : nil) { maximum in
          guard !bytes.isEmpty else { throw Refused() }
          defer { bytes.removeFirst(min(maximum, bytes.count)) }
          return Array(bytes.prefix(maximum))
        }
        if !isWhole {
          for _ in 0..<2 { #expect(try reader.next() != nil, "\(framing), \(tail)") }
        }
        #expect(throws: Refused.self) { try reader.next() }
        #expect(try reader.next() == nil)
      }
    }
  }

  @Test func `arbitrary bytes never trap the detection`() {
    for seed in UInt64(0)..<2000 {
      var random = SeededGenerator(seed: seed)
      let bytes = (0..<random.below(60)).map { _ in
        random.chance(3) ? random.pick([0, 0x0a, 0x7b, 0x22, 1, 0x80]) : UInt8(truncatingIfNeeded: random.next())
      }
      var reader = OTLPFrameReader(bytes: bytes)
      var count = 0
      while count < 100, let frame = try? reader.next() {
        count += 1
        var refusals: [OTLP.Refusal] = []
        _ = try? frame.decode(refusals: &refusals)
      }
      #expect(count < 100, "seed \(seed)")
    }
  }
}
