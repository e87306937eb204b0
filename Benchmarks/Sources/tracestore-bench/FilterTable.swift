import Foundation
import TraceEngine

/// The time that structured filters take: a file of them, a line each, `class | filter`, `#` before remarks. Asked for
/// are the newest 20 traces.
struct FilterTable {
  private var filters: [(kind: String, text: String, filter: FilterExpression)] = []

  init(path: String) throws {
    for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: "|", maxSplits: 1)
      guard parts.count == 2 else { continue }
      let text = parts[1].trimmingCharacters(in: .whitespaces)
      let filter = try FilterExpression(text: text)
      filters.append((parts[0].trimmingCharacters(in: .whitespaces), text, filter))
    }
  }

  func measure(_ store: TraceStore) async throws -> TimeTable {
    var table = TimeTable()
    for (kind, text, filter) in filters {
      table.add(kind, text) {
        var count = 0
        for try await _ in try await store.findTraceIDs(TraceQuery(filter: filter, limit: 20)) { count += 1 }
        return count
      }
    }
    try await table.measure()
    return table
  }
}
