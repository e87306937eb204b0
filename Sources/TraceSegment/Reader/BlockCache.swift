import Synchronization

/// What a `BlockCache` holds: immutable content of a file, with what was decoded from it.
package protocol CachedBlock: AnyObject, Sendable {
  /// Bytes of memory held now. It may grow while parts are decoded; `BlockCache.recount(_:)` makes it known.
  var residentByteCount: Int { get }
}

/// Bounded memory for the blocks of all open segments, by the clock rule. Thread-safe.
///
/// A block that a caller holds stays alive after it was evicted; the bound is on what the cache itself keeps.
package final class BlockCache: Sendable {
  /// Where a block stands: the file's number in its store and the offset of its first byte.
  package struct Key: Hashable, Sendable {
    package var fileNumber: UInt64
    package var offset: UInt64

    package init(fileNumber: UInt64, offset: UInt64) {
      self.fileNumber = fileNumber
      self.offset = offset
    }
  }

  /// What the cache did so far, and what it holds.
  package struct Statistics: Hashable, Sendable {
    package var hitCount = 0
    package var missCount = 0
    package var evictionCount = 0
    package var blockCount = 0
    package var residentByteCount = 0
    package var maximumByteCount = 0
  }

  private struct Slot: Sendable {
    var key: Key
    var block: (any CachedBlock)?
    var byteCount: Int
    var isRecent: Bool
  }

  private struct State: Sendable {
    var slots: [Slot] = []
    var freeSlots: [Int] = []
    var indexByKey: [Key: Int] = [:]
    var hand = 0
    var statistics = Statistics()
    /// What is left of the bound for blocks.
    var roomByteCount = 0

    mutating func drop(_ index: Int) -> (any CachedBlock)? {
      let slot = slots[index]
      indexByKey[slot.key] = nil
      statistics.residentByteCount -= slot.byteCount
      statistics.blockCount -= 1
      slots[index].block = nil
      slots[index].byteCount = 0
      freeSlots.append(index)
      return slot.block
    }

    /// Frees blocks until the bound holds. What it returns is released outside of the lock.
    mutating func shrink() -> [any CachedBlock] {
      var dropped: [any CachedBlock] = []
      while statistics.residentByteCount > roomByteCount, statistics.blockCount > 0 {
        if hand >= slots.count { hand = 0 }
        if slots[hand].block != nil {
          if slots[hand].isRecent {
            slots[hand].isRecent = false
          } else if let block = drop(hand) {
            dropped.append(block)
            statistics.evictionCount += 1
          }
        }
        hand += 1
      }
      return dropped
    }
  }

  private let state: Mutex<State>
  private let maximumByteCount: Int
  /// How much of a stripe is read at first when not all of it is wanted: enough for the columns of traces and runs beside
  /// the head. A stripe up to twice as long is read whole.
  let frontByteCount: Int
  /// Contexts for decompression, handed to one reader at a time.
  private let scratches = Mutex<[ReadScratch]>([])

  /// - Parameter frontByteCount: tests lower it.
  package init(maximumByteCount: Int, frontByteCount: Int = 64 << 10) {
    self.maximumByteCount = max(0, maximumByteCount)
    self.frontByteCount = frontByteCount
    var initial = State()
    initial.statistics.maximumByteCount = self.maximumByteCount
    initial.roomByteCount = self.maximumByteCount
    state = Mutex(initial)
  }

  package var statistics: Statistics { state.withLock { $0.statistics } }

  /// Takes so many bytes from the blocks for what somebody else holds inside the bound, instead of what was taken before.
  package func reserve(byteCount: Int) {
    let dropped = state.withLock { state in
      state.roomByteCount = max(0, maximumByteCount - byteCount)
      return state.shrink()
    }
    withExtendedLifetime(dropped) {}
  }

  /// The block at `key`, loading it when it is not held. Two callers may load the same block at once; one wins.
  package func block<Block: CachedBlock>(_ key: Key, load: () throws -> Block) rethrows -> Block {
    if let held: Block = find(key) { return held }
    let loaded = try load()
    let (winner, dropped) = state.withLock { state -> (Block, [any CachedBlock]) in
      if let index = state.indexByKey[key], let held = state.slots[index].block as? Block { return (held, []) }
      let slot = Slot(key: key, block: loaded, byteCount: loaded.residentByteCount, isRecent: true)
      if let index = state.freeSlots.popLast() {
        state.slots[index] = slot
        state.indexByKey[key] = index
      } else {
        state.indexByKey[key] = state.slots.count
        state.slots.append(slot)
      }
      state.statistics.residentByteCount += slot.byteCount
      state.statistics.blockCount += 1
      return (loaded, state.shrink())
    }
    withExtendedLifetime(dropped) {}
    return winner
  }

  private func find<Block: CachedBlock>(_ key: Key) -> Block? {
    state.withLock { state in
      guard let index = state.indexByKey[key], let held = state.slots[index].block as? Block else {
        state.statistics.missCount += 1
        return nil
      }
      state.slots[index].isRecent = true
      state.statistics.hitCount += 1
      return held
    }
  }

  package func holds(_ key: Key) -> Bool { state.withLock { $0.indexByKey[key] != nil } }

  /// Forgets a block.
  package func removeBlock(_ key: Key) {
    let dropped = state.withLock { state in state.indexByKey[key].flatMap { state.drop($0) } }
    withExtendedLifetime(dropped) {}
  }

  /// Looks again at how many bytes a block holds, after a reader decoded more of it.
  func recount(_ key: Key) {
    let dropped = state.withLock { state -> [any CachedBlock] in
      guard let index = state.indexByKey[key], let block = state.slots[index].block else { return [] }
      let byteCount = block.residentByteCount
      state.statistics.residentByteCount += byteCount - state.slots[index].byteCount
      state.slots[index].byteCount = byteCount
      return state.shrink()
    }
    withExtendedLifetime(dropped) {}
  }

  /// Forgets every block of a file that is closed or gone.
  package func removeBlocks(ofFile fileNumber: UInt64) {
    let dropped = state.withLock { state in
      var dropped: [any CachedBlock] = []
      for index in state.slots.indices where state.slots[index].key.fileNumber == fileNumber {
        if state.slots[index].block != nil, let block = state.drop(index) { dropped.append(block) }
      }
      return dropped
    }
    withExtendedLifetime(dropped) {}
  }

  /// Lends scratch memory to `body`.
  func withScratch<Result>(_ body: (ReadScratch) throws -> Result) rethrows -> Result {
    let scratch = scratches.withLock { $0.popLast() } ?? ReadScratch()
    defer { scratches.withLock { if $0.count < 8 { $0.append(scratch) } } }
    return try body(scratch)
  }
}
