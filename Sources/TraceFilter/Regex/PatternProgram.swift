/// A nondeterministic automaton over bytes.
///
/// Its states are of two kinds. The lower ones read a byte and are numbered from 0; the others, from `jumpBase`, only
/// lead on to further states. `accept` is neither: whoever gets there has found a match.
struct PatternProgram: Sendable {
  /// Leads on from a state when the class of a byte is in `low...high`.
  struct Edge: Sendable, Hashable, BitwiseCopyable {
    var low: UInt8
    var high: UInt8
    var target: UInt32
  }

  static let accept = UInt32.max

  /// The edges of the state `index` are `edges[edgeStarts[index]..<edgeStarts[index + 1]]`, in order and disjoint.
  let edgeStarts: [UInt32]
  let edges: [Edge]
  /// A multiple of 64, so that a set of reading states is whole words of a set of all states.
  let jumpBase: UInt32
  let jumpStarts: [UInt32]
  let jumpTargets: [UInt32]
  let start: UInt32
  /// Bytes that no edge tells apart have one class. Classes are ranges of bytes, in order.
  let classes: [UInt8]
  let classCount: Int

  var stateCount: Int { Int(jumpBase) + jumpStarts.count - 1 }
  /// Words of a set of reading states, and of a set of all states.
  var readingWordCount: Int { Int(jumpBase) / 64 }
  var wordCount: Int { (stateCount + 63) / 64 }

  init(_ node: PatternNode) throws(PatternError) {
    var builder = ProgramBuilder()
    let first = try builder.compile(node, next: Self.accept)
    self.init(builder, start: first)
  }

  private init(_ builder: ProgramBuilder, start first: UInt32) {
    var numbers: [UInt32] = []
    var readingCount: UInt32 = 0
    var jumpCount: UInt32 = 0
    for state in builder.states {
      switch state {
      case .reads:
        numbers.append(readingCount)
        readingCount += 1
      case .jumps:
        numbers.append(jumpCount)
        jumpCount += 1
      }
    }
    // One word at least, so that the empty set has a key too.
    let base = max((readingCount + 63) / 64 * 64, 64)
    for (index, state) in builder.states.enumerated() {
      if case .jumps = state { numbers[index] += base }
    }
    func number(_ state: UInt32) -> UInt32 { state == Self.accept ? state : numbers[Int(state)] }

    let (classes, classCount) = Self.classes(builder.states)
    var edgeStarts: [UInt32] = [0]
    var edges: [Edge] = []
    var jumpStarts: [UInt32] = [0]
    var jumpTargets: [UInt32] = []
    for state in builder.states {
      switch state {
      case .reads(let own):
        for edge in own {
          edges.append(
            Edge(low: classes[Int(edge.low)], high: classes[Int(edge.high)], target: number(edge.target)))
        }
        edgeStarts.append(UInt32(edges.count))
      case .jumps(let targets):
        jumpTargets += targets.map(number)
        jumpStarts.append(UInt32(jumpTargets.count))
      }
    }
    self.edgeStarts = edgeStarts
    self.edges = edges
    self.jumpStarts = jumpStarts
    self.jumpTargets = jumpTargets
    self.classes = classes
    self.classCount = classCount
    jumpBase = base
    start = number(first)
  }

  private static func classes(_ states: [ProgramBuilder.State]) -> (classes: [UInt8], count: Int) {
    var begins = [Bool](repeating: false, count: 257)
    for state in states {
      guard case .reads(let edges) = state else { continue }
      for edge in edges {
        begins[Int(edge.low)] = true
        begins[Int(edge.high) + 1] = true
      }
    }
    var classes: [UInt8] = []
    var current = 0
    for byte in 0..<256 {
      if byte > 0, begins[byte] { current += 1 }
      classes.append(UInt8(current))
    }
    return (classes, current + 1)
  }

  /// The bytes that lead anywhere from the start of a match.
  var firstBytes: [Bool] {
    var isFirst = [Bool](repeating: false, count: classCount)
    var isSeen = [Bool](repeating: false, count: stateCount)
    var pending = [start]
    while let state = pending.popLast() {
      guard state != Self.accept, !isSeen[Int(state)] else { continue }
      isSeen[Int(state)] = true
      if state >= jumpBase {
        let index = Int(state - jumpBase)
        pending += jumpTargets[Int(jumpStarts[index])..<Int(jumpStarts[index + 1])]
      } else {
        for edge in edges[Int(edgeStarts[Int(state)])..<Int(edgeStarts[Int(state) + 1])] {
          for index in edge.low...edge.high { isFirst[Int(index)] = true }
        }
      }
    }
    return classes.map { isFirst[Int($0)] }
  }
}
