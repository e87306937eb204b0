import TraceAggregate
import TraceBytes
import TraceColumns
import TraceFiles
import TraceFilter
import TraceIngest
import TraceModel
import TraceOTLP
import TraceQuery
import TraceSegment
import TraceWAL
import TracestoreTesting
import TracestoreV2

/// Measures the inner loops that the outside package of benchmarks cannot see. Not a product.
///
///     tracestore-kernels [SPANS]             every kernel, the median of five runs over one corpus, on one thread
///     tracestore-kernels SPANS --once NAME   one run of one kernel, all of it inside `measured()`, so that
///                                            callgrind can count its instructions (`Benchmarks/guard`)
///     tracestore-kernels --list              the names
@main
struct Kernels {
  static func main() throws {
    var arguments = CommandLine.arguments.dropFirst()
    if arguments.first == "--list" {
      for kernel in Kernel.allCases { print(kernel.rawValue) }
      return
    }
    let spanCount = arguments.popFirst().flatMap { Int($0) } ?? 100_000
    let corpus = Corpus(spanCount: spanCount)
    if arguments.popFirst() == "--once" {
      let name = arguments.popFirst() ?? ""
      guard let kernel = Kernel(rawValue: name) else {
        throw TracestoreError(.invalidArgument, "there is no kernel \"\(name)\"; see --list")
      }
      measuredBody = try kernel.prepared(corpus)
      return try measured()
    }
    print("corpus: realistic, seed 1, \(spanCount) spans, \(corpus.byteCount / spanCount) bytes a span")
    for kernel in Kernel.allCases {
      do {
        if let scan = try kernel.scan(corpus) {
          measure(kernel, scan: scan.byteCount, scan.body)
        } else {
          measure(kernel, spanCount, try kernel.prepared(corpus))
        }
      } catch {
        print("\(kernel.rawValue): failed: \(error)")
      }
    }
  }

  private static func measure(_ kernel: Kernel, _ count: Int, _ body: () throws -> Void) {
    guard let median = median(kernel, body) else { return }
    let tenths = median * 10 / UInt64(kernel.unitCount ?? count)
    let figure = tenths < 1000 ? "\(tenths / 10).\(tenths % 10)" : "\(tenths / 10)"
    print("\(kernel.heading) \(figure) ns a \(kernel.unitCount == nil ? "span" : "question")")
  }

  private static func measure(_ kernel: Kernel, scan byteCount: Int, _ body: () throws -> Void) {
    guard let median = median(kernel, body) else { return }
    let hundredths = UInt64(byteCount) * 100 / max(1, median)
    print("\(kernel.heading) \(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100) GB/s")
  }

  /// Of five runs, in nanoseconds.
  private static func median(_ kernel: Kernel, _ body: () throws -> Void) -> UInt64? {
    var times: [UInt64] = []
    do {
      for _ in 0..<5 {
        let start = monotonicNanoseconds()
        try body()
        times.append(monotonicNanoseconds() - start)
      }
    } catch {
      print("\(kernel.rawValue): failed: \(error)")
      return nil
    }
    times.sort()
    return times[times.count / 2]
  }
}

/// What `measured` runs. Set once, before it runs.
nonisolated(unsafe) private var measuredBody: () throws -> Void = {}

/// The frame that instruction counts begin and end with.
@inline(never)
func measured() throws { try measuredBody() }

/// An inner loop, by the name that the guards know it by.
enum Kernel: String, CaseIterable {
  case decode, append, frame, checksum, replay, select, write, open, trace, cold, service, attribute, nothing
  case pattern, shorts, figures, histogram, latencies

  var heading: String {
    let padded = rawValue + String(repeating: " ", count: max(0, 10 - rawValue.count)) + meaning
    return padded + String(repeating: " ", count: max(0, 52 - padded.count))
  }

  var meaning: String {
    switch self {
    case .decode: "requests into batches"
    case .append: "and into a memtable"
    case .frame: "log frames: LZ4 and checksum"
    case .checksum: "of the requests"
    case .replay: "a log into a memtable"
    case .select: "what to seal"
    case .write: "a segment"
    case .open: "a segment, and ask it for a service"
    case .trace: "by id, every span of it"
    case .cold: "the same, from stripes that were not read yet"
    case .service: "newest 20 traces of a service"
    case .attribute: "newest 20 traces with a value at any level"
    case .nothing: "a value that is nowhere"
    case .pattern: "patterns over free text"
    case .shorts: "patterns over short texts"
    case .figures: "count, sum, shortest and longest of durations"
    case .histogram: "of durations"
    case .latencies: "p95 by operation and minute, all services"
    }
  }

  /// How many questions one run asks; nil when what counts is spans, or bytes.
  var unitCount: Int? {
    switch self {
    case .decode, .append, .frame, .checksum, .replay, .select, .write, .pattern, .shorts: nil
    case .figures, .histogram, .latencies: nil
    case .open: 1
    case .trace, .cold, .service, .attribute, .nothing: Self.questionCount
    }
  }

  private static let questionCount = 64

