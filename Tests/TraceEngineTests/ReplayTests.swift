import Testing
import TraceBytes
import TraceColumns
import TraceFiles
import TraceIngest
import TraceModel
import TraceOTLP
import TraceWAL
import TracestoreTesting

/// A log that is read back on several threads.
@Suite struct ReplayTests {
  private static let storeID = StoreID(first: 1, second: 2)

  /// Enough of them that the first thread does not read all alone.
  private static let requests: [[UInt8]] =
    TrafficGenerator(shape: .realistic, spanCount: 6_000, seed: 5, requestSpanCount: 64).map { OTLP.encode($0) }

  private static func log(_ payloads: [[UInt8]]) throws -> SimulatedFileSystem {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let report = try WALRecovery.run(fileSystem: files, directory: "wal", storeID: storeID) { _ in }
    let writer = try WALWriter(
      fileSystem: files, directory: "wal", storeID: storeID, after: report, options: WALOptions(durability: .none))
    for payload in payloads {
      try writer.append(try WALFrame(kind: .request, payload: payload, arrivalNanoseconds: 1)) { _ in }
    }
    try writer.close()
    return files
  }

  private static func replay() -> LogReplay {
    LogReplay(IngestOptions(sealRowCount: 1_000, sealByteCount: .max, stripeRowCount: 64, isZeroEndOpen: true))
  }

  /// What stands in the memtables, in the order in which they were filled.
  private final class Filled: Sendable {
    let spans = Monitor<[[UInt64]]>([])

    func note(_ memtable: Memtable) {
      let view = memtable.source().view
      spans.withLock { $0.append((0..<view.rows.count).map { view.rows[$0].spanID }) }
    }
  }

  private static func inParallel(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let threads = (0..<count).compactMap { index in try? WorkerThread(name: "test") { body(index) } }
    for thread in threads { thread.join() }
  }

  @Test func `rows come back in the order of the log, sealed where one thread would seal them`() throws {
    try #require(Self.requests.reduce(0) { $0 + $1.count } > 2 << 20)
    let files = try Self.log(Self.requests)
    var alone = Self.replay()
    let filledAlone = Filled()
    let aloneReport = try WALRecovery.run(fileSystem: files, directory: "wal", storeID: Self.storeID) { record in
      _ = try alone.append(record) { filledAlone.note($0) }
    }
    filledAlone.note(alone.memtable)
    var together = Self.replay()
    let filledTogether = Filled()
    let report = try WALRecovery.run(
      fileSystem: files, directory: "wal", storeID: Self.storeID,
      readingAll: { reader in
        let counts = try together.appendAll(of: &reader, parallel: Self.inParallel) { filledTogether.note($0) }
        #expect(counts.rowCount == 6_000)
        return counts.frameCount
      })
    filledTogether.note(together.memtable)
    #expect(report.frameCount == Self.requests.count && report.lastSequence == aloneReport.lastSequence)
    #expect(filledTogether.spans.withLock { $0 } == filledAlone.spans.withLock { $0 })
  }

  @Test func `the first frame that cannot be applied ends the replay, and no later one is appended`() throws {
    var payloads = Self.requests
    let bad = payloads.count * 3 / 4
    // No request, and the one behind it neither: which is met first must not depend on the threads.
    payloads[bad] = [0x0a, 0xff]
    payloads[bad + 1] = [0x0a, 0xff, 0x01]
    let files = try Self.log(payloads)
    for _ in 0..<8 {
      var replay = LogReplay(
        IngestOptions(sealRowCount: .max, sealByteCount: .max, stripeRowCount: 64, isZeroEndOpen: true))
      let memtable = replay.memtable
      #expect(throws: (any Error).self) {
        _ = try WALRecovery.run(
          fileSystem: files, directory: "wal", storeID: Self.storeID,
          readingAll: { reader in
            try replay.appendAll(of: &reader, parallel: Self.inParallel) { _ in }.frameCount
          })
      }
      var expected = 0
      for payload in Self.requests[..<bad] { expected += try OTLP.decode(payload).spanCount }
      #expect(memtable.rowCount == expected)
    }
  }
}
