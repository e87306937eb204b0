import Testing

@testable import TraceSegment

@Suite struct ReaderCacheTests {
  private final class Block: CachedBlock {
    let residentByteCount: Int
    init(_ byteCount: Int) { residentByteCount = byteCount }
  }

  private func key(_ file: UInt64, _ offset: UInt64) -> BlockCache.Key {
    BlockCache.Key(fileNumber: file, offset: offset)
  }

  @Test func `a block is loaded once while it is held`() throws {
    let cache = BlockCache(maximumByteCount: 1000)
    let first = cache.block(key(1, 0)) { Block(100) }
    let second = cache.block(key(1, 0)) { () -> Block in
      Issue.record("the block is held")
      return Block(100)
    }
    #expect(first === second)
    #expect(cache.statistics.hitCount == 1 && cache.statistics.loadCount == 1)
    #expect(cache.statistics.residentByteCount == 100)
  }

  @Test func `the bound holds, and what was used lately stays longest`() {
    let cache = BlockCache(maximumByteCount: 1000)
    for offset in 0..<100 as Range<UInt64> {
      _ = cache.block(key(1, offset)) { Block(90) }
      // The hot block is asked for between all others.
      _ = cache.block(key(2, 0)) { Block(100) }
      #expect(cache.statistics.residentByteCount <= 1000)
    }
    let statistics = cache.statistics
    #expect(statistics.evictionCount > 80)
    #expect(statistics.loadCount - 100 < 30, "the hot block was loaded \(statistics.loadCount - 100) times")
  }

  @Test func `a walk over more than the cache holds leaves what is asked for again and again`() {
    let cache = BlockCache(maximumByteCount: 10_000)
    /// How many of the blocks had to be loaded.
    func loads(_ file: UInt64, _ count: UInt64) -> Int {
      let before = cache.statistics.loadCount
      cache.beginQuestion()
      for offset in 0..<count { _ = cache.block(key(file, offset)) { Block(100) } }
      return cache.statistics.loadCount - before
    }
    #expect(loads(1, 50) == 50)
    #expect(loads(2, 20) == 20)
    #expect(loads(1, 50) == 0)
    for walk in 3..<6 as Range<UInt64> {
      #expect(loads(walk, 1000) == 1000)
      #expect(loads(1, 50) == 0)
    }
    // Others are asked for instead, in the end without the first.
    for _ in 0..<60 { _ = loads(6, 90) }
    #expect(loads(6, 90) == 0)
    #expect(cache.statistics.residentByteCount <= 10_000)
  }

  @Test func `what a question comes back to is not known for that, and what another one asks for is`() {
    let cache = BlockCache(maximumByteCount: 1000)
    func ask(_ offsets: Range<UInt64>) -> Int {
      let before = cache.statistics.loadCount
      for offset in offsets { _ = cache.block(key(1, offset)) { Block(100) } }
      return cache.statistics.loadCount - before
    }
    cache.beginQuestion()
    // Two blocks again and again, then a walk.
    for _ in 0..<9 { _ = ask(0..<2) }
    #expect(ask(2..<60) == 58)
    #expect(ask(0..<2) == 2)
    // The walk of another question begins with them.
    cache.beginQuestion()
    #expect(ask(0..<60) == 58)
    for _ in 0..<3 {
      cache.beginQuestion()
      #expect(ask(0..<2) == 0)
      #expect(ask(60..<120) == 60)
    }
  }

