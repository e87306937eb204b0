import Testing
import TraceAggregate
import TraceModel
import TraceSource

@testable import TraceSegment

/// Cells of several groups that are brought together, and coarser cells that are made of them.
@Suite struct CallBlockTests {
  private struct CellKey: Hashable {
    var labels: [[UInt8]]
    var kind: Int32
    var minute: UInt32
  }

  private struct Cell: Equatable {
    var errorCount: UInt32 = 0
    var callCount: UInt32 = 0
    /// Of cells that are only counted: of each bucket its middle, as often as it has calls.
    var durations: [UInt64] = []
  }

  private static let minute: UInt64 = 60_000_000_000
  private static let epoch: UInt64 = 28_333_333 * minute

  /// Segments over one cache, which follow each other in time and overlap a little.
  private struct Store {
    let cache: BlockCache
    var segments: [Segment] = []
    var records: [[PlacedSpan]] = []

    /// - Parameters:
    ///   - rowCounts: of each segment.
    ///   - isDense: whether cells have many calls.
    init(seed: UInt64, rowCounts: [Int], cacheByteCount: Int = 1 << 26, isDense: Bool = false) throws {
      cache = BlockCache(maximumByteCount: cacheByteCount, frontByteCount: 0)
      for (place, count) in rowCounts.enumerated() {
        var generator = RecordGenerator(seed: seed &* 100 &+ UInt64(place))
        var own = generator.records(count, traceCount: max(1, count / 4))
        for index in own.indices {
          own[index].resource = own[index % 5].resource
          own[index].span.name = "operation \(generator.random.below(isDense ? 1 : 6))"
          let begin = epoch + UInt64(place) * 5 * minute
          let milliseconds = UInt64(generator.random.below(isDense ? 60_000 : 330_000))
          own[index].span.start = Timestamp(nanoseconds: begin + milliseconds * 1_000_000)
          let unit = [1, 1_000, 1_000_000][place % 3] as UInt64
          let duration = UInt64(generator.random.below(100_000)) * unit
          own[index].span.end = Timestamp(nanoseconds: own[index].span.start.nanoseconds + duration)
        }
        records.append(own.filter { !$0.isPartial })
        segments.append(
          try SegmentFixture(own, options: SegmentOptions(stripeRowCount: 64)).open(
            cache: cache, number: UInt64(place + 1)))
      }
    }

    func groups(_ chosen: Range<Int>, maximumRowCount: Int = 100) throws -> [CallGroup] {
      try segments[chosen].flatMap { try $0.callGroups(maximumRowCount: maximumRowCount) }
    }
  }

  private static let always = 0...UInt64.max

  private static func blocks(
    of groups: [CallGroup], _ shape: CellShape = .operations, in window: ClosedRange<UInt64> = always,
    maximumRowCount: Int = 1600
  ) -> (blocks: [CallBlock], damaged: [CallGroup]) {
    CallBlock.blocks(of: groups, shape, in: window, maximumRowCount: maximumRowCount, parallel: SegmentWriter.serial)
  }

  private func recount(_ records: [PlacedSpan], _ shape: CellShape) -> [CellKey: Cell] {
    var cells: [CellKey: Cell] = [:]
    for record in records {
      let span = record.span
      var labels = [Array(record.resource.serviceName.utf8)]
      var kind = span.kind.rawValue
      switch shape {
      case .operations: labels.append(Array(span.name.utf8))
      case .services(let kinds):
        guard kinds?.contains(kind) ?? true else { continue }
        kind = 0
      }
      let key = CellKey(labels: labels, kind: kind, minute: UInt32(span.start.nanoseconds / Self.minute))
      cells[key, default: Cell()].durations.append(span.end.nanoseconds - span.start.nanoseconds)
      cells[key]?.callCount += 1
      if span.status?.code == .error { cells[key]?.errorCount += 1 }
    }
    return cells.mapValues { cell in
      var cell = cell
      if shape != .operations, cell.callCount >= 256 {
        cell.durations = cell.durations.map { LogLinearScale.middle(of: LogLinearScale.bucket(of: $0)) }
      }
      cell.durations.sort()
      return cell
    }
  }