  /// Makes what the kernel works on, and returns the part that counts.
  fileprivate func prepared(_ corpus: Corpus) throws -> () throws -> Void {
    switch self {
    case .decode:
      return {
        let batch = SpanBatch()
        for request in corpus.requests {
          try request.withUnsafeBytes { try OTLPBatchDecoder.decode($0, into: batch) }
          batch.removeAll()
        }
      }
    case .append: return { _ = try corpus.memtable() }
    case .frame:
      return {
        for request in corpus.requests {
          _ = try WALFrame(kind: .request, payload: request, arrivalNanoseconds: 0)
        }
      }
    case .checksum:
      return {
        var checksum: UInt32 = 0
        for request in corpus.requests { checksum ^= CRC32C.checksum(request) }
        if checksum == 1 { print("a checksum of one") }
      }
    case .replay:
      let logged = try corpus.log()
      return {
        var replay = LogReplay(
          IngestOptions(sealRowCount: .max, sealByteCount: .max, stripeRowCount: 1 << 15, isZeroEndOpen: true))
        _ = try WALRecovery.run(fileSystem: logged.files, directory: "wal", storeID: logged.storeID) { record in
          _ = try replay.append(record) { _ in }
        }
      }
    case .select:
      let view = try corpus.memtable().source().view
      return { _ = try SealSelection(view, live: []) }
    case .write:
      let memtable = try corpus.memtable()
      return { _ = try corpus.write(memtable) }
    case .open:
      let files = try corpus.write(corpus.memtable())
      return { try Self.ask(TraceQuery(serviceName: "frontend-web", limit: 20), corpus.segment(in: files)) }
    case .trace, .cold:
      let cache = BlockCache(maximumByteCount: 256 << 20)
      let segment = try corpus.segment(in: corpus.write(corpus.memtable()), cache)
      let traces = corpus.traces(count: Self.questionCount)
      return {
        for trace in traces {
          if self == .cold { cache.removeBlocks(ofFile: segment.number) }
          var assembly = TraceAssembly(trace, in: Self.snapshot(segment), options: ReadOptions(), nowNanoseconds: 0)
          while assembly.next() != nil {}
        }
      }
    case .figures:
      let durations = try corpus.durations()
      return {
        var figures = CallFigures()
        durations.withUnsafeBufferPointer { figures.update($0, errorCount: 0) }
        if figures.callCount == 1 { print("a call") }
      }
    case .histogram:
      let durations = try corpus.durations()
      return {
        var histogram = DurationHistogram()
        durations.withUnsafeBufferPointer { histogram.update($0) }
        if histogram.count == 1 { print("a call") }
      }
    case .latencies:
      let segment = try corpus.segment(in: corpus.write(corpus.memtable()))
      let query = MetricsQuery(
        serviceNames: [], groups: [.operation], spanKinds: [], end: .maximum, lookbackNanoseconds: .max, quantile: 0.95)
      return {
        let snapshot = Self.snapshot(segment)
        _ = try MetricsSearch(.latencies, query, in: snapshot) { count, body in (0..<count).forEach(body) }.run()
      }
    case .service: return try asking(corpus) { _ in TraceQuery(serviceName: "cart-service", limit: 20) }
    case .attribute:
      let users = corpus.values(of: "enduser.id", count: Self.questionCount)
      return try asking(corpus) { TraceQuery(attributes: [Attribute("enduser.id", users[$0])], limit: 20) }
    case .nothing:
      return try asking(corpus) {
        TraceQuery(attributes: [Attribute("enduser.id", .string("nobody-\($0)"))], limit: 20)
      }
    case .pattern, .shorts: return try scan(corpus)?.body ?? {}
    }
  }

  /// Looks for patterns in texts of the corpus, and says in how many bytes; nil for kernels that do something else.
  fileprivate func scan(_ corpus: Corpus) throws -> (byteCount: Int, body: () throws -> Void)? {
    let patterns: [String]
    let texts: [[UInt8]]
    switch self {
    case .pattern:
      patterns = ["timed? ?out", "FROM [a-z_]+ WHERE", "nowhere/[0-9]{12}", "[a-f0-9]{8}-dead"]
      texts = corpus.texts(of: ["db.query.text", "url.full", "exception.message", "exception.stacktrace"])
    case .shorts:
      patterns = ["GET /[a-z]+/\\{", "orders?/", "cart|ledger", "[0-9]{6}"]
      texts = corpus.texts(of: ["http.route", "http.request.method", "enduser.id", "server.address"])
    default: return nil
    }
    let matchers = try patterns.map { try TextPattern($0).makeMatcher() }
    return (
      patterns.count * texts.reduce(0) { $0 + $1.count },
      {
        var foundCount = 0
        for matcher in matchers {
          for text in texts where text.withUnsafeBytes({ matcher.matches($0) }) { foundCount += 1 }
        }
        if foundCount == 0 { print("no pattern was found") }
      }
    )
  }

