import Foundation
import Testing
import TraceFiles
import TraceModel
import TraceWAL

@Suite struct WALRealDiskTests {
  @Test func theLogWorksOnTheMachinesOwnDisk() throws {
    let fileSystem = RealFileSystem()
    let path = joinedPath(FileManager.default.temporaryDirectory.path, "tracestore-wal-\(UUID())")
    defer { try? FileManager.default.removeItem(atPath: path) }
    func run(_ body: (WALRecord) throws -> Void = { _ in }) throws -> WALRecoveryReport {
      try WALRecovery.run(fileSystem: fileSystem, directory: path, storeID: storeID, body)
    }
    let writer = try WALWriter(fileSystem: fileSystem, directory: path, storeID: storeID, after: try run())
    let outcomes = Outcomes()
    let threads = try (0..<8).map { thread in
      try WorkerThread(name: "producer") {
        for step in 0..<8 {
          do {
            try writer.append(frame(thread * 8 + step, byteCount: 5000), completion: outcomes.completion(step))
          } catch { Issue.record(error) }
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(try writer.rotate()?.lastSequence == 64)
    #expect(outcomes.succeeded.count == 64)
    var reader = try WALReader(fileSystem: fileSystem, directory: path, storeID: storeID, mode: .published)
    for _ in 0..<64 { #expect(try reader.next() != nil) }
    #expect(try reader.next() == nil)
    try writer.close()
    var found: Set<[UInt8]> = []
    #expect(try run { found.insert(try $0.payload()) }.frameCount == 64)
    #expect(found == Set((0..<64).map { payload($0, byteCount: 5000) }))
  }
}
