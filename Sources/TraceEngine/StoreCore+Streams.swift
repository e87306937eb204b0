import Synchronization
import TraceModel
import TraceQuery
import TraceSource
import TracestoreV2

/// Makes the elements of an answer, a few at a time.
protocol ElementMaker: Sendable {
  associatedtype Element: Sendable
  /// Of what was made so far.
  var summary: ResultSummary { get }
  /// Whether nothing is left to be made, as far as is known without looking.
  var isAtEnd: Bool { get }
  /// The next elements; none at the end.
  mutating func makeNext() -> [Element]
}

// Answers as streams. A trace costs less than the way to a reader thread and back: one way serves the question and the
// first elements, further ones a batch each, and the end costs none.
extension StoreCore {
  /// The elements of the answer to a question, as they are asked for. The stream keeps `store` open.
  ///
  /// - Parameter traces: those that it is about; nil for all.
  func stream<Maker: ElementMaker>(
    of traces: [TraceID]? = nil, for store: TraceStore, _ answer: @escaping @Sendable (QuerySnapshot) throws -> Maker
  ) async throws -> ResultStream<Maker.Element> {
    Self.stream(try await read(of: traces) { try Self.started(answer($0)) }, for: store)
  }

  /// The chunks of traces, as they are asked for. The stream keeps `store` open.
  func chunks(
    of traces: [TraceID], _ options: ReadOptions, for store: TraceStore
  ) async throws -> ResultStream<TraceChunk> {
    let now = self.options.clock()
    return try await stream(of: traces, for: store) { snapshot in
      ChunkMaker(traces, in: snapshot, options, now, ResultSummary(damage: snapshot.damage))
    }
  }

  private struct Started<Maker: ElementMaker>: Sendable {
    var ready: ArraySlice<Maker.Element>
    var maker: Maker

    mutating func next() -> Maker.Element? {
      if ready.isEmpty { ready = maker.makeNext()[...] }
      return ready.popFirst()
    }
  }

  private static func started<Maker: ElementMaker>(_ maker: Maker) -> Started<Maker> {
    var maker = maker
    let first = maker.makeNext()
    return Started(ready: first[...], maker: maker)
  }

  private static func stream<Maker: ElementMaker>(
    _ started: Started<Maker>, for store: TraceStore
  ) -> ResultStream<Maker.Element> {
    let progress = Mutex(started)
    return ResultStream(
      next: {
        let (element, isAtEnd) = progress.withLock { progress in
          let element = progress.ready.popFirst()
          return (element, element == nil && progress.maker.isAtEnd)
        }
        if element != nil || isAtEnd { return element }
        return try await store.core.readers.run { progress.withLock { $0.next() } }
      },
      summary: { progress.withLock { $0.maker.summary } })
  }
}

extension QuerySnapshot {
  /// The traces that a query finds, with what could not be read before it began.
  func search(_ query: TraceQuery) throws -> TraceSearch.Page {
    var page = try TraceSearch(query, in: self).run()
    page.summary.add(damage: damage)
    return page
  }
}

/// The chunks of traces in their order.
struct ChunkMaker: ElementMaker {
  private let traces: [TraceID]
  private let snapshot: QuerySnapshot
  private let options: ReadOptions
  private let nowNanoseconds: UInt64
  private(set) var summary: ResultSummary
  private var nextTrace = 0
  private var assembly: TraceAssembly?
  private var rowByteCount = TraceAssembly.firstRowByteCount

  init(
    _ traces: [TraceID], in snapshot: QuerySnapshot, _ options: ReadOptions, _ nowNanoseconds: UInt64,
    _ summary: ResultSummary
  ) {
    self.traces = traces
    self.snapshot = snapshot
    self.options = options
    self.nowNanoseconds = nowNanoseconds
    self.summary = summary
  }

  /// Spans that are enough for one way: those of a chunk of a large trace, or of many small ones. So are bytes: what waits
  /// to be taken is held by each stream.
  private static let batchSpanCount = 1024
  private static let batchByteCount = TraceAssembly.maximumChunkByteCount

  var isAtEnd: Bool { assembly == nil && nextTrace == traces.count }

  mutating func makeNext() -> [TraceChunk] {
    var chunks: [TraceChunk] = []
    var (spanCount, byteCount) = (0, 0)
    while spanCount < Self.batchSpanCount, byteCount < Self.batchByteCount {
      if assembly == nil {
        guard nextTrace < traces.count else { break }
        assembly = TraceAssembly(
          traces[nextTrace], in: snapshot, options: options, nowNanoseconds: nowNanoseconds,
          rowByteCount: rowByteCount)
        nextTrace += 1
      }
      if let chunk = assembly?.next() {
        spanCount += chunk.data.spanCount
        byteCount += assembly?.chunkByteCount ?? 0
        chunks.append(chunk)
      }
      if let assembly, assembly.isAtEnd {
        summary.add(damage: assembly.damage)
        // Spans of another trace may be larger, and are not likely to be smaller.
        rowByteCount = max(assembly.rowByteCount, TraceAssembly.firstRowByteCount)
        self.assembly = nil
      }
    }
    return chunks
  }
}

/// What `make` makes of each trace, in their order.
struct TraceMaker<Element: Sendable>: ElementMaker {
  private let traces: [TraceID]
  private let snapshot: QuerySnapshot
  private let rows: [TraceID: FoundRow]
  private let make: @Sendable (TraceID, FoundRow?, QuerySnapshot, inout [String]) -> Element?
  private(set) var summary: ResultSummary
  private var nextTrace = 0

  init(
    _ page: TraceSearch.Page, in snapshot: QuerySnapshot,
    _ make: @escaping @Sendable (TraceID, FoundRow?, QuerySnapshot, _ damage: inout [String]) -> Element?
  ) {
    traces = page.traces
    rows = page.rows
    self.snapshot = snapshot
    self.make = make
    summary = page.summary
  }

  /// Traces that are enough for one way.
  private static var batchCount: Int { 32 }

  var isAtEnd: Bool { nextTrace == traces.count }

  mutating func makeNext() -> [Element] {
    var made: [Element] = []
    while made.isEmpty, nextTrace < traces.count {
      let batch = Array(traces[nextTrace..<min(nextTrace + Self.batchCount, traces.count)])
      nextTrace += batch.count
      var damage: [String] = []
      made = zip(batch, snapshot.narrowed(to: batch)).compactMap { make($0, rows[$0], $1, &damage) }
      summary.add(damage: damage)
    }
    return made
  }
}
