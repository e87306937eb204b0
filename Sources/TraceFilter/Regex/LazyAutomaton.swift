/// The deterministic automaton of a program, made as texts ask for it.
///
/// A state of it is a set of states of the program, in which the start always is: a match may begin anywhere. What has
/// been made is kept in a cache of limited size and forgotten all at once when that is full, so that a byte costs at
/// most one visit of every state and edge of the program, whatever pattern and text are.
///
/// A state is named by the byte offset of its row. Three rows are always there and come first, so that one comparison
/// tells them from the rest: `unknown`, where nothing has been made yet, `found`, and `start`. The first two lead to
/// themselves: a walk may take several steps before it looks where it is.
final class LazyAutomaton {
  /// Rows and keys together. A larger cache forgets less, and takes its memory once for every matcher of a query; one
  /// that leaves the caches of the processor is slower than making some states again.
  static let maximumCacheByteCount = 1 << 21
  /// A row has an entry for each pair of classes up to this many classes, beside one for each class. The walk waits for
  /// one load after another, so half as many loads are half the time; with more classes the rows become too long. If
  /// all classes are too many, those of ASCII may be few enough.
  private static let maximumPairedClassCount = 32
  /// The three that are always there, and some that lead from one to another.
  private static let minimumCapacity = 16

  static let unknown: UInt32 = 0
  let found: UInt32
  let start: UInt32

  private let program: PatternProgram
  private let classCount: Int
  private let rowByteCount: Int
  private let wordCount: Int
  private let capacity: Int
  private let slotMask: Int
  let hasPairs: Bool
  /// Eight bytes that have none of these bits may be read in pairs.
  let unpairedBits: UInt64

  let rows: UnsafeMutableRawPointer
  /// For each byte, where in a row the entry of its class is.
  let columns: UnsafeMutablePointer<UInt16>
  /// For each byte, where in a row the entries of the pairs begin that its class is first in.
  let pairColumns: UnsafeMutablePointer<UInt16>
  private let keys: UnsafeMutablePointer<UInt64>
  /// A hash table of keys: the index of a state, or 0.
  private let slots: UnsafeMutablePointer<UInt32>
  /// The states of the program that are reached from its start without a byte.
  private let startStates: UnsafeMutablePointer<UInt64>
  /// The set that is being made.
  private let states: UnsafeMutablePointer<UInt64>
  private let pending: UnsafeMutablePointer<UInt32>

  @exclusivity(unchecked) private var count = 0
  /// States and edges of the program that were visited, states that were made, and how often all were forgotten.
  @exclusivity(unchecked) private(set) var visitCount = 0
  @exclusivity(unchecked) private(set) var madeCount = 0
  @exclusivity(unchecked) private(set) var clearCount = 0

  init(_ program: PatternProgram, cacheByteCount: Int) {
    self.program = program
    classCount = program.classCount
    let asciiClassCount = Int(program.classes[0x7f]) + 1
    let pairedClassCount = classCount <= Self.maximumPairedClassCount ? classCount : asciiClassCount
    hasPairs = pairedClassCount <= Self.maximumPairedClassCount
    unpairedBits = pairedClassCount == classCount ? 0 : 0x8080_8080_8080_8080
    rowByteCount = 4 * (classCount + (hasPairs ? pairedClassCount * pairedClassCount : 0))
    wordCount = program.readingWordCount
    capacity = max(cacheByteCount / (rowByteCount + 8 * wordCount + 8), Self.minimumCapacity)
    found = UInt32(rowByteCount)
    start = UInt32(2 * rowByteCount)
    var slotCount = 64
    while slotCount < 2 * capacity { slotCount *= 2 }
    slotMask = slotCount - 1
    rows = .allocate(byteCount: capacity * rowByteCount, alignment: 64)
    columns = .allocate(capacity: 256)
    pairColumns = .allocate(capacity: 256)
    keys = .allocate(capacity: capacity * wordCount)
    slots = .allocate(capacity: slotCount)
    startStates = .allocate(capacity: program.wordCount)
    states = .allocate(capacity: program.wordCount)
    pending = .allocate(capacity: program.jumpStarts.count)
    for byte in 0..<256 {
      let index = Int(program.classes[byte])
      columns[byte] = UInt16(4 * index)
      let isPaired = hasPairs && index < pairedClassCount
      pairColumns[byte] = isPaired ? UInt16(4 * (classCount + index * pairedClassCount)) : 0
    }
    startStates.initialize(repeating: 0, count: program.wordCount)
    states.initialize(repeating: 0, count: program.wordCount)
    let isFound = add(program.start)
    precondition(!isFound, "a pattern that matches the empty text needs no automaton")
    startStates.update(from: states, count: program.wordCount)
    clear()
  }

  deinit {
    rows.deallocate()
    columns.deallocate()
    pairColumns.deallocate()
    keys.deallocate()
    slots.deallocate()
    startStates.deallocate()
    states.deallocate()
    pending.deallocate()
  }

  /// Forgets all states but the three that are always there.
  private func clear() {
    slots.initialize(repeating: 0, count: slotMask + 1)
    count = 3
    fillRow(0, with: Self.unknown)
    fillRow(1, with: found)
    fillRow(2, with: Self.unknown)
    (keys + 2 * wordCount).update(from: startStates, count: wordCount)
    slots[slot(of: startStates)] = 2
  }