  @Test func `of a kind that is bounded, what was asked for longest ago goes, and nothing else`() {
    final class Bounded: CachedBlock {
      let residentByteCount: Int
      static let passCount = 16
      init(_ byteCount: Int) { residentByteCount = byteCount }
    }
    let cache = BlockCache(maximumByteCount: 1000)
    _ = cache.block(key(1, 0)) { Block(100) }
    func keep(_ offset: UInt64, _ byteCount: Int) {
      cache.beginQuestion()
      cache.replace(key(2, offset), by: Bounded(byteCount), maximumByteCountOfKind: 100)
    }
    func held() -> [UInt64] { (0..<5).filter { cache.holds(key(2, $0)) } }
    keep(0, 40)
    keep(1, 40)
    cache.beginQuestion()
    let asked: Bounded? = cache.find(key(2, 0))
    #expect(asked != nil)
    keep(2, 20)
    #expect(held() == [0, 1, 2])
    keep(3, 20)
    #expect(held() == [0, 2, 3])
    // In place of itself it takes the room of nothing.
    keep(2, 40)
    #expect(held() == [0, 2, 3])
    keep(4, 101)
    #expect(held() == [0, 2, 3])
    #expect(cache.holds(key(1, 0)))
    #expect(cache.statistics.residentByteCount == 200)
    // Known from the beginning: a walk does not drive it out.
    for offset in 1..<50 as Range<UInt64> { _ = cache.block(key(1, offset)) { Block(100) } }
    #expect(held() == [0, 2, 3])
  }

  @Test func `what many questions ask for outlasts what walks come by`() {
    let cache = BlockCache(maximumByteCount: 10_000)
    func ask(_ offsets: Range<UInt64>) -> Int {
      let before = cache.statistics.loadCount
      cache.beginQuestion()
      for offset in offsets { _ = cache.block(key(1, offset)) { Block(100) } }
      return cache.statistics.loadCount - before
    }
    var loadCount = 0
    for turn in 0..<20 {
      for _ in 0..<6 { loadCount += ask(0..<10) }
      // Each half of a walk is asked for twice, so that more is known than there is room for.
      for _ in 0..<2 { _ = ask(10..<80) }
      for _ in 0..<2 { _ = ask(80..<150) }
      if turn == 0 { loadCount = 0 }
    }
    #expect(loadCount == 0)
  }

  @Test func `a block that is replaced is not found again`() {
    let cache = BlockCache(maximumByteCount: 1000)
    _ = cache.block(key(1, 0)) { Block(100) }
    let second = Block(30)
    cache.replace(key(1, 0), by: second)
    let found: Block? = cache.find(key(1, 0))
    #expect(found === second)
    #expect(cache.statistics.residentByteCount == 30 && cache.statistics.blockCount == 1)
  }

  @Test func `a block stands at several keys in place of those before, and goes as a whole`() {
    let cache = BlockCache(maximumByteCount: 1000)
    let keys = (1..<4 as Range<UInt64>).map { key($0, 7) }
    for key in keys { _ = cache.block(key) { Block(100) } }
    _ = cache.block(key(1, 8)) { Block(100) }
    let both = Block(150)
    cache.replace(Array(keys[..<2]), by: both)
    for key in keys[..<2] {
      let found: Block? = cache.find(key)
      #expect(found === both)
    }
    #expect(cache.statistics.residentByteCount == 350 && cache.statistics.blockCount == 3)
    // Of the file that the block has a part of, not the first one.
    cache.removeBlocks(ofFile: 2)
    #expect(keys.map { cache.holds($0) } == [false, false, true])
    #expect(cache.statistics.residentByteCount == 200 && cache.statistics.blockCount == 2)
    // One key of two.
    cache.replace(Array(keys[..<2]), by: both)
    cache.replace(keys[1], by: Block(30))
    #expect(!cache.holds(keys[0]))
    #expect(cache.statistics.residentByteCount == 230 && cache.statistics.blockCount == 3)
    // For want of room.
    cache.replace(Array(keys[..<2]), by: both)
    for offset in 100..<200 as Range<UInt64> { _ = cache.block(key(9, offset)) { Block(90) } }
    #expect(!cache.holds(keys[0]) && !cache.holds(keys[1]))
    #expect(cache.statistics.residentByteCount <= 1000)
  }

  @Test func `blocks of one place and several variants stand beside each other`() {
    let cache = BlockCache(maximumByteCount: 1000)
    let keys = (0..<3 as Range<UInt64>).map { BlockCache.Key(fileNumber: 1, offset: 2, variant: $0) }
    let blocks = keys.map { key in cache.block(key) { Block(10) } }
    #expect(Set(blocks.map(ObjectIdentifier.init)).count == 3)
    cache.removeBlocks(ofFile: 1)
    #expect(cache.statistics.blockCount == 0)
  }

