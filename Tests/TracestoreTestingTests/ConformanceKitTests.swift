import Testing
import TraceModel
import TracestoreTesting
import TracestoreV2

@Suite struct ConformanceKitTests {
  @Test(arguments: ConformanceKit.checks.filter { !$0.isSlow })
  func `the reference store keeps the contract`(_ check: ConformanceCheck) async throws {
    try await check.run(makeStore: { ReferenceStore() })
  }

  @Test func `every check has its own name`() {
    #expect(ConformanceKit.checks.count >= 60)
    #expect(Set(ConformanceKit.checks.map(\.name)).count == ConformanceKit.checks.count)
  }

  @Test(arguments: Flaw.allCases)
  func `the kit finds a store that breaks the contract`(_ flaw: Flaw) async {
    var failure: ConformanceFailure?
    // The large traces take their time and prove nothing here.
    for check in ConformanceKit.checks where !check.name.contains("0,00") && failure == nil {
      do {
        try await check.run(makeStore: { FlawedStore(flaw) })
      } catch let broken as ConformanceFailure {
        failure = broken
      } catch {
        Issue.record(error)
      }
    }
    #expect(failure != nil, "\(flaw)")
    #expect(failure?.check.isEmpty == false && failure?.message.isEmpty == false)
  }

  @Test func `a store is discarded after every check, failed ones included`() async throws {
    let counter = Counter()
    let failures = await runConformance(
      makeStore: {
        counter.add(1)
        return FlawedStore(.losesSpans)
      }, discard: { _ in counter.add(-1) })
    #expect(!failures.isEmpty)
    #expect(counter.value == 0)
  }
}
