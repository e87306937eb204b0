/// Makes the states of a program, from the end of a pattern to its beginning: what follows is always there already.
struct ProgramBuilder {
  typealias Edge = PatternProgram.Edge

  enum State {
    case reads([Edge])
    case jumps([UInt32])
  }

  /// In the order of making, which mixes both kinds. The edges are over bytes.
  private(set) var states: [State] = []
  private var size = 0

  /// The state in which `node` is still to be found, and then what `next` wants.
  mutating func compile(_ node: PatternNode, next: UInt32) throws(PatternError) -> UInt32 {
    switch node {
    case .empty: return next
    case .set(let set): return try compile(set, next: next)
    case .sequence(let items):
      var next = next
      for item in items.reversed() { next = try compile(item, next: next) }
      return next
    case .choice(let branches):
      var targets: [UInt32] = []
      for branch in branches { targets.append(try compile(branch, next: next)) }
      return try add(.jumps(targets))
    case .repetition(let body, let minimum, let maximum):
      return try compile(body, minimum: minimum, maximum: maximum, next: next)
    }
  }

  private mutating func compile(
    _ body: PatternNode, minimum: Int, maximum: Int?, next end: UInt32
  ) throws(PatternError) -> UInt32 {
    var next = end
    var copyCount = minimum
    if let maximum {
      for _ in 0..<(maximum - minimum) { next = try add(.jumps([compile(body, next: next), end])) }
    } else {
      let loop = try add(.jumps([]))
      let first = try compile(body, next: loop)
      states[Int(loop)] = .jumps([first, end])
      size += 2
      // The loop may be entered at its body, which is then the last copy.
      next = minimum == 0 ? loop : first
      copyCount = max(minimum - 1, 0)
    }
    for _ in 0..<copyCount { next = try compile(body, next: next) }
    return next
  }

  mutating func add(_ state: State) throws(PatternError) -> UInt32 {
    switch state {
    case .reads(let edges): size += 1 + edges.count
    case .jumps(let targets): size += 1 + targets.count
    }
    guard size <= TextPattern.maximumProgramSize else {
      throw PatternError(
        offset: 0,
        reason: "the pattern is compiled to more than \(TextPattern.maximumProgramSize) states and edges: "
          + "use smaller counts or smaller classes")
    }
    states.append(state)
    return UInt32(states.count - 1)
  }
}

// The scalars of a set as a tree of the bytes of UTF-8. Parts of the tree that read the same are made once.
extension ProgramBuilder {
  private struct Tree {
    let set: ScalarSet
    let next: UInt32
    var states: [[Edge]: UInt32] = [:]
  }

  private mutating func compile(_ set: ScalarSet, next: UInt32) throws(PatternError) -> UInt32 {
    var tree = Tree(set: set, next: next)
    var edges: [Edge] = []
    for range in set.ranges where range.lowerBound < 0x80 {
      edges.append(Edge(low: UInt8(range.lowerBound), high: UInt8(min(range.upperBound, 0x7f)), target: next))
    }
    for lead in 0xc2...0xf4 as ClosedRange<UInt8> {
      let block: ScalarSet.Range
      let levelCount: Int
      // A scalar has one encoding, the shortest: the longer leads do not reach the scalars of the shorter ones.
      switch lead {
      case ..<0xe0: (block, levelCount) = (Self.block(lead - 0xc0, shift: 6), 1)
      case ..<0xf0: (block, levelCount) = (Self.block(lead - 0xe0, shift: 12).clamped(to: 0x800...0xffff), 2)
      default: (block, levelCount) = (Self.block(lead - 0xf0, shift: 18).clamped(to: 0x10000...ScalarSet.maximum), 3)
      }
      if let target = try state(block, levelCount, &tree) { Self.append(lead, target, to: &edges) }
    }
    return try add(.reads(edges))
  }

  private static func block(_ index: UInt8, shift: UInt32) -> ScalarSet.Range {
    let start = UInt32(index) << shift
    return start...(start + (1 << shift) - 1)
  }

  /// Reads `levelCount` continuation bytes of a scalar in `block`; nil if the set has none of them.
  private mutating func state(
    _ block: ScalarSet.Range, _ levelCount: Int, _ tree: inout Tree
  ) throws(PatternError) -> UInt32? {
    let index = tree.set.firstIndex(endingAtOrAfter: block.lowerBound)
    guard index < tree.set.ranges.count, tree.set.ranges[index].lowerBound <= block.upperBound else { return nil }
    if levelCount == 0 { return tree.next }
    let shift = UInt32(6 * (levelCount - 1))
    let isWhole = block.upperBound - block.lowerBound + 1 == 64 << shift
    var edges: [Edge] = []
    let range = tree.set.ranges[index]
    if isWhole, range.lowerBound <= block.lowerBound, range.upperBound >= block.upperBound {
      let first = block.lowerBound...(block.lowerBound + (1 << shift) - 1)
      if let target = try state(first, levelCount - 1, &tree) { edges = [Edge(low: 0x80, high: 0xbf, target: target)] }
    } else {
      let base = block.lowerBound & ~((64 << shift) - 1)
      for child in 0..<64 as Range<UInt32> {
        let start = base + child << shift
        let childBlock = start...(start + (1 << shift) - 1)
        guard childBlock.overlaps(block) else { continue }
        if let target = try state(childBlock.clamped(to: block), levelCount - 1, &tree) {
          Self.append(0x80 + UInt8(child), target, to: &edges)
        }
      }
    }
    if let known = tree.states[edges] { return known }
    let made = try add(.reads(edges))
    tree.states[edges] = made
    return made
  }

  private static func append(_ byte: UInt8, _ target: UInt32, to edges: inout [Edge]) {
    if let last = edges.last, last.target == target, last.high + 1 == byte {
      edges[edges.count - 1].high = byte
    } else {
      edges.append(Edge(low: byte, high: byte, target: target))
    }
  }
}
