import Testing
import TraceModel
import TraceSource
import TracestoreTesting

@testable import TraceQuery

/// Producers that links point to, against a walk over all of them.
@Suite struct ProducerTableTests {
  /// - Parameter seed: of two, one has targets that stand in several tables, as damage may leave them.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `producers that are wanted are found, however many links point nowhere`(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let names = ["cart", "api", "", "caf\u{e9}"].map { Array($0.utf8) }
    for (producerCount, wantedCount) in [(0, 20), (1, 1), (900, 3), (900, 100), (900, 3000), (30, 3000)] {
      let lists = (0..<5).map { table in
        (0..<producerCount).map { _ in
          let trace = TraceID(high: UInt64(seed % 2 == 0 ? 0 : table), low: UInt64(random.below(400)))
          return (
            target: LinkTarget(trace: trace, spanID: UInt64(random.below(4))),
            producer: FoundProducer(start: UInt64(random.below(3)), service: random.pick(names))
          )
        }
      }
      let wanted = Set(
        (0..<wantedCount).map { _ in
          LinkTarget(
            trace: TraceID(high: UInt64(random.below(5)), low: UInt64(random.below(800))),
            spanID: UInt64(random.below(4)))
        })
      let tables = lists.map { ProducerTable($0) }
      for ordered in [tables, tables.reversed()] {
        let found = FoundProducers(wanted, among: ordered, { count, body in threads(count, body) })
        for target in wanted {
          let firsts = lists.compactMap { list in
            list.filter { $0.target == target }.map(\.producer).min { $0.precedes($1) }?.service
          }
          #expect(
            found.service(of: target) == firsts.min { $0.lexicographicallyPrecedes($1) },
            "seed \(seed), \(wantedCount) of \(producerCount)")
        }
      }
    }
  }
}