  private func told(_ blocks: [CallBlock]) throws -> [CellKey: Cell] {
    var told: [CellKey: [Cell]] = [:]
    for block in blocks {
      let cells = try block.cells()
      for (index, run) in cells.runs.enumerated() {
        let calls = cells.calls(of: index)
        for place in 0..<calls.count {
          let key = CellKey(labels: cells.labels(of: run), kind: run.kind, minute: calls.cells[place].minute)
          var cell = Cell(errorCount: calls.cells[place].errorCount, callCount: calls.callCount(at: place))
          switch calls.durations(at: place) {
          case .each(let durations):
            cell.durations = [UInt64](repeating: 0, count: Int(durations.count))
            cell.durations.withUnsafeMutableBufferPointer {
              durations.unpack(0..<Int(durations.count), into: $0.baseAddress.unsafelyUnwrapped)
            }
            #expect(cell.durations == cell.durations.sorted())
          case .counted(let buckets):
            buckets.forEachBucket { bucket, count in
              cell.durations += repeatElement(LogLinearScale.middle(of: bucket), count: Int(count))
            }
          }
          told[key, default: []].append(cell)
        }
      }
    }
    return told.mapValues { cells in
      var sum = Cell()
      for cell in cells {
        sum.errorCount += cell.errorCount
        sum.callCount += cell.callCount
        sum.durations += cell.durations
      }
      if cells.count > 1, sum.callCount >= 256, cells[0].durations.count != sum.callCount {
        // What several blocks have of a minute is estimated when it is added up.
        sum.durations = sum.durations.map { LogLinearScale.middle(of: LogLinearScale.bucket(of: $0)) }
      }
      sum.durations.sort()
      return sum
    }
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `cells that were brought together are those of all their groups`(_ seed: UInt64) throws {
    let store = try Store(seed: seed, rowCounts: [300, 120, 40, 700, 90])
    let groups = try store.groups(0..<5)
    let expected = recount(store.records.flatMap(\.self), .operations)
    var counts: [Int] = []
    for _ in 0..<4 {
      let found = Self.blocks(of: groups).blocks
      counts.append(found.count)
      #expect(try told(found) == expected, "seed \(seed)")
      #expect(Set(found.flatMap(\.groups).map { "\($0.fileNumber) \($0.stripes[0].index)" }).count == groups.count)
    }
    // Nobody has asked for them before, then they are read, then brought together.
    #expect(counts[0] == groups.count && counts[1] <= 2 && counts[3] <= counts[1], "\(counts) of \(groups.count)")
    // In place of those that they were made of.
    #expect(store.cache.statistics.blockCount < groups.count)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `services are made of operations, whole and in parts`(_ seed: UInt64) throws {
    let store = try Store(seed: seed, rowCounts: [900, 1500, 40, 700, 90])
    let kinds: Set<Int32>? = seed % 2 == 0 ? nil : [1, 2, 3]
    let shape = CellShape.services(kinds: kinds)
    let all = try store.groups(0..<5)
    // Some groups of which services are kept already, when operations of more are.
    if seed > 2 { for block in Self.blocks(of: Array(all[3..<6]), shape).blocks { _ = try block.cells() } }
    if seed > 4 { for _ in 0..<2 { for block in Self.blocks(of: all).blocks { _ = try block.cells() } } }
    for turn in 0..<3 {
      for chosen in [0..<5, 1..<4, 0..<2] {
        let records = store.records[chosen].flatMap(\.self)
        // The others are not there.
        let found = Self.blocks(of: try store.groups(chosen), shape)
        #expect(try told(found.blocks) == recount(records, shape), "seed \(seed), turn \(turn)")
        #expect(found.damaged.isEmpty)
      }
    }
  }

  @Test func `many calls of a service take a few bytes each`() throws {
    let store = try Store(seed: 8, rowCounts: [4000])
    let groups = try store.groups(0..<1, maximumRowCount: 1 << 18)
    let cells = try #require(Self.blocks(of: groups, .services(kinds: nil)).blocks.first).cells()
    let isCounted = cells.runs.indices.contains { run in
      if case .counted = cells.calls(of: run).durations(at: 0) { true } else { false }
    }
    #expect(isCounted)
    #expect(try cells.residentByteCount < groups[0].cells().residentByteCount / 2)
  }

  /// What a question gets that asks for a quantile of so many cells of the first block; nil for all of them.
  private static func ask(
    _ quantile: Double, ofCells cellCount: Int? = nil, in groups: [CallGroup], _ shape: CellShape = .operations
  ) throws -> CellQuantiles? {
    var blocks = Self.blocks(of: groups, shape).blocks
    CallBlock.makeRoom(forQuantile: quantile, in: &blocks)
    let cells = try blocks[0].cells()
    return blocks[0].quantiles(quantile, of: cells, cellCount: cellCount ?? cells.cellCount)
  }

  @Test func `a quantile of every cell is kept, the last four that were asked for`() throws {
    // Cells of many calls and of few.
    let store = try Store(seed: 15, rowCounts: [4000, 700])
    let groups = try store.groups(0..<2, maximumRowCount: 1 << 18)
    for shape in [CellShape.operations, .services(kinds: nil)] {
      // Cells that are made for a question are kept for the next one.
      for _ in 0..<2 { #expect(try Self.ask(0.25, ofCells: 0, in: groups, shape) == nil) }
      let cells = try #require(Self.blocks(of: groups, shape).blocks.first).cells()
      #expect(cells.shape == shape)
      var byteCounts = [cells.residentByteCount]
      var kept: [CellQuantiles] = []
      for quantile in [0.5, 0.75, 0.95, 0.5, 0.75, 0.95, 0, 1, 0.75, 0.5] {
        let own = try #require(try Self.ask(quantile, in: groups, shape))
        kept.append(own)
        #expect(own.quantile == quantile)
        for (run, isExact) in cells.runs.indices.flatMap({ [($0, false), ($0, true)] }) {
          let made = cells.calls(of: run)
          let known = cells.calls(made, knowing: own)
          func values(_ calls: CallCells.Calls, _ quantile: Double) -> [Double] {
            var values = [Double](repeating: -1, count: calls.count)
            values.withUnsafeMutableBufferPointer {
              if let first = $0.baseAddress { calls.quantiles(quantile, isExact: isExact, into: first) }
            }
            return values
          }
          let half = known.count / 2..<known.count
          // Also of another one than is known.
          for asked in [quantile, 0.9] {
            #expect(values(known, asked) == values(made, asked))
            #expect(values(known.part(half), asked) == values(made.part(half), asked))
            #expect(values(cells.calls(made.part(half), knowing: own), asked) == values(made.part(half), asked))
          }
        }
        byteCounts.append(cells.residentByteCount)
      }
      let own = cells.cellCount * 8
      #expect(byteCounts.map { ($0 - byteCounts[0]) / own } == [0, 1, 2, 3, 3, 3, 3, 4, 4, 4, 4])
      // Three in turn are all found; the one that was not asked for longest goes.
      for place in 0..<3 { #expect(kept[place] === kept[place + 3]) }
      #expect(kept[8] === kept[1])
      #expect(kept[9] !== kept[0])
    }
  }

  @Test func `a quantile of a few cells is kept when it is asked for again`() throws {
    let store = try Store(seed: 17, rowCounts: [1200])
    let groups = try store.groups(0..<1, maximumRowCount: 1 << 18)
    #expect(try Self.ask(0.5, in: groups) == nil, "cells that are made for this question")
    let cells = try #require(Self.blocks(of: groups).blocks.first).cells()
    let byteCount = cells.residentByteCount
    let quantiles = [0.5, 0.75, 0.95]
    for quantile in quantiles { #expect(try Self.ask(quantile, ofCells: 1, in: groups) == nil) }
    #expect(cells.residentByteCount == byteCount)
    let made = try quantiles.map { try Self.ask($0, ofCells: 1, in: groups) }
    #expect(!made.contains { $0 == nil })
    for (quantile, made) in zip(quantiles, made) { #expect(try Self.ask(quantile, ofCells: 1, in: groups) === made) }
  }

  @Test func `quantiles are kept where there is ample room, with cells that the cache has`() throws {
    let whole = try Store(seed: 16, rowCounts: [1200])
    let byteCount = try whole.groups(0..<1, maximumRowCount: 1 << 18)[0].cells().residentByteCount
    for (cacheByteCount, isKept) in [(byteCount * 3 / 2, false), (byteCount * 4, true)] {
      let store = try Store(seed: 16, rowCounts: [1200], cacheByteCount: cacheByteCount)
      let groups = try store.groups(0..<1, maximumRowCount: 1 << 18)
      for _ in 0..<2 { _ = try Self.ask(0.5, ofCells: 0, in: groups) }
      let cells = try #require(Self.blocks(of: groups).blocks.first).cells()
      #expect((try Self.ask(0.5, in: groups) != nil) == isKept)
      #expect((cells.residentByteCount > byteCount) == isKept)
      var blocks = Self.blocks(of: groups).blocks
      CallBlock.makeRoom(forQuantile: 0.9, in: &blocks)
      store.cache.removeBlocks(ofFile: 1)
      #expect(blocks[0].quantiles(0.9, of: try blocks[0].cells(), cellCount: cells.cellCount) == nil)
    }
  }

  @Test func `neighbours are joined when none is more than two thirds of them`() {
    func ranges(_ weights: [Int?]) -> [Range<Int>] { Joining.ranges(of: weights, maximum: 100) }
    #expect(ranges([1, 1]) == [0..<2])
    #expect(ranges([2, 2]) == [0..<2])
    #expect(ranges([2, 1]) == [0..<2])
    #expect(ranges([3, 1]).isEmpty)
    #expect(ranges([9, 1, 1]) == [1..<3])
    #expect(ranges([1, nil, 1]).isEmpty)
    #expect(ranges([60, 60, 30]) == [1..<3])
  }

  @Test func `blocks that only share a part leave each other where they are`() throws {
    let store = try Store(seed: 13, rowCounts: [60, 60])
    let groups = try store.groups(0..<2)
    for block in Self.blocks(of: [groups[0]], .services(kinds: nil)).blocks { _ = try block.cells() }
    for _ in 0..<3 { for block in Self.blocks(of: groups).blocks { _ = try block.cells() } }
    let joined = try #require(groups[0].heldCells)
    #expect(joined.parts.count == 2)
    // Of the second group there are no services yet, and the first one's are not taken twice.
    let found = Self.blocks(of: groups, .services(kinds: nil)).blocks
    #expect(try told(found) == recount(store.records.flatMap(\.self), .services(kinds: nil)))
    #expect(groups[0].heldCells === joined && groups[1].heldCells === joined)
  }

  @Test func `names that would fill the memory are not kept, and not read again for it`() throws {
    var generator = RecordGenerator(seed: 14)
    // Twelve megabytes of names.
    var records = generator.records(200, traceCount: 40)
    let name = String(repeating: "select ", count: 9 << 10)
    for index in records.indices { records[index].span.name = "\(name)\(index)" }
    let fixture = try SegmentFixture(records)
    let group = try #require(try fixture.open().callGroups().first)
    for _ in 0..<2 {
      let failure = try #require(throws: TracestoreError.self) { _ = try group.cells() }
      #expect(failure.code == .limitExceeded)
      #expect(group.heldCells?.damage != nil)
    }
  }

  @Test func `services are not made where they would not stay`() throws {
    let count = 1200
    let whole = try Store(seed: 12, rowCounts: [count])
    let byteCount = try whole.groups(0..<1, maximumRowCount: 1 << 18)[0].cells().residentByteCount
    // A quarter of a cache is for other blocks.
    for (cacheByteCount, isMade) in [(byteCount * 3 / 2, false), (byteCount * 3, true)] {
      let store = try Store(seed: 12, rowCounts: [count], cacheByteCount: cacheByteCount)
      let groups = try store.groups(0..<1, maximumRowCount: 1 << 18)
      _ = try groups[0].cells()
      let cells = try #require(Self.blocks(of: groups, .services(kinds: nil)).blocks.first).cells()
      #expect((cells.shape == .services(kinds: nil)) == isMade)
      #expect(store.cache.holds(groups[0].key(.services(kinds: nil))) == isMade)
    }
  }

  @Test func `quantiles of services need no room but their own`() throws {
    let whole = try Store(seed: 18, rowCounts: [1200])
    let operations = try whole.groups(0..<1, maximumRowCount: 1 << 18)
    for _ in 0..<2 { _ = try Self.ask(0.5, ofCells: 0, in: operations, .services(kinds: nil)) }
    let services = try #require(Self.blocks(of: operations, .services(kinds: nil)).blocks.first).cells()
    let byteCount = try operations[0].cells().residentByteCount + services.residentByteCount
    // A quarter of a cache is for other blocks.
    for (spareByteCount, isKept) in [(8, false), (services.cellCount * 8 + 8, true)] {
      let store = try Store(seed: 18, rowCounts: [1200], cacheByteCount: (byteCount + spareByteCount) * 4 / 3)
      let groups = try store.groups(0..<1, maximumRowCount: 1 << 18)
      let made = try CallCellsMerge.cells(.services(kinds: nil), of: [groups[0].cells()])
      store.cache.replace(made.keys, by: made)
      #expect((try Self.ask(0.5, in: groups, .services(kinds: nil)) != nil) == isKept)
      #expect(try Self.ask(0.5, in: groups) == nil)
    }
  }

  /// Cells of many calls each: of small ones, quantiles take more than cells of services would.
  @Test(arguments: [true, false])
  func `services take the room of quantiles of operations, if it is enough`(isEnough: Bool) throws {
    let whole = try Store(seed: 19, rowCounts: [1200], isDense: true)
    let cells = try whole.groups(0..<1, maximumRowCount: 1 << 18)[0].cells()
    // A quarter of a cache is for other blocks. The other half is what quantiles are kept for.
    let byteCount = (cells.residentByteCount * 3 / 2 + cells.cellCount * 8 + 64) * 4 / 3
    let store = try Store(seed: 19, rowCounts: [1200], cacheByteCount: byteCount, isDense: true)
    let groups = try store.groups(0..<1, maximumRowCount: 1 << 18)
    func makeQuantile() throws -> CellQuantiles? { try Self.ask(0.5, in: groups) }
    #expect(try makeQuantile() == nil, "cells that are made for this question")
    let quantile = try #require(try makeQuantile())
    let held = try groups[0].cells()
    let neededByteCount = held.byteCountBesideQuantiles / 6
    try #require(quantile.byteCount + 16 < neededByteCount)
    // Something else comes that is as costly: services fit if the quantile goes, or not even so.
    let room = store.cache.roomForKnown(passCount: CallCells.passCount)
    let missing = isEnough ? 8 : quantile.byteCount + 8
    let other = Other(residentByteCount: room - neededByteCount + missing)
    store.cache.put(other, at: BlockCache.Key(fileNumber: 9, offset: 0), insteadOf: nil)
    let found = try #require(Self.blocks(of: groups, .services(kinds: nil)).blocks.first).cells()
    #expect(found.shape == (isEnough ? .services(kinds: nil) : .operations))
    #expect(held.quantileByteCount == (isEnough ? 0 : quantile.byteCount))
    #expect(try groups[0].cells() === held)
    if isEnough { #expect(try makeQuantile() == nil, "there is no ample room any more") }
  }

  private final class Other: CachedBlock {
    let residentByteCount: Int
    static let passCount = CallCells.passCount
    init(residentByteCount: Int) { self.residentByteCount = residentByteCount }
  }

  @Test func `a row is laid down anew a few times, however many groups come one after the other`() throws {
    let store = try Store(seed: 9, rowCounts: [Int](repeating: 100, count: 24))
    var laidDownCount = 0
    var previous: Set<ObjectIdentifier> = []
    var held: [CallCells] = []
    for end in 1...24 {
      let blocks = Self.blocks(of: try store.groups(0..<end), maximumRowCount: 2400).blocks
      let cells = try blocks.map { try $0.cells() }
      for own in cells where own.parts.count > 1 && !previous.contains(ObjectIdentifier(own)) {
        laidDownCount += own.rowCount
      }
      previous = Set(cells.map(ObjectIdentifier.init))
      held = cells
      #expect(cells.count <= 8, "\(cells.count) blocks of \(end) groups")
    }
    let rowCount = store.records.reduce(0) { $0 + $1.count }
    #expect(laidDownCount <= 6 * rowCount, "\(laidDownCount) of \(rowCount)")
    #expect(held.reduce(0) { $0 + $1.rowCount } == rowCount)
  }

  @Test func `a block with a part that does not count is not used, unless that lies outside of the window`() throws {
    let store = try Store(seed: 10, rowCounts: [100, 100, 100, 100])
    let all = try store.groups(0..<4)
    for _ in 0..<2 { for block in Self.blocks(of: all).blocks { _ = try block.cells() } }
    #expect(Self.blocks(of: all).blocks.count == 1)
    // The first segment does not count, and may have calls in the window.
    let rest = try store.groups(1..<4)
    let records = store.records[1...].flatMap(\.self)
    // It does not: the block is used, whose cells have its calls in other minutes.
    let behind = (store.segments[0].bounds.maximumStart + 1)...UInt64.max
    let used = Self.blocks(of: rest, in: behind).blocks
    #expect(used.count == 1)
    let first = UInt32(behind.lowerBound / Self.minute) + 1
    #expect(
      try told(used).filter { $0.key.minute >= first }
        == recount(records, .operations).filter { $0.key.minute >= first })
    #expect(used[0].starts.lowerBound < behind.lowerBound)
    let found = Self.blocks(of: rest).blocks
    #expect(found.count == rest.count)
    #expect(try told(found) == recount(records, .operations))
  }

  @Test func `a damaged group is named and joins no other`() throws {
    let store = try Store(seed: 11, rowCounts: [100, 100, 100])
    let stripe = try #require(try store.segments[1].spanStripes().first)
    var summary = stripe.summary
    // Rows before the first of their stripe.
    summary.bounds.minimumStart = Self.epoch + 8 * Self.minute
    let forged = CallGroup.groups([SegmentStripe(core: stripe.core, index: 0, summary: summary)])
    let groups = try store.groups(0..<1) + forged + store.groups(2..<3)
    for turn in 0..<3 {
      let found = Self.blocks(of: groups)
      #expect(found.damaged.count == (turn == 0 ? 0 : 1))
      var readable: [CallBlock] = []
      for block in found.blocks { if (try? block.cells()) != nil { readable.append(block) } }
      #expect(found.blocks.count - readable.count == (turn == 0 ? 1 : 0))
      #expect(try told(readable) == recount(store.records[0] + store.records[2], .operations))
      for shape in [CellShape.services(kinds: nil), .operations] where turn > 0 {
        #expect(Self.blocks(of: groups, shape).damaged.count == 1)
      }
    }
  }
}
