import Synchronization
import Testing
import TraceBytes
import TraceEngine
import TraceFiles
import TraceIngest
import TraceManifest
import TraceSegment
import TraceWAL
import TracestoreTesting

/// What a process that only reads takes from the log: rows for searches, bytes for traces by their id.
@Suite struct FollowerTests {
  // MARK: The two ways have one answer

  @Test(arguments: 1...10 as ClosedRange<UInt64>)
  func `a trace found by its bytes in the log is the trace that the decoded log has`(_ seed: UInt64) async throws {
    let world = try await FollowedStore(StoreOptions(sealSpanCount: 120, stripeSpanCount: 32))
    let readsAlone = seed % 2 == 0
    // Lives through the whole history: its memtable holds an older part of the log.
    let old = try world.follower(readsAlone: readsAlone)
    var random = SeededRandom(seed: seed)
    var written: [TraceID: Set<ContentKey>] = [:]
    for (index, batch) in randomTraces(seed: seed, count: 60).enumerated() {
      _ = try await world.writer.writeTraces(batch)
      batch.forEachSpan { written[$2.traceID, default: []].insert(ContentKey($0, $1, $2)) }
      if random.isOneIn(20) { try await world.writer.seal() }
      if random.isOneIn(15) {
        try old.refresh()
        _ = try old.sources()
      }
      guard index % 12 == 11 else { continue }
      try old.refresh()
      let decoding = try world.follower(readsAlone: readsAlone)
      _ = try decoding.sources()
      for (trace, records) in written {
        let scanning = try world.follower(readsAlone: readsAlone)
        let answers = [
          try scanning.records(of: trace), try decoding.records(of: trace), try old.records(of: trace),
        ]
        for answer in answers {
          #expect(Set(answer) == records, "seed \(seed), batch \(index)")
          #expect(answer.count == records.count, "seed \(seed), batch \(index)")
        }
      }
    }
    try await world.writer.close()
  }

  @Test func `only the spans of the trace that is asked for are taken from the log`() async throws {
    let world = try await FollowedStore()
    for number in 1...40 as ClosedRange<UInt64> {
      _ = try await world.writer.writeTraces(.spans([span(number), span(number + 1), span(1000)]))
    }
    let follower = try world.follower()
    #expect(try follower.sources(of: [span(7).traceID]).memtables.map(\.rowCount) == [2])
    #expect(try follower.sources(of: [span(1000).traceID]).memtables.map(\.rowCount) == [40])
    #expect(try follower.sources(of: [span(7).traceID, span(1000).traceID]).memtables.map(\.rowCount) == [42])
    #expect(try follower.sources(of: [span(5000).traceID]).memtables.isEmpty)
    try await world.writer.close()
  }

  @Test func `the bytes of an id in an attribute, a text or a link are no span of its trace`() async throws {
    let world = try await FollowedStore()
    let sought = TraceID(high: 0x4142_4344_4546_4748, low: 0x494a_4b4c_4d4e_4f50)
    var bytes = span(1)
    bytes.attributes = [Attribute("raw", .bytes(Array("ABCDEFGHIJKLMNOP".utf8)))]
    var text = span(2)
    text.name = "xABCDEFGHIJKLMNOPx"
    var link = span(3)
    link.links = [SpanLink(traceID: sought, spanID: SpanID(9))]
    for one in [bytes, text, link] { _ = try await world.writer.writeTraces(.spans([one])) }
    #expect(try world.follower().sources(of: [sought]).memtables.isEmpty)
    #expect(try world.follower().records(of: sought).isEmpty)
    var real = span(4)
    real.traceID = sought
    _ = try await world.writer.writeTraces(.spans([span(5), real]))
    #expect(try world.follower().records(of: sought).count == 1)
    try await world.writer.close()
  }

