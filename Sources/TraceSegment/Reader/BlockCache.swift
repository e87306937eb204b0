import Synchronization

/// What a `BlockCache` holds: immutable content of a file, with what was decoded from it.
package protocol CachedBlock: AnyObject, Sendable {
  /// Bytes of memory held now. It may grow while parts are decoded; `BlockCache.recount(_:)` makes it known.
  var residentByteCount: Int { get }
  /// How often a known block is passed by after it was last asked for before it goes. More than one for what takes much
  /// longer to make than a stripe to read: such a block is known from the beginning, if it drives out none like it.
  static var passCount: Int { get }
}

extension CachedBlock {
  package static var passCount: Int { 1 }
}

/// Bounded memory for the blocks of all open segments. Thread-safe.
///
/// A search that finds little walks over more than the cache holds, and must not drive out what others ask for again and
/// again. So a block is new until another question asks for it (a search comes back to what it has just loaded; that says
/// nothing), and from then on known. New blocks go before known ones as long as they have
/// more than their share of the memory, in the order in which they came; known ones go by the clock rule, what is costly
/// to make after more rounds, and become new again when nobody asks for them while the memory changes hands many times.
///
/// A block that a caller holds stays alive after it was evicted; the bound is on what the cache itself keeps.
package final class BlockCache: Sendable {
  /// Where a block stands: the file's number in its store and the offset of its first byte.
  package struct Key: Hashable, Sendable {
    package var fileNumber: UInt64
    package var offset: UInt64
    /// Tells blocks apart that are computed of one place; 0 where there is only one.
    package var variant: UInt64

    package init(fileNumber: UInt64, offset: UInt64, variant: UInt64 = 0) {
      self.fileNumber = fileNumber
      self.offset = offset
      self.variant = variant
    }

    /// Of what is computed of many files and outlives each of them: no file has this number.
    package static func ofNoFile(variant: UInt64) -> Key { Key(fileNumber: .max, offset: 0, variant: variant) }
  }

  /// What the cache did so far, and what it holds.
  package struct Statistics: Hashable, Sendable {
    package var hitCount = 0
    /// Blocks that were put into it: loaded or made.
    package var loadCount = 0
    package var evictionCount = 0
    package var blockCount = 0
    package var residentByteCount = 0
    package var maximumByteCount = 0
  }

  private struct Slot: Sendable {
    var key: Key
    /// Where else it stands.
    var otherKeys: [Key] = []
    var block: (any CachedBlock)?
    var byteCount: Int
    /// The question that asked for it last.
    var question: Int
    /// Of known blocks: how many blocks had been loaded when it was last asked for.
    var loadCount: Int
    var isKnown = false
    /// Of known blocks: how often the hand passes by before they go.
    var passCount = 0

    /// The block if it is exactly a `Block`. A comparison of classes, where `as?` walks them: each question comes by here for
    /// each segment, if it only asks a filter.
    func block<Block: CachedBlock>(as type: Block.Type) -> Block? {
      guard let block, ObjectIdentifier(Swift.type(of: block)) == ObjectIdentifier(type) else { return nil }
      return unsafeDowncast(block, to: type)
    }

    func stands(in fileNumber: UInt64) -> Bool {
      key.fileNumber == fileNumber || otherKeys.contains { $0.fileNumber == fileNumber }
    }
  }

  /// What many questions ask for stays longer than what one walk after the other comes by: each question adds a round to
  /// those that a known block is passed by, up to so many.
  private static let maximumPassCount = 8
  /// For each block that there is room for, loads after which a known one that nobody asks for is new again; also the
  /// evictions after which the next one is looked at.
  private static let loadCountOfAge = 16

  /// New blocks may have this part of the memory, at least.
  private static let newShare = 4

  private struct State: Sendable {
    var slots: [Slot] = []
    var freeSlots: [Int] = []
    var indexByKey: [Key: Int] = [:]
    /// How many began.
    var questionCount = 0
    var newHand = -1
    var knownHand = -1
    var agingHand = -1
    /// Of `statistics.residentByteCount`.
    var newByteCount = 0
    var newBlockCount = 0
    var statistics = Statistics()
    /// What is left of the bound for blocks.
    var roomByteCount = 0

    /// Notes that a block was asked for.
    mutating func touch(_ index: Int) {
      guard slots[index].question != questionCount else { return }
      slots[index].question = questionCount
      let passCount = slots[index].block.map { type(of: $0).passCount } ?? 0
      if slots[index].isKnown {
        slots[index].passCount = max(passCount, min(slots[index].passCount + 1, BlockCache.maximumPassCount))
      } else {
        slots[index].isKnown = true
        if passCount > 1 { slots[index].passCount = passCount }
        newByteCount -= slots[index].byteCount
        newBlockCount -= 1
      }
      slots[index].loadCount = statistics.loadCount
    }

    mutating func resize(_ index: Int, to byteCount: Int) {
      let difference = byteCount - slots[index].byteCount
      slots[index].byteCount = byteCount
      statistics.residentByteCount += difference
      if !slots[index].isKnown { newByteCount += difference }
    }

    mutating func drop(_ index: Int) -> (any CachedBlock)? {
      resize(index, to: 0)
      let slot = slots[index]
      indexByKey[slot.key] = nil
      for key in slot.otherKeys { indexByKey[key] = nil }
      if !slot.isKnown { newBlockCount -= 1 }
      statistics.blockCount -= 1
      slots[index].block = nil
      freeSlots.append(index)
      return slot.block
    }

    /// Holds a block, for which there may be no room: `shrink` then lets go of others, or of it.
    ///
    /// - Parameter isBounded: whether something else sees to it that its kind takes little.
    /// - Precondition: none stands at its keys.
    mutating func insert<Block: CachedBlock>(
      _ block: Block, at key: Key, and otherKeys: [Key] = [], isBounded: Bool = false
    ) {
      var slot = Slot(
        key: key, otherKeys: otherKeys, block: block, byteCount: 0, question: questionCount,
        loadCount: statistics.loadCount)
      // Small ones do not look for room, which costs a walk over all blocks: more than reading some of them.
      if Block.passCount > 1,
        isBounded || Block.passCount <= BlockCache.maximumPassCount
          || block.residentByteCount <= roomForKnown(passCount: Block.passCount)
      {
        (slot.isKnown, slot.passCount) = (true, Block.passCount)
      }
      statistics.loadCount += 1
      let index = freeSlots.popLast() ?? slots.count
      if index < slots.count { slots[index] = slot } else { slots.append(slot) }
      indexByKey[key] = index
      for key in otherKeys { indexByKey[key] = index }
      statistics.blockCount += 1
      if !slot.isKnown { newBlockCount += 1 }
      resize(index, to: block.residentByteCount)
    }

    /// How large one more known block may be that drives out none that costs as much to make and was asked for lately:
    /// blocks that are asked for in turn, and do not all fit, would each drive out the next to be asked for.
    func roomForKnown(passCount: Int) -> Int {
      var byteCount = 0
      for slot in slots where slot.isKnown && slot.passCount > 0 {
        if let other = slot.block, type(of: other).passCount >= passCount { byteCount += slot.byteCount }
      }
      return roomByteCount - roomByteCount / BlockCache.newShare - byteCount
    }

    /// Frees blocks until the bound holds. What it returns is released outside of the lock.
    mutating func shrink() -> [any CachedBlock] {
      var dropped: [any CachedBlock] = []
      while statistics.residentByteCount > roomByteCount, statistics.blockCount > 0 {
        let isNewDue =
          newBlockCount > 0
          && (newByteCount > roomByteCount / BlockCache.newShare || newBlockCount == statistics.blockCount)
        let index = isNewDue ? nextNew() : nextKnown()
        if let block = drop(index) { dropped.append(block) }
        statistics.evictionCount += 1
        if statistics.evictionCount % BlockCache.loadCountOfAge == 0 { age() }
      }
      return dropped
    }

    /// The new block that stands longest, or nearly so: a slot that was freed is taken again just behind the hand.
    ///
    /// - Precondition: there is one.
    private mutating func nextNew() -> Int {
      while true {
        newHand = newHand + 1 < slots.count ? newHand + 1 : 0
        if slots[newHand].block != nil, !slots[newHand].isKnown { return newHand }
      }
    }

    /// The next known block that nobody has asked for for so long as it is passed by.
    ///
    /// - Precondition: there is one that is known.
    private mutating func nextKnown() -> Int {
      while true {
        knownHand = knownHand + 1 < slots.count ? knownHand + 1 : 0
        if slots[knownHand].block == nil || !slots[knownHand].isKnown { continue }
        if slots[knownHand].passCount == 0 { return knownHand }
        slots[knownHand].passCount -= 1
      }
    }

    /// Looks at one block: known ones that nobody asks for any more do not stand for ever.
    private mutating func age() {
      agingHand = agingHand + 1 < slots.count ? agingHand + 1 : 0
      let slot = slots[agingHand]
      guard slot.block != nil, slot.isKnown,
        statistics.loadCount - slot.loadCount > BlockCache.loadCountOfAge * slots.count
      else { return }
      slots[agingHand].isKnown = false
      slots[agingHand].passCount = 0
      newByteCount += slot.byteCount
      newBlockCount += 1
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

  /// What blocks may take.
  package var roomByteCount: Int { state.withLock { $0.roomByteCount } }

  /// Tells the questions of several callers apart, as far as they do not overlap: what is asked for from now on is asked
  /// for anew.
  package func beginQuestion() { state.withLock { $0.questionCount += 1 } }

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
      if let index = state.indexByKey[key], let held = state.slots[index].block(as: Block.self) { return (held, []) }
      state.insert(loaded, at: key)
      return (loaded, state.shrink())
    }
    withExtendedLifetime(dropped) {}
    return winner
  }

  /// The block at `key`, if it is held and of this type.
  package func find<Block: CachedBlock>(_ key: Key) -> Block? {
    state.withLock { state in
      guard let index = state.indexByKey[key], let held = state.slots[index].block(as: Block.self) else {
        return nil
      }
      state.touch(index)
      state.statistics.hitCount += 1
      return held
    }
  }

  /// How large a block of a kind that is costly to make may be to stay: else making it for the cache is of no use. It is
  /// a walk over all blocks; below 0 where too many stand there.
  func roomForKnown(passCount: Int) -> Int { state.withLock { $0.roomForKnown(passCount: passCount) } }

  package func holds(_ key: Key) -> Bool { state.withLock { $0.indexByKey[key] != nil } }

  /// Whether it is this block that stands at a key.
  func holds(_ block: some CachedBlock, at key: Key) -> Bool {
    state.withLock { state in state.indexByKey[key].map { state.slots[$0].block === block } ?? false }
  }

  /// Holds a block in place of those that stood at its keys; it is found at each of them, and goes as a whole.
  ///
  /// - Precondition: there is a key, and no two are equal.
  func replace(_ keys: [Key], by block: some CachedBlock) {
    guard let first = keys.first else { preconditionFailure("a block that stands nowhere") }
    let dropped = state.withLock { state in
      var dropped = keys.compactMap { key in state.indexByKey[key].flatMap { state.drop($0) } }
      state.insert(block, at: first, and: Array(keys.dropFirst()))
      dropped += state.shrink()
      return dropped
    }
    withExtendedLifetime(dropped) {}
  }

  func replace(_ key: Key, by block: some CachedBlock) { replace([key], by: block) }

  /// Holds a block in place of the one that stood at its key. Of its kind those that were asked for longest ago go until all
  /// take no more than so many bytes.
  package func replace<Block: CachedBlock>(_ key: Key, by block: Block, maximumByteCountOfKind: Int) {
    guard block.residentByteCount <= maximumByteCountOfKind else { return }
    let dropped = state.withLock { state in
      var dropped = state.indexByKey[key].flatMap { state.drop($0) }.map { [$0] } ?? []
      var byteCount = block.residentByteCount
      let others = state.slots.indices.filter { state.slots[$0].block(as: Block.self) != nil }
      for index in others.sorted(by: { state.slots[$0].question > state.slots[$1].question }) {
        byteCount += state.slots[index].byteCount
        if byteCount > maximumByteCountOfKind, let gone = state.drop(index) { dropped.append(gone) }
      }
      state.insert(block, at: key, isBounded: true)
      return dropped + state.shrink()
    }
    withExtendedLifetime(dropped) {}
  }

  /// Holds a block where none stands but the one that is of no use any more.
  func put(_ block: some CachedBlock, at key: Key, insteadOf stale: (any CachedBlock)?) {
    let dropped = state.withLock { state in
      var dropped: [any CachedBlock] = []
      if let index = state.indexByKey[key] {
        guard let stale, state.slots[index].block === stale else { return dropped }
        if let gone = state.drop(index) { dropped.append(gone) }
      }
      state.insert(block, at: key)
      return dropped + state.shrink()
    }
    withExtendedLifetime(dropped) {}
  }

  /// Forgets a block.
  package func removeBlock(_ key: Key) {
    let dropped = state.withLock { state in state.indexByKey[key].flatMap { state.drop($0) } }
    withExtendedLifetime(dropped) {}
  }

  /// Looks again at how many bytes a block holds, after a reader decoded more of it.
  func recount(_ key: Key) {
    let dropped = state.withLock { state -> [any CachedBlock] in
      guard let index = state.indexByKey[key], let block = state.slots[index].block else { return [] }
      state.resize(index, to: block.residentByteCount)
      return state.shrink()
    }
    withExtendedLifetime(dropped) {}
  }

  /// Forgets every block of a file that is closed or gone.
  package func removeBlocks(ofFile fileNumber: UInt64) {
    let dropped = state.withLock { state in
      var dropped: [any CachedBlock] = []
      for index in state.slots.indices where state.slots[index].stands(in: fileNumber) {
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