  @Test func `what is costly to make outlasts walks over what is read once and twice`() {
    final class Costly: CachedBlock {
      static let passCount = 32
      let residentByteCount = 100
    }
    let cache = BlockCache(maximumByteCount: 1000)
    let costly = (0..<4 as Range<UInt64>).map { offset in cache.block(key(9, offset)) { Costly() } }
    for walk in 0..<20 {
      cache.beginQuestion()
      for offset in 0..<30 as Range<UInt64> {
        _ = cache.block(key(1, offset)) { Block(90) }
        _ = cache.block(key(2, offset % 3)) { Block(90) }
      }
      for (offset, block) in costly.enumerated() {
        let held: Costly? = cache.find(key(9, UInt64(offset)))
        #expect(held === block, "walk \(walk)")
      }
    }
    // Nobody asks for them any more.
    for offset in 0..<20_000 as Range<UInt64> { _ = cache.block(key(3, offset % 50)) { Block(90) } }
    #expect((0..<4 as Range<UInt64>).allSatisfy { !cache.holds(key(9, $0)) })
    #expect(cache.statistics.residentByteCount <= 1000)
  }

  @Test func `of more costly blocks than fit, asked for in turn, most stay, and costlier ones come in`() {
    final class Costly: CachedBlock {
      static let passCount = 32
      let residentByteCount = 100
    }
    final class Costlier: CachedBlock {
      static let passCount = 128
      let residentByteCount = 100
    }
    let cache = BlockCache(maximumByteCount: 2000)
    var madeCount = 0
    for turn in 0..<20 {
      madeCount = 0
      for offset in 0..<17 as Range<UInt64> {
        _ = cache.block(key(9, offset)) {
          madeCount += 1
          return Costly()
        }
      }
      for offset in 0..<30 as Range<UInt64> { _ = cache.block(key(1, offset)) { Block(90) } }
      #expect(turn % 11 == 0 || madeCount <= 6, "turn \(turn)")
      if turn == 10 { for offset in 0..<3 as Range<UInt64> { _ = cache.block(key(8, offset)) { Costlier() } } }
    }
    #expect((0..<3 as Range<UInt64>).allSatisfy { cache.holds(key(8, $0)) })
    #expect(cache.statistics.residentByteCount <= 2000)
  }

  @Test func `a block larger than the cache is given and not kept`() {
    let cache = BlockCache(maximumByteCount: 50)
    let block = cache.block(key(1, 0)) { Block(60) }
    #expect(block.residentByteCount == 60)
    #expect(cache.statistics.residentByteCount == 0 && cache.statistics.blockCount == 0)
  }

  @Test func `the blocks of a file that is gone are forgotten`() {
    let cache = BlockCache(maximumByteCount: 10_000)
    for offset in 0..<10 as Range<UInt64> {
      _ = cache.block(key(1, offset)) { Block(10) }
      _ = cache.block(key(2, offset)) { Block(10) }
    }
    cache.removeBlocks(ofFile: 1)
    #expect(cache.statistics.residentByteCount == 100 && cache.statistics.blockCount == 10)
    _ = cache.block(key(2, 3)) { () -> Block in
      Issue.record("the block is held")
      return Block(10)
    }
  }

  @Test func `a load that fails leaves nothing behind`() {
    struct Failure: Error {}
    let cache = BlockCache(maximumByteCount: 100)
    #expect(throws: Failure.self) { try cache.block(key(1, 0)) { () throws -> Block in throw Failure() } }
    #expect(cache.statistics.blockCount == 0)
    #expect(cache.block(key(1, 0)) { Block(10) }.residentByteCount == 10)
  }

  @Test func `a segment that nobody holds any more leaves no block behind`() throws {
    var generator = RecordGenerator(seed: 75)
    let cache = BlockCache(maximumByteCount: 1 << 26)
    let fixture = try SegmentFixture(generator.records(100, traceCount: 10))
    do {
      let segment = try fixture.open(cache: cache)
      #expect(try segment.allRecords().count == 100)
      #expect(cache.statistics.blockCount > 0)
    }
    #expect(cache.statistics.blockCount == 0 && cache.statistics.residentByteCount == 0)
  }
}
