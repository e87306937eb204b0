import Testing
import TraceIngest
import TraceModel
import TraceOTLP
import TraceSource

@Suite struct MemtableTests {
  private let memtable = Memtable(endZeroMeansOpen: true)

  /// Appends one span and returns its row.
  private func append(_ number: UInt64, trace: UInt64 = 1) throws -> Range<Int> {
    let span = SpanRecord(
      traceID: TraceID(high: 1, low: trace), spanID: SpanID(number), name: "work",
      start: Timestamp(nanoseconds: number),
      end: Timestamp(nanoseconds: number + 1))
    let request = OTLP.encode(TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: [span])])]))
    let batch = SpanBatch()
    return try request.withUnsafeBytes { bytes in
      try OTLPBatchDecoder.decode(bytes, into: batch)
      return try memtable.append(batch, arrivalNanoseconds: number)
    }
  }

  /// The spans that a reader sees, by id.
  private func visible() throws -> [UInt64] {
    try memtable.source().rows(of: TraceID(high: 1, low: 1)).flatMap { try $0.stripe.spanIDs($0.rows) }
  }

  @Test func `rows are visible from publishing on, in order`() throws {
    let first = try append(1)
    let second = try append(2)
    #expect(try visible() == [])
    memtable.publish(first)
    #expect(try visible() == [1])
    memtable.publish(second)
    #expect(try visible() == [1, 2])
  }

  @Test func `a snapshot stays as it was when more rows follow`() throws {
    memtable.publish(try append(1))
    let source = memtable.source()
    for number in 2...9000 as ClosedRange<UInt64> { memtable.publish(try append(number)) }
    let located = try source.rows(of: TraceID(high: 1, low: 1))
    #expect(try located.flatMap { try $0.stripe.spanIDs($0.rows) } == [1])
    #expect(try visible().count == 9000)
  }

  @Test func `discarding rows shows none of those whose fate is still open`() throws {
    let first = try append(1)
    let second = try append(2)
    let third = try append(3)
    memtable.discard(second)
    #expect(try visible() == [])
    memtable.discard(third)
    #expect(try visible() == [])
    memtable.publish(first)
    #expect(try visible() == [1])
    memtable.publish(try append(4))
    #expect(try visible() == [1, 4])
    // Returns at once: the fate of every row is known.
    memtable.waitUntilPublished()
  }

  @Test func `what stands in a live source is left out, whatever was discarded in between`() throws {
    memtable.publish(try append(1, trace: 1))
    memtable.discard(try append(2, trace: 2))
    memtable.publish(try append(3, trace: 3))
    let live = memtable.source()
    memtable.discard(try append(4, trace: 4))
    memtable.publish(try append(5, trace: 5))
    let selection = try SealSelection(memtable.source().view, live: [live])
    #expect(selection.rows == [4])
    #expect(selection.droppedCount == 2)
  }
}