  private func fillRow(_ index: Int, with state: UInt32) {
    (rows + index * rowByteCount).initializeMemory(as: UInt32.self, repeating: state, count: rowByteCount / 4)
  }

  /// The slot that holds the key, or the free one where it belongs.
  private func slot(of key: UnsafeMutablePointer<UInt64>) -> Int {
    var hash: UInt64 = 0
    for index in 0..<wordCount {
      hash = (hash ^ key[index]) &* 0x9e37_79b9_7f4a_7c15
      hash ^= hash >> 29
    }
    var slot = Int(truncatingIfNeeded: hash >> 16) & slotMask
    while slots[slot] != 0, !isEqual(keys + Int(slots[slot]) * wordCount, key) { slot = (slot + 1) & slotMask }
    return slot
  }

  private func isEqual(_ one: UnsafeMutablePointer<UInt64>, _ other: UnsafeMutablePointer<UInt64>) -> Bool {
    var index = 0
    while index < wordCount, one[index] == other[index] { index &+= 1 }
    return index == wordCount
  }

  // MARK: Steps

  /// Reads bytes from `state` on and fills the entries that are missing on the way.
  @inline(never)
  func read(_ bytes: UnsafeRawPointer, count byteCount: Int, from first: UInt32) -> UInt32 {
    var state = first
    var place = 0
    while place < byteCount, state != found {
      let firstByte = bytes.load(fromByteOffset: place, as: UInt8.self)
      let column = Int(columns[Int(firstByte)])
      guard hasPairs, place &+ 2 <= byteCount else {
        state = step(state, column)
        place &+= 1
        continue
      }
      let secondByte = bytes.load(fromByteOffset: place &+ 1, as: UInt8.self)
      let second = Int(columns[Int(secondByte)])
      guard UInt64(firstByte | secondByte) & unpairedBits == 0 else {
        state = step(state, column)
        if state != found { state = step(state, second) }
        place &+= 2
        continue
      }
      let pair = Int(pairColumns[Int(firstByte)]) &+ second
      let known = rows.load(fromByteOffset: Int(state) &+ pair, as: UInt32.self)
      if known != Self.unknown {
        state = known
      } else {
        let clearCountBefore = clearCount
        let middle = step(state, column)
        let last = middle == found ? found : step(middle, second)
        if clearCount == clearCountBefore {
          rows.storeBytes(of: last, toByteOffset: Int(state) &+ pair, as: UInt32.self)
        }
        state = last
      }
      place &+= 2
    }
    return state
  }

  /// The state after a byte, by the column of its class. May forget all states, `state` too.
  private func step(_ state: UInt32, _ column: Int) -> UInt32 {
    let known = rows.load(fromByteOffset: Int(state) &+ column, as: UInt32.self)
    if known != Self.unknown { return known }
    let clearCountBefore = clearCount
    let next = makeNext(Int(state) / rowByteCount, class: UInt8(column / 4))
    if clearCount == clearCountBefore {
      rows.storeBytes(of: next, toByteOffset: Int(state) &+ column, as: UInt32.self)
    }
    return next
  }

  private func makeNext(_ index: Int, class byteClass: UInt8) -> UInt32 {
    states.update(from: startStates, count: program.wordCount)
    let key = keys + index * wordCount
    for word in 0..<wordCount {
      var bits = key[word]
      while bits != 0 {
        let state = word &* 64 &+ bits.trailingZeroBitCount
        bits &= bits &- 1
        visitCount &+= 1
        for edge in Int(program.edgeStarts[state])..<Int(program.edgeStarts[state + 1]) {
          let edge = program.edges[edge]
          if byteClass < edge.low { break }
          visitCount &+= 1
          guard byteClass <= edge.high else { continue }
          if add(edge.target) { return found }
          break
        }
      }
    }
    return stateOfSet()
  }

  /// Adds a state of the program and what it leads to without a byte; true if that is a match.
  private func add(_ state: UInt32) -> Bool {
    guard state != PatternProgram.accept else { return true }
    guard insert(state), state >= program.jumpBase else { return false }
    var pendingCount = 1
    pending[0] = state
    while pendingCount > 0 {
      pendingCount -= 1
      let index = Int(pending[pendingCount] - program.jumpBase)
      for jump in Int(program.jumpStarts[index])..<Int(program.jumpStarts[index + 1]) {
        visitCount &+= 1
        let target = program.jumpTargets[jump]
        guard target != PatternProgram.accept else { return true }
        guard insert(target), target >= program.jumpBase else { continue }
        pending[pendingCount] = target
        pendingCount += 1
      }
    }
    return false
  }

  /// False if the set had it.
  @inline(__always)
  private func insert(_ state: UInt32) -> Bool {
    let bit: UInt64 = 1 &<< UInt64(state & 63)
    let word = Int(state >> 6)
    if states[word] & bit != 0 { return false }
    states[word] |= bit
    return true
  }

  /// The state that stands for the set.
  private func stateOfSet() -> UInt32 {
    var place = slot(of: states)
    if slots[place] != 0 { return UInt32(Int(slots[place]) * rowByteCount) }
    if count == capacity {
      clear()
      clearCount += 1
      place = slot(of: states)
    }
    madeCount += 1
    fillRow(count, with: Self.unknown)
    (keys + count * wordCount).update(from: states, count: wordCount)
    slots[place] = UInt32(count)
    count += 1
    return UInt32((count - 1) * rowByteCount)
  }
}
