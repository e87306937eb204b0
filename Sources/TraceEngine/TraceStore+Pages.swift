import TraceModel
import TraceQuery
package import TracestoreV2

/// The ids of traces that a query finds, in the order of ids.
package struct TracePage: Sendable {
  package struct Trace: Sendable {
    package var id: TraceID
    /// Where it was found: reading traces of one place after the other reads each stripe once. Means nothing beyond the
    /// page.
    package var place: Int
  }

  package var traces: [Trace]
  package var summary: ResultSummary
}

extension TraceStore {
  /// The traces that `findTraces(_:)` would give in the order of their ids, without their spans. Memory is bounded by twice
  /// the limit.
  package func findTracePage(_ query: TraceQuery) async throws -> TracePage {
    var query = query
    query.order = .traceID
    return try await core.read { [query] snapshot in
      let page = try snapshot.search(query)
      let traces = zip(page.traces, page.places).map { TracePage.Trace(id: $0, place: $1) }
      return TracePage(traces: traces, summary: page.summary)
    }
  }
}
