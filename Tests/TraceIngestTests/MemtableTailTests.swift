import Testing
import TraceGraph
import TraceIngest
import TraceModel
import TraceOTLP

/// Rows as they become visible.
@Suite struct MemtableTailTests {
  private func append(_ number: UInt64, to memtable: Memtable, end: UInt64 = 9, count: Int = 1) throws -> Range<Int> {
    let spans = (0..<count).map { index in
      SpanRecord(
        traceID: TraceID(high: 1, low: 2), spanID: SpanID(number + UInt64(index)), name: "work", kind: .client,
        start: Timestamp(nanoseconds: 1), end: Timestamp(nanoseconds: end),
        attributes: [
          Attribute("db.system", .string("")), Attribute("peer.service", .int(3)), Attribute("x", .string("y")),
          Attribute("db.system", .string("mysql")), Attribute("server.address", .string("host \(number)")),
        ])
    }
    let resource = Resource(attributes: [Attribute("service.name", .string("cart \(number % 3)"))])
    let request = OTLP.encode(
      TraceData(resourceSpans: [ResourceSpans(resource: resource, scopeSpans: [ScopeSpans(spans: spans)])]))
    let batch = SpanBatch()
    return try request.withUnsafeBytes { bytes in
      try OTLPBatchDecoder.decode(bytes, into: batch)
      return try memtable.append(batch, arrivalNanoseconds: number)
    }
  }

  private static func read(_ tail: inout MemtableTail, _ memtables: [Memtable], _ names: inout NameTable) -> [UInt64] {
    var ids: [UInt64] = []
    tail.read(memtables, code: { names.code(of: $0) }, { ids += $0.map(\.span.spanID) })
    return ids
  }

  @Test func `rows come once, when they are visible, over memtables, and dead or open ones never`() throws {
    let (first, second) = (Memtable(endZeroMeansOpen: true), Memtable(endZeroMeansOpen: true))
    var names = NameTable()
    first.publish(try append(1, to: first))
    var tail = MemtableTail()
    tail.skipToEnd(of: [first])
    let rows = try append(2, to: first)
    let dead = try append(3, to: first)
    let third = try append(4, to: first)
    #expect(Self.read(&tail, [first], &names) == [])
    first.publish(rows)
    #expect(Self.read(&tail, [first], &names) == [2])
    first.discard(dead)
    first.publish(third)
    first.publish(try append(5, to: first, end: 0))
    second.publish(try append(6, to: second))
    #expect(Self.read(&tail, [first, second], &names) == [4, 6])
    #expect(Self.read(&tail, [first, second], &names) == [])
    first.publish(try append(7, to: first))
    second.publish(try append(8, to: second))
    #expect(Self.read(&tail, [second], &names) == [8])
    #expect(Self.read(&tail, [first], &names) == [7])
    #expect(Self.read(&tail, [first, second], &names) == [])
  }

  @Test func `rows have the names of their service and peer, also after names got other codes`() throws {
    let memtable = Memtable(endZeroMeansOpen: true)
    var tail = MemtableTail()
    for round in 0..<2 {
      var names = NameTable()
      if round == 1 {
        // Codes of the round before would name something else.
        for index in 0..<3000 { _ = names.code(of: Array("other \(index)".utf8)) }
        tail.forgetNames()
      }
      // More than one slab of rows, more texts than the reader remembers.
      for number in 1...2000 as ClosedRange<UInt64> { memtable.publish(try append(number * 4, to: memtable, count: 3)) }
      var count = 0
      func look(_ spans: UnsafeBufferPointer<StreamedSpan>) {
        for own in spans {
          count += 1
          let number = own.span.spanID - own.span.spanID % 4
          let texts = [own.span.service, own.span.peer].map { String(decoding: names.names[Int($0)], as: UTF8.self) }
          guard texts == ["cart \(number % 3)", "mysql"], own.span.peerConnection == .database,
            own.trace == TraceID(high: 1, low: 2), own.span.duration == 8
          else {
            Issue.record("round \(round), span \(own.span.spanID): \(texts)")
            return
          }
        }
      }
      tail.read([memtable], code: { names.code(of: $0) }, look)
      #expect(count == 6000, "round \(round)")
    }
  }
}