  private func asking(_ corpus: Corpus, _ query: @escaping (Int) -> TraceQuery) throws -> () throws -> Void {
    let segment = try corpus.segment(in: corpus.write(corpus.memtable()))
    return {
      for question in 0..<Self.questionCount { try Self.ask(query(question), segment) }
    }
  }

  private static func snapshot(_ segment: Segment) -> QuerySnapshot {
    QuerySnapshot(sources: [segment], storeFingerprint: 0)
  }

  private static func ask(_ query: TraceQuery, _ segment: Segment) throws {
    let snapshot = snapshot(segment)
    var damage: [String] = []
    let page = try TraceSearch(query, in: snapshot).run()
    for (trace, narrowed) in zip(page.traces, snapshot.narrowed(to: page.traces)) {
      _ = FoundTrace.assemble(trace, around: page.rows[trace], in: narrowed, damage: &damage)
    }
  }
}

/// Requests of 512 spans, encoded once.
private struct Corpus {
  private let spanCount: Int
  let requests: [[UInt8]]

  init(spanCount: Int) {
    self.spanCount = spanCount
    requests = Self.traffic(spanCount).map { OTLP.encode($0) }
  }

  private static func traffic(_ spanCount: Int) -> TrafficGenerator {
    TrafficGenerator(shape: .realistic, spanCount: spanCount, seed: 1)
  }

  var byteCount: Int { requests.reduce(0) { $0 + $1.count } }

  /// A log of all requests, in memory.
  func log() throws -> (files: SimulatedFileSystem, storeID: StoreID) {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let storeID = StoreID(first: 1, second: 2)
    let report = try WALRecovery.run(fileSystem: files, directory: "wal", storeID: storeID) { _ in }
    let writer = try WALWriter(
      fileSystem: files, directory: "wal", storeID: storeID, after: report, options: WALOptions(durability: .none))
    for request in requests {
      try writer.append(try WALFrame(kind: .request, payload: request, arrivalNanoseconds: 1)) { _ in }
    }
    try writer.close()
    return (files, storeID)
  }

  func memtable() throws -> Memtable {
    let memtable = Memtable(endZeroMeansOpen: true)
    let batch = SpanBatch()
    for request in requests {
      try request.withUnsafeBytes { bytes in
        try OTLPBatchDecoder.decode(bytes, into: batch)
        memtable.publish(try memtable.append(batch, arrivalNanoseconds: 1))
      }
      batch.removeAll()
    }
    return memtable
  }

  /// Of all spans, as they come.
  func durations() throws -> [UInt64] {
    let rows = try memtable().source().view.rows
    return (0..<rows.count).map { rows[$0].durationNanoseconds }
  }

  /// A file system whose only file is a segment of the memtable.
  func write(_ memtable: Memtable) throws -> SimulatedFileSystem {
    let view = memtable.source().view
    let selection = try SealSelection(view, live: [])
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let file = try files.open("segment", .create)
    _ = try SegmentWriter.write(
      view, rows: selection.rows, partialRows: selection.partialRows, options: SegmentOptions(), to: file)
    return files
  }

  func segment(
    in files: SimulatedFileSystem, _ cache: BlockCache = BlockCache(maximumByteCount: 256 << 20)
  ) throws -> Segment {
    try Segment.open(file: files.open("segment", .read), number: 1, path: "segment", cache: cache)
  }

  /// Values of a key, as they come; the first again and again when there are too few.
  func values(of key: String, count: Int) -> [AttributeValue] {
    var values: [AttributeValue] = []
    for batch in Self.traffic(spanCount) where values.count < count {
      batch.forEachSpan { _, _, span in
        for attribute in span.attributes where attribute.key == key { values.append(attribute.value) }
      }
    }
    return (0..<count).map { values.isEmpty ? .absent : values[$0 % values.count] }
  }

  /// The texts of some keys of spans and events, as they come.
  func texts(of keys: Set<String>) -> [[UInt8]] {
    var texts: [[UInt8]] = []
    for batch in Self.traffic(spanCount) {
      batch.forEachSpan { _, _, span in
        for attribute in span.attributes + span.events.flatMap(\.attributes) where keys.contains(attribute.key) {
          if case .string(let text) = attribute.value { texts.append(Array(text.utf8)) }
        }
      }
    }
    return texts
  }

  /// Traces all over the corpus, of up to 64 spans: the few with thousands would hide what the others cost.
  func traces(count: Int) -> [TraceID] {
    var traces: [TraceID] = []
    var spanCounts: [TraceID: Int] = [:]
    let batch = SpanBatch()
    for request in requests {
      request.withUnsafeBytes { bytes in
        try? OTLPBatchDecoder.decode(bytes, into: batch)
        for span in batch.spans {
          let trace = TraceID(high: span.traceHigh, low: span.traceLow)
          if spanCounts.updateValue(spanCounts[trace, default: 0] + 1, forKey: trace) == nil { traces.append(trace) }
        }
      }
      batch.removeAll()
    }
    traces.removeAll { spanCounts[$0, default: 0] > 64 }
    return (0..<count).map { traces[$0 * traces.count / count] }
  }
}
