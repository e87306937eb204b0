import Testing
import TraceMerge
import TraceModel

/// What is told without hashing is what the contest would have told.
@Suite struct `Plain updates` {
  private static func record(_ part: SpanPart) -> PlainUpdates.Record {
    PlainUpdates.Record(
      resource: part.resource, scope: part.scope, span: part.span, isPartial: part.kind != .final)
  }

  private static func update(_ sequence: Int64?, observed: Int64? = nil, rows: Int64) -> SpanPart {
    Parts.part(sequence, name: "job", start: 5, [Attribute("rows", .int(rows))]) { span in
      if let observed { span.attributes.append(Attribute(ControlKey.observed, .int(observed))) }
    }
  }

  @Test func `of the updates of a producer the newest remains`() {
    let parts = [3, 1, 2].map { Self.update($0, rows: $0) }
    #expect(PlainUpdates.dominated(parts.map(Self.record)) == [1, 2])
  }

  @Test func `equal records, finals and records that say other things are left to the contest`() {
    let newest = Self.update(9, rows: 9)
    let final = Parts.part(1, name: "job", start: 5, end: 8, [Attribute("rows", 1)])
    let others = [
      newest, final, Parts.part(1, name: "old", start: 5, [Attribute("rows", 1)]),
      Parts.part(1, name: "job", start: 4, [Attribute("rows", 1)]),
      Parts.part(1, name: "job", start: 5, [Attribute("row", 1)]),
      Parts.part(1, name: "job", start: 5, removed: ["rows"], [Attribute("rows", 1)]),
      Parts.part(1, name: "job", start: 5, [Attribute("rows", 1)]) { $0.events = [Parts.event(6, "x")] },
      Parts.part(1, service: "front", name: "job", start: 5, [Attribute("rows", 1)]),
      Self.update(1, observed: 7, rows: 1), Parts.enrichment(1, [Attribute("rows", 1)]),
    ]
    for other in others { #expect(PlainUpdates.dominated([newest, other].map(Self.record)).isEmpty) }
  }

  @Test(arguments: 1...200 as ClosedRange<UInt64>)
  func `views stay the same without them, whatever comes later`(_ seed: UInt64) {
    var random = SplitMix(state: seed)
    func pick<Element>(_ values: [Element]) -> Element { values[Int(random.next() % UInt64(values.count))] }
    func part() -> SpanPart {
      switch random.next() % 6 {
      case 0: pick(`Laws of partial spans`.pool)
      case 1: Parts.part(pick([nil, 4]), name: "job", start: 5, end: 5 + random.next() % 3, [Attribute("rows", 1)])
      default:
        Self.update(
          pick([nil, Int64(random.next() % 4)]), observed: pick([nil, nil, Int64(random.next() % 12)]),
          rows: Int64(random.next() % 3))
      }
    }
    let history = (0..<8).map { _ in part() }
    let dominated = PlainUpdates.dominated(history.map(Self.record))
    let rest = history.indices.filter { !dominated.contains($0) }.map { history[$0] }
    let later = (0..<3).map { _ in part() }
    #expect(`Laws of partial spans`.shown(rest) == `Laws of partial spans`.shown(history))
    #expect(`Laws of partial spans`.shown(rest + later) == `Laws of partial spans`.shown(history + later))
    let contributing = Set(SpanPart.contributing(history))
    #expect(dominated.isDisjoint(with: contributing))
  }
}
