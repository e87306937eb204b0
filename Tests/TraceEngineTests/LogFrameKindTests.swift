import Testing
import TraceEngine
import TraceFiles
import TraceIngest
import TraceInspect
import TraceManifest
import TraceModel
import TraceOTLP
import TraceWAL

/// Frames that the format has numbers for and that nothing here can apply.
@Suite struct LogFrameKindTests {
  private static let trace = TraceID(high: 1, low: 2)

  private static func payload(_ id: UInt64) -> [UInt8] {
    TraceData.spans([
      SpanRecord(
        traceID: trace, spanID: SpanID(id), name: "work", kind: .server, start: Timestamp(nanoseconds: 1),
        end: Timestamp(nanoseconds: 2))
    ]).encoded
  }

  /// A closed store whose log has a frame of a kind between two requests, and where that frame stands.
  private static func store(_ kind: WALFrameKind) async throws -> (FollowedStore, path: String, offset: UInt64) {
    let store = try await FollowedStore()
    try await store.writer.close()
    try store.appendToLog([payload(1)])
    try store.appendToLog([[1, 2, 3]], kind: kind)
    try store.appendToLog([payload(2)])
    var reader = try WALReader(
      fileSystem: store.files, directory: store.logPath(""), storeID: nil, mode: .everything)
    while let record = try reader.next() {
      if record.kind == kind { return (store, record.path, record.offset) }
    }
    throw TracestoreError(.notFound, "the frame is not in the log")
  }

  private static func isRefusal(_ error: any Error, _ path: String, _ offset: UInt64) -> Bool {
    guard let error = error as? TracestoreError, let place = error.path else { return false }
    let name = path.split(separator: "/").last ?? ""
    return error.code == .unsupportedFormat && place.hasSuffix(name) && error.offset == offset
  }

  private static func logBytes(_ store: FollowedStore) throws -> [[UInt8]] {
    let names = try store.files.contents(ofDirectory: store.logPath(""))
    return try names.filter { WALFormat.fileNumber($0) != nil }.sorted().map { name in
      let file = try store.files.open(store.logPath(name), .read)
      return try file.bytes(at: 0, byteCount: Int(file.byteCount()))
    }
  }

  @Test(arguments: 2...5 as ClosedRange<UInt8>)
  func `a writer refuses a log with a frame it cannot apply, names its place and leaves the log alone`(
    _ kind: UInt8
  ) async throws {
    let (store, path, offset) = try await Self.store(WALFrameKind(rawValue: kind))
    let before = try Self.logBytes(store)
    await #expect {
      _ = try await TraceStore.open(in: store.files, at: "store", options: StoreOptions())
    } throws: {
      Self.isRefusal($0, path, offset)
    }
    #expect(try Self.logBytes(store) == before)
  }

  @Test(arguments: 2...5 as ClosedRange<UInt8>, [true, false])
  func `a reader refuses a frame it cannot apply at every question, for one trace and for all`(
    _ kind: UInt8, _ readsAlone: Bool
  ) async throws {
    let (store, path, offset) = try await Self.store(WALFrameKind(rawValue: kind))
    let follower = try store.follower(readsAlone: readsAlone)
    for _ in 0..<2 {
      #expect { _ = try follower.records(of: Self.trace) } throws: { Self.isRefusal($0, path, offset) }
      #expect { _ = try follower.sources() } throws: { Self.isRefusal($0, path, offset) }
    }
  }
  @Test(arguments: 2...5 as ClosedRange<UInt8>)
  func `an inspection names a frame that no reader can apply, and the frames around it`(_ kind: UInt8) async throws {
    let (store, path, offset) = try await Self.store(WALFrameKind(rawValue: kind))
    let explanation = try Inspector(fileSystem: store.files).explain(path)
    #expect(explanation.anyNewerFormat)
    #expect(explanation.allDamages.map(\.offset) == [offset])
    let report = try StoreVerifier("store", fileSystem: store.files).run(isDeep: false)
    #expect(report.isNewerFormat)
    #expect(report.damages.map(\.offset) == [offset])
  }
}
