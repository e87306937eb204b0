import TraceModel

/// A span before its attributes are drawn. Times are nanoseconds since the start of the window.
struct TrafficSpan {
  var start: Int64
  var end: Int64
  /// Which trace of the chunk.
  var trace: Int32
  /// Which span of the chunk, or −1 for a root.
  var parent: Int32
  var operation: Int32
  var resource: Int32
  var scope: UInt8
  var level: UInt8
  var isError: Bool
}

/// What the spans of a trace share. The uniform shape has no use for it.
struct TraceFacts {
  /// Decides which instance of each service the trace meets.
  var placement: UInt64
  var user: Int
  var entity: Int
  var userAgent: Int
  var address: Int
}

/// About 100,000 spans of whole traces that start in one slice of the window.
///
/// A chunk depends on the seed and its index alone, so the last one can be made first to learn where the window ends.
final class TrafficChunk {
  let index: Int
  /// The number of the chunk's first span among all spans.
  let firstSpan: Int
  let spans: [TrafficSpan]
  let facts: [TraceFacts]
  let traceCount: Int
  /// Span indices by end time, ties by index.
  let order: [Int32]

  init(index: Int, firstSpan: Int, spans: [TrafficSpan], facts: [TraceFacts], traceCount: Int) {
    self.index = index
    self.firstSpan = firstSpan
    self.spans = spans
    self.facts = facts
    self.traceCount = traceCount
    order = spans.withUnsafeBufferPointer { spans in
      var order = [Int32](0..<Int32(spans.count))
      order.sort { left, right in
        let a = spans[Int(left)].end
        let b = spans[Int(right)].end
        return a != b ? a < b : left < right
      }
      return order
    }
  }

  /// The greatest end of a span, or zero without spans.
  var lastEnd: Int64 { order.last.map { spans[Int($0)].end } ?? 0 }
}

/// How spans are split into chunks, and where each chunk's traces start.
struct TrafficPlan {
  static let chunkSpanCount = 100_000
  /// No trace lasts longer: that many nanoseconds after a slice has ended, nothing of it is left.
  static let maximumTraceNanoseconds: Int64 = 600 * 1_000_000_000

  let spanCount: Int
  let seed: UInt64
  let windowNanoseconds: Int64

  var chunkCount: Int {
    spanCount == 0 ? 0 : Swift.max(1, (spanCount + Self.chunkSpanCount / 2) / Self.chunkSpanCount)
  }

  func spanRange(ofChunk index: Int) -> Range<Int> {
    share(of: spanCount, index)..<share(of: spanCount, index + 1)
  }

  /// The chunk's even share of the window begins here.
  func sliceStart(ofChunk index: Int) -> Int64 { Int64(share(of: Int(windowNanoseconds), index)) }

  private func share(of total: Int, _ index: Int) -> Int {
    let (quotient, remainder) = total.quotientAndRemainder(dividingBy: chunkCount)
    return quotient * index + remainder * index / chunkCount
  }

  /// How many chunks at the end may hold the span that ends last.
  var lateChunkCount: Int {
    let slice = Swift.max(1, windowNanoseconds / Int64(Swift.max(1, chunkCount)))
    return Swift.min(chunkCount, 1 + Int(Self.maximumTraceNanoseconds / slice))
  }
}

/// One shape of traffic: makes skeletons chunk by chunk and fills in single spans.
protocol TrafficSource {
  var resources: [Resource] { get }
  var scopes: [InstrumentationScope] { get }
  func chunk(at index: Int) -> TrafficChunk
  /// Every span of the chunk and of all later ones ends after this.
  func start(ofChunk index: Int) -> Int64
  /// The record of one span; `origin` is the start of the window in nanoseconds since 1970.
  func record(_ index: Int, of chunk: TrafficChunk, origin: UInt64) -> SpanRecord
}

/// Ids that are unique by construction: a bijection of the span's (or its trace's) number, keyed by the seed.
struct TrafficIdentities {
  private let spanKey: UInt64
  private let traceHighKey: UInt64
  private let traceLowKey: UInt64

  init(seed: UInt64) {
    var random = TrafficRandom(seed: seed, purpose: 1, index: 0)
    spanKey = random.next()
    traceHighKey = random.next()
    traceLowKey = random.next()
  }

  func spanID(_ index: Int, of chunk: TrafficChunk) -> SpanID {
    SpanID(TrafficRandom.identity(key: spanKey, index: UInt64(chunk.firstSpan + index)))
  }

  /// A chunk has no more traces than spans, so the number of its first span keeps traces of different chunks apart.
  func traceID(_ index: Int, of chunk: TrafficChunk) -> TraceID {
    let number = UInt64(chunk.firstSpan + index)
    return TraceID(
      high: TrafficRandom.identity(key: traceHighKey, index: number),
      low: TrafficRandom.identity(key: traceLowKey, index: number))
  }
}
