import Testing
import TraceBytes
import TraceModel

@testable import TraceOTLP

@Suite struct `Model codec and batch decoder` {
  @Test func `model values come back equal from their bytes, by either way`() throws {
    let batch = SpanBatch()
    for seed in UInt64(0)..<250 {
      var model = RandomModel(seed: seed)
      let data = model.data()
      let bytes = OTLP.encode(data)
      #expect(try OTLP.encode(OTLP.decode(bytes)) == bytes, "seed \(seed)")
      #expect(try OTLP.decode(bytes) == data, "seed \(seed)")
      #expect(try readBothWays(bytes, batch) == Reading(data, []), "seed \(seed)")
    }
  }

  @Test func `a span that the canonical encoder wrote is known as canonical`() throws {
    let batch = SpanBatch()
    for seed in UInt64(0)..<200 {
      var model = RandomModel(seed: seed)
      model.allowsUnknownFields = false
      let bytes = OTLP.encode(model.data())
      try bytes.withUnsafeBytes { buffer in
        try OTLPBatchDecoder.decode(buffer, into: batch)
        #expect(batch.spans.filter { !$0.isCanonical }.isEmpty, "seed \(seed)")
        #expect(batch.extra.isEmpty)
      }
    }
  }

  @Test func `mutated requests are refused by both or read alike`() throws {
    let batch = SpanBatch()
    var counts = (refused: 0, read: 0)
    for seed in UInt64(0)..<3000 {
      var model = RandomModel(seed: seed % 300)
      var bytes = OTLP.encode(model.data())
      var random = SeededGenerator(seed: seed)
      guard !bytes.isEmpty else { continue }
      for _ in 0...random.below(3) {
        switch random.below(5) {
        case 0: bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
        case 1: bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
        case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: random.below(bytes.count))
        case 3: if bytes.count > 1 { bytes.remove(at: random.below(bytes.count)) }
        default: bytes.swapAt(random.below(bytes.count), random.below(bytes.count))
        }
      }
      do {
        if try readBothWays(bytes, batch) == nil { counts.refused += 1 } else { counts.read += 1 }
      } catch {
        Issue.record("seed \(seed): \(error)")
      }
    }
    #expect(counts.refused > 100 && counts.read > 100)
  }

  @Test func `messages whose fields are shuffled, repeated and split read alike`() throws {
    let batch = SpanBatch()
    for seed in UInt64(0)..<900 {
      var model = RandomModel(seed: seed)
      let bytes = OTLP.encode(model.data())
      var random = SeededGenerator(seed: seed ^ 0xabcdef)
      let shuffled = Shuffler.shuffled(bytes, Shuffler.Grammar.request, &random)
      do {
        if try readBothWays(shuffled, batch) == nil { Issue.record("seed \(seed): refused") }
      } catch {
        Issue.record("seed \(seed): \(error)")
      }
    }
  }

  @Test func `every prefix of a request is refused or read alike`() throws {
    let batch = SpanBatch()
    for seed in UInt64(1)..<12 {
      var model = RandomModel(seed: seed)
      let bytes = OTLP.encode(model.data())
      for count in 0..<bytes.count { _ = try readBothWays(Array(bytes[..<count]), batch) }
    }
  }
}

/// Rewrites a message so that it says much the same in an unusual way: fields out of order, repeated, in pieces.
enum Shuffler {
  /// The messages that hold messages.
  enum Grammar {
    case leaf, list, map, value, attribute, event, link, span, resource, scope, scopeSpans, resourceSpans, request

    /// What a field with this tag holds, when it holds a message.
    func inner(_ tag: UInt32) -> Grammar? {
      switch (self, tag) {
      case (.request, 10): .resourceSpans
      case (.resourceSpans, 10): .resource
      case (.resourceSpans, 18): .scopeSpans
      case (.scopeSpans, 10): .scope
      case (.scopeSpans, 18): .span
      case (.span, 74), (.resource, 10), (.scope, 26), (.event, 26), (.link, 34), (.map, 10): .attribute
      case (.span, 90): .event
      case (.span, 106): .link
      case (.span, 122): .leaf
      case (.attribute, 18), (.list, 10): .value
      case (.value, 42): .list
      case (.value, 50): .map
      default: nil
      }
    }
  }

  static func shuffled(_ bytes: [UInt8], _ grammar: Grammar, _ random: inout SeededGenerator) -> [UInt8] {
    var fields: [[UInt8]] = []
    bytes.withUnsafeBytes { buffer in
      var reader = WireReader(buffer)
      while !reader.isAtEnd {
        let start = reader.place
        guard let tag = try? reader.head() else { return }
        if let inner = grammar.inner(tag), let message = try? reader.message() {
          let body = shuffled(message.rest.array, inner, &random)
          fields.append(field(tag, body))
          if random.chance(10) { fields.append(field(tag, body)) }
          if random.chance(10) { fields.append(field(tag, [])) }
        } else {
          guard (try? reader.skip(tag)) != nil else { return }
          let whole = reader.bytes(start, reader.place).array
          fields.append(whole)
          if random.chance(20) { fields.append(whole) }
        }
      }
    }
    if random.chance(25) { fields.append([0xf8, 0x07, 0x80, 0x00]) }
    if random.chance(25) { fields.append([0x22, 0x02, 0x50, 0x01]) }
    if random.chance(2) { fields.shuffle(using: &random) }
    return fields.flatMap { $0 }
  }

  static func field(_ tag: UInt32, _ body: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.appendVarint(UInt64(tag))
    writer.appendLengthPrefixed(body)
    return writer.bytes
  }
}
