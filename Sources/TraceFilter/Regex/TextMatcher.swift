/// Looks for one pattern in many texts. For one thread at a time.
package final class TextMatcher {
  private let plan: PatternPlan
  private let cacheByteCount: Int
  /// Made when a first text needs it: a literal seldom does.
  @exclusivity(unchecked) private(set) var automaton: LazyAutomaton?
  /// Bytes that searches for literals compared one by one.
  @exclusivity(unchecked) private(set) var comparedByteCount = 0
  /// What skipping has earned so far, in bytes. A skip that leads to the next candidate costs as much as the automaton
  /// takes for some bytes; where candidates are everywhere, it is better left alone.
  @exclusivity(unchecked) private var skipCredit = TextMatcher.maximumSkipCredit
  private static let maximumSkipCredit = 4096
  private static let skipByteCost = 24

  /// - Parameter cacheByteCount: what the automaton may keep; less, for a test.
  init(_ plan: PatternPlan, cacheByteCount: Int = LazyAutomaton.maximumCacheByteCount) {
    self.plan = plan
    self.cacheByteCount = cacheByteCount
  }

  package func matches(_ text: UnsafeRawBufferPointer) -> Bool {
    guard let program = plan.program else { return true }
    if let required = plan.required {
      let outcome = required.search(text, from: 0, comparedByteCount: &comparedByteCount)
      if outcome == .absent { return false }
    }
    var place = 0
    var isSkipping = plan.skip != nil && skipCredit >= 0
    if plan.isLiteral, case .literal(let search) = plan.skip {
      switch search.search(text, from: 0, comparedByteCount: &comparedByteCount) {
      case .found: return true
      case .absent: return false
      case .gaveUp(let end): (place, isSkipping) = (end, false)
      }
    }
    if let automaton { return walk(automaton, text, from: place, isSkipping: isSkipping) }
    let made = LazyAutomaton(program, cacheByteCount: cacheByteCount)
    automaton = made
    return walk(made, text, from: place, isSkipping: isSkipping)
  }

  /// Eight bytes a turn, as one jump after another; only then it is looked where they led.
  private func walk(
    _ automaton: LazyAutomaton, _ text: UnsafeRawBufferPointer, from first: Int, isSkipping: Bool
  ) -> Bool {
    guard let bytes = text.baseAddress else { return false }
    let end = text.count
    let rows = UnsafeRawPointer(automaton.rows)
    let columns = UnsafePointer(automaton.columns)
    let pairColumns = UnsafePointer(automaton.pairColumns)
    let hasPairs = automaton.hasPairs
    let unpairedBits = automaton.unpairedBits
    let found = automaton.found
    let start = automaton.start
    var isSkipping = isSkipping
    var place = first
    var state = start

    @inline(__always)
    func one(_ state: UInt32, _ offset: Int) -> UInt32 {
      let column = rows + Int(columns[Int(bytes.load(fromByteOffset: offset, as: UInt8.self))])
      return column.load(fromByteOffset: Int(state), as: UInt32.self)
    }
    @inline(__always)
    func two(_ state: UInt32, _ offset: Int) -> UInt32 {
      let column =
        (rows + Int(pairColumns[Int(bytes.load(fromByteOffset: offset, as: UInt8.self))]))
        + Int(columns[Int(bytes.load(fromByteOffset: offset &+ 1, as: UInt8.self))])
      return column.load(fromByteOffset: Int(state), as: UInt32.self)
    }

    while true {
      if isSkipping {
        guard let candidate = nextCandidate(text, from: place, &isSkipping) else { return false }
        place = candidate
      }
      // What comes up to here ends the quick turns.
      let limit = isSkipping ? start : found
      var isBackAtStart = false
      while end &- place >= 8 {
        var next = state
        if hasPairs, bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self) & unpairedBits == 0 {
          next = two(next, place)
          next = two(next, place &+ 2)
          next = two(next, place &+ 4)
          next = two(next, place &+ 6)
        } else {
          for offset in 0..<8 { next = one(next, place &+ offset) }
        }
        if next <= limit {
          if next == LazyAutomaton.unknown { next = automaton.read(bytes + place, count: 8, from: state) }
          if next == found { return true }
          isBackAtStart = isSkipping && next == start
        }
        state = next
        place &+= 8
        if isBackAtStart { break }
      }
      if isBackAtStart { continue }
      while place < end {
        var next = one(state, place)
        if next <= found {
          if next == LazyAutomaton.unknown { next = automaton.read(bytes + place, count: 1, from: state) }
          if next == found { return true }
        }
        state = next
        place &+= 1
      }
      return false
    }
  }

  /// Where a match may begin, or nil; from `place` on, where none has begun.
  private func nextCandidate(_ text: UnsafeRawBufferPointer, from place: Int, _ isSkipping: inout Bool) -> Int? {
    var candidate = place
    switch plan.skip {
    case .literal(let search):
      switch search.search(text, from: place, comparedByteCount: &comparedByteCount) {
      case .absent: return nil
      case .found(let start): candidate = start
      case .gaveUp(let end):
        isSkipping = false
        return end
      }
    case .firstByte(let search):
      guard let start = search.search(text, from: place) else { return nil }
      candidate = start
    case nil: break
    }
    skipCredit = min(skipCredit &+ (candidate &- place) &- Self.skipByteCost, Self.maximumSkipCredit)
    if skipCredit < 0 { isSkipping = false }
    return candidate
  }
}
