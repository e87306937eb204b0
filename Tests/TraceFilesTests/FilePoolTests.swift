import Testing
import TraceFiles
import TraceModel

@Suite struct FilePoolTests {
  private static func makeFiles(_ count: Int) throws -> CountingFileSystem {
    let system = CountingFileSystem(SimulatedFileSystem())
    for index in 0..<count {
      let file = try system.open("\(index)", .create)
      try file.append("text \(index)")
      file.close()
    }
    return system
  }

  private func openHandleCount(_ system: CountingFileSystem) -> Int { system.snapshot().total().openHandleCount }

  @Test func `more files are read than may be open`() throws {
    let system = try Self.makeFiles(20)
    let pool = FilePool(system, maximumOpenCount: 3)
    let files = try (0..<20).map { try pool.open("\($0)") }
    #expect(openHandleCount(system) == 3)
    for round in 0..<3 {
      for index in 0..<20 {
        #expect(try files[(index * 7 + round) % 20].text() == "text \((index * 7 + round) % 20)")
        #expect(openHandleCount(system) <= 3)
      }
    }
    #expect(try files[4].byteCount() == 6)
    #expect(pool.lostFileCount == 0)
  }

  @Test func `a file that is read again and again stays open`() throws {
    let system = try Self.makeFiles(20)
    let pool = FilePool(system, maximumOpenCount: 3)
    let files = try (0..<20).map { try pool.open("\($0)") }
    _ = try files[0].text()
    let before = try #require(system.snapshot().byPath["0"]).openCount
    for index in 1..<20 {
      _ = try files[index].text()
      _ = try files[0].text()
    }
    #expect(try #require(system.snapshot().byPath["0"]).openCount == before)
  }

  @Test func `a kept file is read after its name is gone`() throws {
    let system = try Self.makeFiles(9)
    let pool = FilePool(system, maximumOpenCount: 2)
    let files = try (0..<9).map { try pool.open("\($0)") }
    for index in 0..<9 where index % 2 == 0 {
      try pool.keep("\(index)")
      try system.remove("\(index)")
    }
    for index in 0..<9 { #expect(try files[index].text() == "text \(index)") }
    #expect(pool.lostFileCount == 0)
  }

  @Test func `what another process removed is expired`() throws {
    let system = try Self.makeFiles(4)
    let pool = FilePool(system, maximumOpenCount: 2)
    let files = try (0..<4).map { try pool.open("\($0)") }
    for index in 0..<4 { try system.remove("\(index)") }
    #expect(code { _ = try files[0].text() } == .snapshotExpired)
    #expect(pool.lostFileCount == 1)
    #expect(code { _ = try pool.open("0") } == .notFound)
    #expect(try files[3].text() == "text 3")
  }

  @Test func `what nobody holds takes no room`() throws {
    let system = try Self.makeFiles(2)
    let pool = FilePool(system, maximumOpenCount: 2)
    let kept = try pool.open("0")
    for _ in 0..<1000 { #expect(try pool.open("1").text() == "text 1") }
    #expect(try kept.text() == "text 0")
    #expect(openHandleCount(system) <= 2)
  }

  @Test func `a closed file stays closed, and none is written to`() throws {
    let system = try Self.makeFiles(1)
    let file = try FilePool(system, maximumOpenCount: 2).open("0")
    #expect(code { try file.append("more") } == .inputOutput)
    #expect(code { try file.truncate(to: 0) } == .inputOutput)
    file.close()
    #expect(code { _ = try file.text() } == .inputOutput)
    #expect(openHandleCount(system) == 0)
  }

  @Test func `threads read beside each other`() throws {
    let system = try Self.makeFiles(12)
    let pool = FilePool(system, maximumOpenCount: 2)
    let files = try (0..<12).map { try pool.open("\($0)") }
    let failures = Monitor<[String]>([])
    let threads = try (0..<4).map { lane in
      try WorkerThread(name: "read") {
        for step in 0..<500 {
          let index = (step * (lane + 3)) % 12
          let text = try? files[index].text()
          if text != "text \(index)" { failures.withLock { $0.append("\(index): \(text ?? "nothing")") } }
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(failures.withLock { $0 } == [])
    #expect(openHandleCount(system) <= 2)
  }
}
