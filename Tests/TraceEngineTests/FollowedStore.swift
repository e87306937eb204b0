import TraceBytes
import TraceEngine
import TraceFiles
import TraceIngest
import TraceManifest
import TraceOTLP
import TraceQuery
import TraceSegment
import TraceWAL
import TracestoreTesting

/// A store that is written here, and what reads beside it.
struct FollowedStore {
  let files = SimulatedFileSystem(isDurabilityTracked: false)
  let writer: TraceStore

  init(_ options: StoreOptions = StoreOptions()) async throws {
    writer = try await TraceStore.open(in: files, at: "store", options: options)
  }

  /// A reader that has just been opened.
  func follower(readsAlone: Bool = true) throws -> LogFollower {
    let follower = LogFollower(
      fileSystem: files, directory: "store", logDirectory: "store/\(StoreLayout.walDirectoryName)",
      manifest: try ManifestStore.open(fileSystem: files, directory: "store", mode: .readOnly),
      cache: BlockCache(maximumByteCount: 1 << 20),
      parallel: { count, body in
        let threads = (0..<count).compactMap { index in try? WorkerThread(name: "test") { body(index) } }
        for thread in threads { thread.join() }
      },
      serialByteCount: readsAlone ? .max : 0)
    try follower.refresh()
    return follower
  }

  func logPath(_ name: String) -> String { "store/\(StoreLayout.walDirectoryName)/\(name)" }

  func lastLogFile() throws -> (path: String, bytes: [UInt8]) {
    let names = try files.contents(ofDirectory: "store/\(StoreLayout.walDirectoryName)")
    let path = logPath(names.filter { WALFormat.fileNumber($0) != nil }.max() ?? "")
    let file = try files.open(path, .read)
    return (path, try file.bytes(at: 0, byteCount: Int(file.byteCount())))
  }

  /// Changes a byte of a payload in the middle of the last file, and returns its path.
  func damageLog() throws -> String {
    var (path, bytes) = try lastLogFile()
    let frameByteCount = (bytes.count - WALFormat.fileHeaderByteCount) / 9
    bytes[WALFormat.fileHeaderByteCount + frameByteCount * 5 - 8] ^= 0xff
    try files.overwrite(path, with: bytes)
    return path
  }

  /// Appends frames as a writer would. The store must be closed.
  func appendToLog(_ payloads: [[UInt8]], kind: WALFrameKind = .request) throws {
    let manifest = try ManifestStore.open(fileSystem: files, directory: "store", mode: .readOnly)
    let storeID = manifest.current.settings.storeID
    let directory = "store/\(StoreLayout.walDirectoryName)"
    let report = try WALRecovery.run(fileSystem: files, directory: directory, storeID: storeID) { _ in }
    let log = try WALWriter(fileSystem: files, directory: directory, storeID: storeID, after: report)
    for payload in payloads {
      _ = try log.appendAndWait(try WALFrame(kind: kind, payload: payload, arrivalNanoseconds: 1))
    }
    try log.close()
  }
}

extension LogFollower {
  /// The spans of a trace as a query would return them.
  func records(of trace: TraceID) throws -> [ContentKey] {
    let live = try sources(of: [trace])
    let snapshot = QuerySnapshot(sources: live.memtables + live.segments, storeFingerprint: 0)
    var assembly = TraceAssembly(trace, in: snapshot, options: ReadOptions(isRaw: true), nowNanoseconds: 0)
    var records: [ContentKey] = []
    while let chunk = assembly.next() { chunk.data.forEachSpan { records.append(ContentKey($0, $1, $2)) } }
    return records
  }
}

extension TraceData {
  static func spans(_ spans: [SpanRecord]) -> TraceData {
    TraceData(resourceSpans: [ResourceSpans(resource: Resource(), scopeSpans: [ScopeSpans(spans: spans)])])
  }

  var encoded: [UInt8] { OTLP.encode(self) }
}

extension TraceID {
  init(bytes: [UInt8]) {
    func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
    self.init(high: word(bytes[..<8]), low: word(bytes[8...]))
  }

  var bytes: [UInt8] {
    [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
  }
}
