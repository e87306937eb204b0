import Testing
import TraceMerge
import TraceModel

/// LAW 5 on all orders, repetitions and splits of small histories, and on random large ones.
@Suite struct `Laws of partial spans` {
  /// Records that disagree about everything: two services, kinds and none, sequences that tie, tombstones.
  static let pool: [SpanPart] = [
    Parts.part(1, name: "first", start: 20, [Attribute("a", 1), Attribute("b", 1)]),
    Parts.part(
      2, start: 10, removed: ["a"], [Attribute("c", 2)],
      change: {
        $0.events = [Parts.event(50, "x"), Parts.event(50, "x")]
        $0.flags = 2
      }),
    Parts.part(
      2, name: "second", start: 10, [Attribute("a", 3), Attribute("c", .string("3"))],
      change: {
        $0.status = SpanStatus(code: .error, message: "e")
        $0.events = [Parts.event(40, "y"), Parts.event(50, "x")]
      }),
    Parts.part(
      kind: .unspecified, start: 0, [Attribute("d", 4)],
      change: {
        $0.status = SpanStatus(code: .ok)
        $0.droppedEventCount = 4
        $0.flags = 1
      }),
    Parts.part(name: "final", start: 5, end: 60, [Attribute("a", 5)], change: { $0.links = [SpanLink(flags: 1)] }),
    Parts.part(name: "other", start: 0, end: 70, removed: ["b"], [Attribute("e", 5)]),
    Parts.part(service: "front", kind: .client, start: 6, end: 61),
    Parts.enrichment(3, [Attribute("a", 7), Attribute("f", 7)], change: { $0.name = "enricher" }),
    Parts.enrichment(
      4, removed: ["f"], [Attribute("c", 8)],
      change: {
        $0.links = [SpanLink(flags: 1), SpanLink(flags: 1)]
        $0.parentSpanID = SpanID(8)
      }),
    Parts.enrichment(role: ("front", "client"), [Attribute("g", 9)]),
    Parts.enrichment(role: ("cart", nil), [Attribute("g", 10)], change: { $0.end = Timestamp(nanoseconds: 99) }),
  ]

  struct Shown: Hashable {
    var bytes: [UInt8]
    var isOpen: Bool
    var isEnriched: Bool
  }

  static func shown(_ parts: [SpanPart]) -> [Shown] {
    SpanView.views(of: parts).map { view in
      if let index = view.verbatimIndex { #expect(parts[index].span == view.span) }
      return Shown(
        bytes: ContentHash.canonicalBytes(resource: view.resource, scope: view.scope, span: view.span),
        isOpen: view.isOpen, isEnriched: view.isEnriched)
    }
  }

  static func reduced(_ parts: [SpanPart]) -> [SpanPart] { SpanPart.contributing(parts).map { parts[$0] } }

  static func contents(_ parts: [SpanPart]) -> Set<[UInt8]> { Set(parts.map(\.content)) }

  /// All subsets of up to `count` records.
  static func subsets(upTo count: Int, of parts: [SpanPart]) -> [[SpanPart]] {
    var result: [[SpanPart]] = [[]]
    for part in parts { result += result.filter { $0.count < count }.map { $0 + [part] } }
    return result
  }

  static func permutations(_ parts: [SpanPart]) -> [[SpanPart]] {
    if parts.count < 2 { return [parts] }
    return parts.indices.flatMap { index -> [[SpanPart]] in
      var rest = parts
      let first = rest.remove(at: index)
      return permutations(rest).map { [first] + $0 }
    }
  }

  @Test func `the order of records and their repetition change no view`() {
    let long = [0, 1, 2, 3, 7, 8].map { Self.pool[$0] }
    for history in Self.subsets(upTo: 3, of: Self.pool) + [long] {
      let expected = Self.shown(history)
      for order in Self.permutations(history) {
        #expect(Self.shown(order) == expected)
      }
      #expect(Self.shown(history + history.reversed()) == expected)
    }
  }

  @Test func `dropping what does not contribute changes no view, whatever comes later`() {
    let continuations = Self.subsets(upTo: 2, of: Self.pool)
    for history in Self.subsets(upTo: 3, of: Self.pool) {
      let kept = Self.reduced(history)
      guard kept.count < history.count else { continue }
      for later in continuations {
        #expect(Self.shown(kept + later) == Self.shown(history + later))
        #expect(Self.contents(Self.reduced(kept + later)) == Self.contents(Self.reduced(history + later)))
      }
    }
  }

  @Test func `the join is associative, and a part of a history is never above the whole`() {
    for history in Self.subsets(upTo: 4, of: Self.pool) {
      let whole = Self.contents(Self.reduced(history))
      for cut in 0...history.count {
        let left = Self.reduced(Array(history[..<cut]))
        let right = Self.reduced(Array(history[cut...]))
        #expect(Self.contents(Self.reduced(left + right)) == whole)
        #expect(Self.contents(Self.reduced(Self.reduced(history) + left)) == whole)
      }
    }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `random long histories joined in random groups come to the same`(_ seed: UInt64) {
    var random = SplitMix(state: seed)
    func pick<Element>(_ values: [Element]) -> Element { values[Int(random.next() % UInt64(values.count))] }
    func attributes() -> [Attribute] {
      (0..<random.next() % 3).map { _ in Attribute(pick(["a", "b", "c", "d"]), .int(Int64(random.next() % 3))) }
    }
    let history = (0..<60).map { _ -> SpanPart in
      let sequence = pick([nil, Int64(random.next() % 12)])
      let removed = pick([[], [], [pick(["a", "b", "c"])]])
      let events = pick([[], [Parts.event(random.next() % 100, pick(["x", "y"]))]])
      switch random.next() % 8 {
      case 0:
        return Parts.part(
          service: pick(["cart", "front"]), kind: pick([.server, .client]), start: random.next() % 3,
          end: 50 + random.next() % 3, attributes())
      case 1, 2:
        return Parts.enrichment(
          sequence, removed: removed, role: pick([nil, ("cart", nil), ("front", "client")]), attributes())
      default:
        return Parts.part(
          sequence, service: pick(["cart", "front"]), name: pick(["", "n", "m"]),
          kind: pick([.server, .client, .unspecified]), start: random.next() % 5, removed: removed, attributes(),
          change: {
            $0.events = events
            $0.flags = UInt32(random.next() % 4)
          })
      }
    }
    let expected = Self.shown(history)
    let reducedAtOnce = Self.contents(Self.reduced(history))
    var state: [SpanPart] = []
    var rest = history.shuffled(using: &random) + history.prefix(20)
    while !rest.isEmpty {
      let count = min(rest.count, 1 + Int(random.next() % 9))
      state = Self.reduced(state + Self.reduced(Array(rest.prefix(count))))
      rest.removeFirst(count)
    }
    #expect(Self.shown(state) == expected, "seed \(seed)")
    #expect(Self.contents(state) == reducedAtOnce, "seed \(seed)")
    #expect(state.count < history.count, "seed \(seed): nothing was dominated, so the law was not tested")
  }
}

struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}