  @Test(arguments: [true, false])
  func `a search after traces by id, and more of them than pay, read every row once`(
    _ readsAlone: Bool
  ) async throws {
    let world = try await FollowedStore()
    let follower = try world.follower(readsAlone: readsAlone)
    var count = 0
    for round in 0..<6 as Range<UInt64> {
      for number in 1...10 as ClosedRange<UInt64> {
        _ = try await world.writer.writeTraces(.spans([span(round * 10 + number)]))
        count += 1
      }
      try follower.refresh()
      // From the fifth on the rows are there.
      for _ in 0..<(round % 2 == 0 ? 7 : 2) {
        for number in [1, round * 10 + 10] { #expect(try follower.records(of: span(number).traceID).count == 1) }
      }
      let many = (1...UInt64(count)).map { span($0).traceID }
      if round == 3 { #expect(try follower.sources(of: many).memtables.map(\.rowCount).reduce(0, +) == count) }
      #expect(try follower.sources().memtables.map(\.rowCount) == [count])
      #expect(try follower.records(of: span(3).traceID).count == 1)
    }
    try await world.writer.close()
  }

  @Test func `a trace that moves from the log into a segment under the reader comes once`() async throws {
    let world = try await FollowedStore()
    _ = try await world.writer.writeTraces(.spans([span(1), span(2)]))
    let scanning = try world.follower()
    let decoding = try world.follower()
    #expect(try scanning.records(of: span(1).traceID).count == 1)
    #expect(try decoding.sources().memtables.count == 1)
    try await world.writer.seal()
    _ = try await world.writer.writeTraces(.spans([span(3)]))
    // Nobody has told them: the log they knew has gone.
    #expect(try scanning.records(of: span(1).traceID).count == 1)
    #expect(try scanning.records(of: span(3).traceID).count == 1)
    #expect(try decoding.records(of: span(1).traceID).count == 1)
    try decoding.refresh()
    #expect(try decoding.records(of: span(1).traceID).count == 1)
    #expect(try decoding.records(of: span(3).traceID).count == 1)
    try await world.writer.close()
  }

  @Test func `readers on several threads see each acknowledged write while the writer seals`() async throws {
    let world = try await FollowedStore(StoreOptions(sealSpanCount: 64, stripeSpanCount: 16))
    let follower = try world.follower(readsAlone: false)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<4 as Range<UInt64> {
        group.addTask {
          for step in 1...40 as ClosedRange<UInt64> {
            let number = worker * 1000 + step
            _ = try await world.writer.writeTraces(.spans([span(number)]))
            try follower.refresh()
            if step % 9 == 0 { _ = try follower.sources() }
            #expect(try follower.records(of: span(number).traceID).count == 1, "trace \(number)")
          }
        }
      }
      try await group.waitForAll()
    }
    try await world.writer.close()
  }

  // MARK: What cannot be read

  @Test(arguments: [true, false])
  func `a damaged frame is named, and the frames around it are read`(_ readsAlone: Bool) async throws {
    let world = try await FollowedStore()
    for number in 1...9 as ClosedRange<UInt64> { _ = try await world.writer.writeTraces(.spans([span(number)])) }
    let path = try world.damageLog()
    for isSearchFirst in [true, false] {
      let follower = try world.follower(readsAlone: readsAlone)
      if isSearchFirst { #expect(try follower.sources().memtables.map(\.rowCount) == [8]) }
      var found = 0
      for number in 1...9 as ClosedRange<UInt64> { found += try follower.records(of: span(number).traceID).count }
      #expect(found == 8)
      #expect(follower.damage.count == 1)
      #expect(follower.damage.first?.contains(path) == true)
    }
    // Sealed from the writer's memory, nothing is missing any more.
    let follower = try world.follower(readsAlone: readsAlone)
    _ = try follower.sources()
    try await world.writer.seal()
    try follower.refresh()
    #expect(follower.damage.isEmpty)
    try await world.writer.close()
  }

  @Test func `answers of a store whose log is damaged say so`() async throws {
    let world = try await FollowedStore()
    for number in 1...9 as ClosedRange<UInt64> { _ = try await world.writer.writeTraces(.spans([span(number)])) }
    let path = try world.damageLog()
    let reader = try await TraceStore.open(in: world.files, at: "store", isReadOnly: true)
    let trace = try await reader.getTraces([span(1).traceID]).collect()
    #expect(trace.elements.count == 1)
    #expect(trace.summary.damage.contains { $0.contains(path) })
    let search = try await reader.findTraceIDs(TraceQuery()).collect()
    #expect(search.elements.count == 8)
    #expect(search.summary.damage == trace.summary.damage)
    try await reader.close()
    try await world.writer.close()
  }

  @Test(arguments: [true, false])
  func `a frame that is no request is damage, not the end of the log`(_ readsAlone: Bool) async throws {
    let world = try await FollowedStore()
    for number in 1...3 as ClosedRange<UInt64> { _ = try await world.writer.writeTraces(.spans([span(number)])) }
    try await world.writer.close()
    // A field that announces more bytes than there are, with the bytes of an id in it.
    let garbage = [0x0a, 0x7f] + span(2).traceID.bytes
    try world.appendToLog([garbage, TraceData.spans([span(4)]).encoded, garbage, TraceData.spans([span(5)]).encoded])
    let follower = try world.follower(readsAlone: readsAlone)
    #expect(try follower.records(of: span(2).traceID).count == 1)
    #expect(follower.damage.count == 2)
    for number in [4, 5] as [UInt64] { #expect(try follower.records(of: span(number).traceID).count == 1) }
    for _ in 0..<2 {
      #expect(try follower.sources().memtables.map(\.rowCount) == [5])
      #expect(follower.damage.count == 2)
      try follower.refresh()
    }
  }

  @Test(arguments: [true, false])
  func `bytes behind the last acknowledged frame are the end, not damage`(_ hasPosition: Bool) async throws {
    let world = try await FollowedStore()
    for number in 1...3 as ClosedRange<UInt64> { _ = try await world.writer.writeTraces(.spans([span(number)])) }
    let (path, bytes) = try world.lastLogFile()
    try world.files.overwrite(path, with: bytes + bytes.suffix(40))
    if !hasPosition { try world.files.remove(world.logPath(WALFormat.positionFileName)) }
    let follower = try world.follower()
    #expect(try follower.records(of: span(3).traceID).count == 1)
    #expect(try follower.sources().memtables.map(\.rowCount) == [3])
    #expect(follower.damage.isEmpty)
    // Half of a frame is no frame yet.
    try world.files.overwrite(path, with: bytes.dropLast(10) + [])
    if !hasPosition {
      let other = try world.follower()
      #expect(try other.records(of: span(3).traceID).isEmpty)
      #expect(try other.sources().memtables.map(\.rowCount) == [2])
      #expect(other.damage.isEmpty)
    }
    try world.files.overwrite(path, with: bytes)
    try await world.writer.close()
  }

  @Test(arguments: [true, false])
  func `a read that fails is an error, and the next one has every row once`(_ readsAlone: Bool) async throws {
    let world = try await FollowedStore()
    var random = SeededRandom(seed: 5)
    // Larger together than what is read at once, so that a read can fail between two frames.
    let noise = (0..<50_000).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
    for number in 1...6 as ClosedRange<UInt64> {
      var large = span(number)
      if number < 6 { large.attributes = [Attribute("noise", .bytes(noise))] }
      _ = try await world.writer.writeTraces(.spans([large]))
    }
    var failures = 0
    for skipped in 0..<6 {
      for isSearch in [true, false] {
        let follower = try world.follower(readsAlone: readsAlone)
        world.files.inject(Fault([.read], pathSuffix: ".log", skippedCount: skipped))
        do {
          _ = isSearch ? try follower.sources() : try follower.sources(of: [span(6).traceID])
        } catch { failures += 1 }
        world.files.clearFaults()
        #expect(try follower.records(of: span(6).traceID).count == 1, "read \(skipped)")
        #expect(try follower.sources().memtables.map(\.rowCount) == [6], "read \(skipped)")
      }
    }
    #expect(failures >= 8, "few faults were met, so this tests little")
    try await world.writer.close()
  }

  // MARK: The search for bytes

  @Test func `an id is found wherever it stands, and nothing else is`() {
    var random = SeededRandom(seed: 11)
    for round in 0..<400 {
      // From bytes that are all alike to bytes that are all different.
      let alphabet = 1 + random.below(round % 2 == 0 ? 3 : 256)
      let id = (0..<16).map { _ in UInt8(random.below(alphabet)) }
      let pattern = TraceIDPattern(TraceID(bytes: id))
      let bytes = (0..<random.below(90)).map { _ in UInt8(random.below(alphabet)) }
      #expect(bytes.withUnsafeBytes(pattern.occurs) == isIn(id, bytes), "round \(round)")
      for offset in 0...bytes.count {
        let with = bytes[..<offset] + id + bytes[offset...]
        #expect(Array(with).withUnsafeBytes(pattern.occurs), "round \(round), offset \(offset)")
        var without = Array(with)
        without[offset + random.below(16)] ^= 1
        #expect(without.withUnsafeBytes(pattern.occurs) == isIn(id, without), "round \(round), offset \(offset)")
      }
    }
  }

  private func isIn(_ id: [UInt8], _ bytes: [UInt8]) -> Bool {
    bytes.indices.contains { bytes[$0...].starts(with: id) }
  }
}

private func span(_ number: UInt64) -> SpanRecord {
  SpanRecord(
    traceID: TraceID(high: 0x7700_0000_0000_0001, low: number), spanID: SpanID(number), name: "work",
    start: Timestamp(nanoseconds: number * 1000), end: Timestamp(nanoseconds: number * 1000 + 500))
}
