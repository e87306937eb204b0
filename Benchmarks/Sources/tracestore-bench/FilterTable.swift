import BenchmarkSupport
import Foundation
import TraceEngine

/// The time that structured filters take: a file of them, a line each, `class | filter`, `#` before remarks.
struct FilterTable {
  private struct Row {
    var kind: String
    var text: String
    var filter: FilterExpression
    var milliseconds: [Double] = []
    var foundCount = 0
  }

  private var rows: [Row] = []
  private static let repeatCount = 30

  init(path: String) throws {
    for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: "|", maxSplits: 1)
      guard parts.count == 2 else { continue }
      let text = parts[1].trimmingCharacters(in: .whitespaces)
      let filter = try FilterExpression(text: text)
      rows.append(Row(kind: parts[0].trimmingCharacters(in: .whitespaces), text: text, filter: filter))
    }
  }

  /// Asks for the newest 20 traces of each filter, in turn, so that none has the caches to itself.
  mutating func measure(_ store: TraceStore) async throws {
    for turn in 0...Self.repeatCount {
      for index in rows.indices {
        var count = 0
        let elapsed = try await ContinuousClock().measure {
          for try await _ in try await store.findTraceIDs(TraceQuery(filter: rows[index].filter, limit: 20)) {
            count += 1
          }
        }
        rows[index].foundCount = count
        // The first turn fills the caches.
        if turn > 0 { rows[index].milliseconds.append(elapsed.seconds * 1_000) }
      }
    }
  }

  func print() {
    func column(_ value: Double) -> String { String(format: "%9.3f", value) }
    Swift.print("   p50 ms    p99 ms  traces  class         filter")
    for row in rows {
      let times = row.milliseconds.sorted()
      Swift.print(
        column(times[times.count / 2]), column(times[times.count * 99 / 100]), String(format: "%7d", row.foundCount),
        " \(row.kind.padding(toLength: 12, withPad: " ", startingAt: 0))  \(row.text)")
    }
    Swift.print()
    for kind in rows.map(\.kind).reduce(into: [String](), { if !$0.contains($1) { $0.append($1) } }) {
      let own = rows.filter { $0.kind == kind }
      let times = own.flatMap(\.milliseconds).sorted()
      Swift.print(
        column(times[times.count / 2]), column(times[times.count * 99 / 100]), "        ", "all \(own.count) of \(kind)"
      )
    }
  }
}
