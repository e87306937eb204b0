import TraceBytes
import TraceColumns
import TraceFiles
import TraceIngest
import TraceModel
import TraceOTLP
import TraceSegment
import TraceWAL
import TracestoreTesting

/// Measures the inner loops that the outside package of benchmarks cannot see. Not a product.
///
/// Every line is the median of several runs over one corpus, on one thread.
@main
struct Kernels {
  static func main() throws {
    let spanCount = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 100_000
    let corpus = Corpus(spanCount: spanCount)
    print("corpus: realistic, seed 1, \(spanCount) spans, \(corpus.byteCount / spanCount) bytes a span")
    measure("decode into a batch", spanCount) {
      let batch = SpanBatch()
      for request in corpus.requests {
        try request.withUnsafeBytes { try OTLPBatchDecoder.decode($0, into: batch) }
        batch.removeAll()
      }
    }
    measure("decode and append to a memtable", spanCount) { _ = try corpus.memtable() }
    measure("make log frames (LZ4, checksum)", spanCount) {
      for request in corpus.requests {
        _ = try WALFrame(kind: .request, payload: request, arrivalNanoseconds: 0)
      }
    }
    var checksum: UInt32 = 0
    measure("checksum the requests", spanCount) {
      for request in corpus.requests { checksum ^= CRC32C.checksum(request) }
    }
    let logged = try corpus.log()
    measure("read the log back into a memtable", spanCount) {
      var replay = LogReplay(
        IngestOptions(sealRowCount: .max, sealByteCount: .max, stripeRowCount: 1 << 15, isZeroEndOpen: true))
      _ = try WALRecovery.run(fileSystem: logged.files, directory: "wal", storeID: logged.storeID) { record in
        _ = try replay.append(record) { _ in }
      }
    }
    let memtable = try corpus.memtable()
    let view = memtable.source().view
    measure("choose what to seal", spanCount) { _ = try SealSelection(view, live: []) }
    let selection = try SealSelection(view, live: [])
    measure("write a segment", spanCount) {
      let files = SimulatedFileSystem(isDurabilityTracked: false)
      let file = try files.open("segment", .create)
      let statistics = try SegmentWriter.write(
        view, rows: selection.rows, partialRows: selection.partialRows, options: SegmentOptions(), to: file)
      lastByteCount = statistics.byteCount
    }
    print("segment: \(Double(lastByteCount) / Double(spanCount)) bytes a span")
  }

  nonisolated(unsafe) private static var lastByteCount: UInt64 = 0

  private static func measure(_ name: String, _ count: Int, _ body: () throws -> Void) {
    var times: [UInt64] = []
    do {
      for _ in 0..<5 {
        let start = monotonicNanoseconds()
        try body()
        times.append(monotonicNanoseconds() - start)
      }
    } catch {
      print("\(name): failed: \(error)")
      return
    }
    times.sort()
    let median = times[times.count / 2]
    let padded = name + String(repeating: " ", count: max(0, 34 - name.count))
    print("\(padded) \(median / UInt64(count)) ns a span, \(UInt64(count) * 1_000_000 / max(1, median / 1000)) spans/s")
  }
}

/// Requests of 512 spans, encoded once.
private struct Corpus {
  let requests: [[UInt8]]

  init(spanCount: Int) {
    requests = TrafficGenerator(shape: .realistic, spanCount: spanCount, seed: 1).map { OTLP.encode($0) }
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
}
