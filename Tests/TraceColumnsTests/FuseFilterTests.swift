import Testing
import TraceBytes

@testable import TraceColumns

struct FuseFilterTests {
  private func decoded(_ bytes: [UInt8]) throws -> FuseFilter {
    try bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return try FuseFilter(&reader)
    }
  }

  private func encoded(_ filter: FuseFilter) -> [UInt8] {
    var writer = ByteWriter()
    filter.encode(into: &writer)
    return writer.bytes
  }

  @Test(arguments: [FuseFilter.FingerprintWidth.four, .eight, .sixteen])
  func everyMemberIsFoundAtEveryCount(width: FuseFilter.FingerprintWidth) throws {
    for count in Array(0...40) + [63, 64, 65, 100, 1000, 20_000] {
      var random = SeededRandom(seed: UInt64(count))
      let hashes = (0..<count).map { _ in random.next() }
      let filter = try #require(FuseFilter(hashes + hashes.prefix(3), width: width))
      #expect(filter.count == count)
      let bytes = encoded(filter)
      let again = try decoded(bytes)
      #expect(encoded(again) == bytes)
      #expect(again.describe() == filter.describe())
      for hash in hashes where !filter.contains(hash) || !again.contains(hash) { Issue.record("count \(count)") }
      #expect(bytes.count <= FuseFilter.estimate(count: count, width: width))
    }
  }

  @Test func aListSaysOfEachFilterWhatItSaysAlone() throws {
    var random = SeededRandom(seed: 9)
    var filters: [FuseFilter] = []
    var members: [UInt64] = []
    for count in [3, 0, 1, 700, 40, 0, 2000, 5] {
      let hashes = (0..<count).map { _ in random.next() }
      members += hashes.prefix(20)
      filters.append(try #require(FuseFilter(hashes, width: [.four, .eight, .sixteen][count % 3])))
    }
    let list = FuseFilterList(filters)
    #expect(list.count == filters.count)
    let hashes = members + (0..<5000).map { _ in random.next() }
    for start in stride(from: 0, to: hashes.count, by: 3) {
      let asked = Array(hashes[start..<min(start + 3, hashes.count)])
      var found: [Int] = []
      list.forEachFilter(thatMayHold: asked) { found.append($0) }
      #expect(found == asked.flatMap { hash in filters.indices.filter { filters[$0].contains(hash) } })
    }
    FuseFilterList([]).forEachFilter(thatMayHold: hashes) { _ in Issue.record("an empty list holds something") }
  }

  @Test func sequentialHashesAndZeroAreMembersLikeOthers() throws {
    let hashes = (0..<5000).map { UInt64($0) } + [.max]
    let filter = try #require(FuseFilter(hashes, width: .eight))
    #expect(hashes.allSatisfy(filter.contains))
  }

  @Test func strangersAreRefusedAsOftenAsTheFingerprintPromises() throws {
    var random = SeededRandom(seed: 1)
    let hashes = (0..<20_000).map { _ in random.next() }
    let strangers = (0..<100_000).map { _ in random.next() }
    let eight = try #require(FuseFilter(hashes, width: .eight))
    let sixteen = try #require(FuseFilter(hashes, width: .sixteen))
    let four = try #require(FuseFilter(hashes, width: .four))
    // 6250, 391 and 1.5 are expected.
    #expect((5800...6700).contains(strangers.count(where: four.contains)))
    #expect((250...550).contains(strangers.count(where: eight.contains)))
    #expect(strangers.count(where: sixteen.contains) <= 10)
  }

  @Test func aLargeFilterTakesAboutNineBitsAHash() throws {
    var random = SeededRandom(seed: 2)
    let filter = try #require(FuseFilter((0..<200_000).map { _ in random.next() }, width: .eight))
    #expect(filter.byteCount * 8 <= 200_000 * 10)
    let half = try #require(FuseFilter((0..<200_000).map { _ in random.next() }, width: .four))
    #expect(half.byteCount * 2 == filter.byteCount)
  }

  @Test func theOrderOfTheHashesDoesNotReachTheBytes() throws {
    var random = SeededRandom(seed: 3)
    let hashes = (0..<1000).map { _ in random.next() }
    let forward = try #require(FuseFilter(hashes, width: .eight))
    let backward = try #require(FuseFilter(hashes.reversed(), width: .eight))
    #expect(encoded(forward) == encoded(backward))
  }

  @Test func `a hash that comes twice makes the filter that it makes once`() throws {
    var random = SeededRandom(seed: 17)
    for count in [1, 2, 3, 10, 1_000] {
      let hashes = (0..<count).map { _ in random.next() }
      let once = try #require(FuseFilter(hashes, width: .eight))
      #expect(encoded(try #require(FuseFilter(hashes + hashes.suffix(1 + count / 3), width: .eight))) == encoded(once))
    }
  }

  @Test func theEmptyFilterHoldsNothing() throws {
    let filter = try #require(FuseFilter([], width: .eight))
    #expect(!filter.contains(0))
    #expect(encoded(filter).count == 9)
  }

  @Test func everyFlippedByteIsFound() throws {
    for count in [0, 1, 30] {
      let bytes = encoded(try #require(FuseFilter((0..<count).map { UInt64($0) }, width: .sixteen)))
      for offset in bytes.indices {
        for change: UInt8 in [1, 0x80, 0xff] {
          var broken = bytes
          broken[offset] ^= change
          #expect(throws: BytesError.self) { try decoded(broken) }
        }
      }
      for end in bytes.indices { #expect(throws: BytesError.self) { try decoded(Array(bytes[..<end])) } }
    }
  }

  @Test func hostileShapesWithRightChecksumsNeverReachOutsideOfTheTable() throws {
    let seed: UInt64 = 4
    var random = SeededRandom(seed: seed)
    let bytes = encoded(try #require(FuseFilter((0..<50).map { UInt64($0) }, width: .eight)))
    var survived = 0
    for _ in 0..<20_000 {
      var broken = bytes
      for _ in 0...random.below(2) { broken[random.below(6)] = UInt8(truncatingIfNeeded: random.next()) }
      guard let filter = try? decoded(repairedPage(broken)) else { continue }
      survived += 1
      for _ in 0..<20 { _ = filter.contains(random.next()) }
    }
    #expect(survived > 10, "seed \(seed)")
  }

  @Test func theHashOfContentIsTheSameOnEveryMachine() {
    #expect(FilterHash.hash([]) == 0)
    #expect(FilterHash.hash(Array("hello".utf8)) == 0xcbd8_a7b3_41bd_9b02)
  }
}
