import BenchmarkSupport
import Foundation

/// How long questions take that are asked again and again.
struct TimeTable {
  private struct Row {
    var kind: String
    var text: String
    var ask: () async throws -> Int
    var milliseconds: [Double] = []
    var foundCount = 0
  }

  private var rows: [Row] = []
  private static let repeatCount = 30

  /// - Parameter ask: asks once and says how many answers came.
  mutating func add(_ kind: String, _ text: String, _ ask: @escaping () async throws -> Int) {
    rows.append(Row(kind: kind, text: text, ask: ask))
  }

  /// Leaves the questions out whose text does not hold `part`.
  mutating func keep(_ part: String?) { if let part { rows.removeAll { !$0.text.contains(part) } } }

  /// Asks all in turn, so that none has the caches to itself.
  mutating func measure() async throws {
    for turn in 0...Self.repeatCount {
      for index in rows.indices {
        let started = ContinuousClock.now
        rows[index].foundCount = try await rows[index].ask()
        let elapsed = ContinuousClock.now - started
        // The first turn fills the caches.
        if turn > 0 { rows[index].milliseconds.append(elapsed.seconds * 1_000) }
      }
    }
  }

  /// - Parameter found: what is counted, a word or two.
  func print(_ found: String, _ what: String) {
    func column(_ value: Double) -> String { String(format: "%9.3f", value) }
    func right(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(0, width - text.count)) + text
    }
    func times(_ milliseconds: [Double]) -> String {
      let sorted = milliseconds.sorted()
      return column(sorted[sorted.count / 2]) + column(sorted[sorted.count * 99 / 100])
    }
    func kind(_ text: String) -> String { text.padding(toLength: 12, withPad: " ", startingAt: 0) }
    Swift.print("   p50 ms   p99 ms \(right(found, 7))  \(kind("class"))  \(what)")
    for row in rows {
      Swift.print(times(row.milliseconds), right("\(row.foundCount)", 7), " \(kind(row.kind))  \(row.text)")
    }
    Swift.print()
    for name in rows.map(\.kind).reduce(into: [String](), { if !$0.contains($1) { $0.append($1) } }) {
      let own = rows.filter { $0.kind == name }
      Swift.print(times(own.flatMap(\.milliseconds)), right("", 7), " all \(own.count) of \(name)")
    }
  }
}
