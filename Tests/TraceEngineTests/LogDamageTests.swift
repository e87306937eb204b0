import Synchronization
import Testing
import TraceEngine
import TraceFiles
import TraceInspect
import TraceManifest
import TraceWAL

/// Acknowledged spans that the log has lost are missed by everybody who looks: who reads, who checks, who writes next.
@Suite struct LogDamageTests {
  enum Loss: CaseIterable {
    case middleFrame, lastFrame, end, file

    /// Takes something from a log of nine frames; returns how many are left.
    func apply(to path: String, in files: SimulatedFileSystem) throws -> Int {
      let file = try files.open(path, .read)
      var bytes = try file.bytes(at: 0, byteCount: Int(file.byteCount()))
      let frameByteCount = (bytes.count - WALFormat.fileHeaderByteCount) / 9
      switch self {
      case .middleFrame: bytes[bytes.count - 4 * frameByteCount - 8] ^= 1
      case .lastFrame: bytes[bytes.count - 8] ^= 1
      case .end: bytes.removeLast(3 * frameByteCount)
      case .file:
        try files.remove(path)
        return 0
      }
      try files.overwrite(path, with: bytes)
      return self == .end ? 6 : 8
    }
  }

  private static func trace(_ number: UInt64) -> TraceData {
    .spans([
      SpanRecord(
        traceID: TraceID(high: 5, low: number), spanID: SpanID(number), name: "work",
        start: Timestamp(nanoseconds: number * 1000), end: Timestamp(nanoseconds: number * 1000 + 500))
    ])
  }

  private static func search(_ files: SimulatedFileSystem) async throws -> (count: Int, damage: [String]) {
    let reader = try await TraceStore.open(in: files, at: "store", isReadOnly: true)
    let found = try await reader.findTraceIDs(TraceQuery()).collect()
    try await reader.close()
    return (found.elements.count, found.summary.damage)
  }

  private static func verify(_ files: SimulatedFileSystem) throws -> [String] {
    try StoreVerifier("store", fileSystem: files).run(isDeep: true).damages.map(\.line)
  }

  @Test(arguments: Loss.allCases)
  func `acknowledged spans that the log has lost are named by readers, by verify and by the next writer`(
    _ loss: Loss
  ) async throws {
    let world = try await FollowedStore()
    for number in 1...9 as ClosedRange<UInt64> { _ = try await world.writer.writeTraces(Self.trace(number)) }
    try await world.writer.close()
    #expect(try Self.verify(world.files).isEmpty)
    let path = try world.lastLogFile().path
    let leftCount = try loss.apply(to: path, in: world.files)

    let found = try await Self.search(world.files)
    #expect(found.count == leftCount)
    #expect(found.damage.count == 1 && found.damage.first?.contains(path) == true, "\(found.damage)")
    let verified = try Self.verify(world.files)
    #expect(verified.count == 1 && verified.first?.contains(path) == true, "\(verified)")

    let events = Mutex<[String]>([])
    let options = StoreOptions(observer: { event in
      if case .damaged(let place) = event { events.withLock { $0.append(place) } }
    })
    let writer = try await TraceStore.open(in: world.files, at: "store", options: options)
    #expect(events.withLock { $0.count } == 1 && events.withLock { $0.first?.contains(path) } == true)
    _ = try await writer.writeTraces(Self.trace(10))
    // Until the rest is in a segment, the loss stays to be seen.
    let later = try await Self.search(world.files)
    #expect(later.count == leftCount + 1 && later.damage.count == 1, "\(later.damage)")
    #expect(try Self.verify(world.files).count == 1)
    try await writer.close()
  }

  @Test(arguments: [0, 1])
  func `a damaged slot of the position hides nothing, and verify names it`(_ slot: Int) async throws {
    let world = try await FollowedStore()
    for number in 1...9 as ClosedRange<UInt64> { _ = try await world.writer.writeTraces(Self.trace(number)) }
    let path = world.logPath(WALFormat.positionFileName)
    var bytes = try world.files.contents(ofFile: path, maximumByteCount: 1000)
    bytes[slot * 64 + 5] ^= 1
    try world.files.overwrite(path, with: bytes)
    let found = try await Self.search(world.files)
    #expect(found.count == 9 && found.damage.isEmpty)
    let verified = try Self.verify(world.files)
    #expect(verified.count == 1 && verified.first?.contains("\(path) at byte \(slot * 64)") == true, "\(verified)")
    // Each slot is written anew.
    for number in 10...11 as ClosedRange<UInt64> { _ = try await world.writer.writeTraces(Self.trace(number)) }
    #expect(try Self.verify(world.files).isEmpty)
    try await world.writer.close()
  }

  @Test func `what a power cut took of writes that were not synced is no damage, then or later`() async throws {
    let seed = UInt64.random(in: .min ... .max)
    var options = StoreOptions()
    options.durability = .none
    var holeCount = 0
    for round in UInt64(0)..<40 {
      let machine = SimulatedFileSystem()
      let lost = try await TraceStore.open(in: machine, at: "store", options: options)
      for number in 1...12 as ClosedRange<UInt64> {
        var data = Self.trace(number)
        data.resourceSpans[0].scopeSpans[0].spans[0].attributes = [
          Attribute("noise", .bytes((0..<900).map { UInt8(truncatingIfNeeded: ($0 * $0 + 7 * $0) >> 3) }))
        ]
        _ = try await lost.writeTraces(data)
      }
      let files = machine.crashClone(keeping: .randomSubset, seed: seed &+ round)
      let left = try await Self.search(files)
      #expect(try left.damage.isEmpty && Self.verify(files).isEmpty, "seed \(seed &+ round)")
      if left.count < 12 { holeCount += 1 }
      let writer = try await TraceStore.open(in: files, at: "store")
      _ = try await writer.writeTraces(Self.trace(20))
      let found = try await Self.search(files)
      #expect(found.damage.isEmpty, "seed \(seed &+ round): \(found.damage)")
      #expect(found.count >= left.count + 1, "seed \(seed &+ round)")
      #expect(try Self.verify(files).isEmpty, "seed \(seed &+ round)")
      try await writer.close()
      try await lost.close()
    }
    #expect(holeCount > 10, "few crashes lost anything, so this tests little")
  }

  @Test func `a check beside a writer that seals and merges finds nothing`() async throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let options = StoreOptions(isCompactionAutomatic: false, mergedSegmentSpanCount: 64)
    let writer = try await TraceStore.open(in: files, at: "store", options: options)
    let isDone = Atomic(false)
    let checks = Task.detached {
      var count = 0
      while !isDone.load(ordering: .relaxed) {
        let report = try StoreVerifier("store", fileSystem: files).run(isDeep: true)
        #expect(report.damages.isEmpty, "\(report.damages.map(\.line))")
        #expect(report.orphans.isEmpty, "\(report.orphans.map(\.path))")
        count += 1
      }
      return count
    }
    for round in 0..<60 as Range<UInt64> {
      for number in 1...20 as ClosedRange<UInt64> {
        _ = try await writer.writeTraces(Self.trace(round * 20 + number))
      }
      try await writer.seal()
      if round % 2 == 1 { _ = try await writer.compact(.all) }
    }
    isDone.store(true, ordering: .relaxed)
    #expect(try await checks.value > 10)
    try await writer.close()
  }
}
