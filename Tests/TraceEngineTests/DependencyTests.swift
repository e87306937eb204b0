import Testing
import TraceEngine
import TraceFiles
import TraceInspect
import TraceManifest

/// Links from elsewhere.
@Suite struct DependencyTests {
  private static let noon: UInt64 = 1_767_225_600_000_000_000
  private static func time(_ second: UInt64) -> Timestamp { Timestamp(nanoseconds: noon + second * 1_000_000_000) }

  private static let link = DependencyLink(
    parent: "a", child: "caf\u{e9}", connection: .database, callCount: 7, errorCount: 2,
    latency: DependencyLink.Latency(
      sumNanoseconds: .max, medianNanoseconds: 1, percentile95Nanoseconds: 0, maximumNanoseconds: 300),
    source: "job")

  @Test func `snapshots survive, add up in their window, and are seen by a reader beside the writer`() async throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    var store = try await TraceStore.open(in: files, at: "store")
    try await store.writeDependencies([Self.link], at: Self.time(0))
    let reader = try await TraceStore.open(in: files, at: "store", isReadOnly: true)
    try await store.writeDependencies(
      [Self.link, DependencyLink(parent: "x", child: "x", callCount: 1)], at: Self.time(9))
    try await store.writeDependencies([], at: Self.time(9))
    #expect(try await reader.getDependencies(DependencyQuery()).elements == [Self.link])
    try await reader.refresh()
    var sum = Self.link
    sum.callCount = 14
    sum.errorCount = 4
    sum.latency = nil
    #expect(try await reader.getDependencies(DependencyQuery()).elements == [sum])
    try await store.close()
    store = try await TraceStore.open(in: files, at: "store")
    #expect(try await store.getDependencies(DependencyQuery(includesSelfCalls: true)).elements.count == 2)
    #expect(
      try await store.getDependencies(DependencyQuery(start: Self.time(1), end: Self.time(9))).elements.isEmpty)
    #expect(try await store.getDependencies(DependencyQuery(start: Self.time(1))).elements == [Self.link])
    await #expect(throws: TracestoreError.self) {
      try await reader.writeDependencies([Self.link], at: Self.time(0))
    }
    try await reader.close()
    try await store.close()
  }

  @Test func `a damaged snapshot is named and the others are read`() async throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let store = try await TraceStore.open(in: files, at: "store")
    try await store.writeDependencies([Self.link], at: Self.time(0))
    try await store.writeDependencies([Self.link], at: Self.time(1))
    let name = try #require(try files.contents(ofDirectory: "store").filter { $0.hasSuffix(".dep") }.min())
    #expect(try Inspector(fileSystem: files).explain(joinedPath("store", name)).kind == "dependencies")
    #expect(try StoreVerifier("store", fileSystem: files).run(isDeep: true).damages.isEmpty)
    let file = try files.open(joinedPath("store", name), .update)
    let byte = try file.bytes(at: 40, byteCount: 1)[0] ^ 1
    try [byte].withUnsafeBytes { try file.write($0, at: 40) }
    let graph = try await store.serviceGraph(DependencyQuery())
    #expect(graph.links == [Self.link])
    #expect(graph.summary.damage.count == 1)
    #expect(try StoreVerifier("store", fileSystem: files).run(isDeep: false).damages.count == 1)
    try await store.close()
  }

  @Test func `a snapshot decodes to what it was, and every other length and every flipped bit is refused`() throws {
    let snapshot = DependencySnapshot(
      time: Self.time(3), links: [Self.link, DependencyLink(parent: "", child: "b", callCount: .max)])
    let bytes = snapshot.encoded()
    #expect(try DependencySnapshot(bytes, path: "x") == snapshot)
    for end in bytes.indices {
      #expect(throws: TracestoreError.self) { try DependencySnapshot(Array(bytes[..<end]), path: "x") }
    }
    for bit in 0..<bytes.count * 8 {
      var broken = bytes
      broken[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: TracestoreError.self) { try DependencySnapshot(broken, path: "x") }
    }
  }
}
