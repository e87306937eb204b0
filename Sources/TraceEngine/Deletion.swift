import TraceIngest
import TraceMaintenance
import TraceModel

/// Deletes traces, when it is their turn.
final class Deletion: Sendable {
  private let deleter: Deleter
  private let ingestor: Ingestor
  private let turn: MaintenanceTurn
  private let observe: @Sendable (StoreEvent) -> Void

  init(
    deleter: Deleter, ingestor: Ingestor, turn: MaintenanceTurn, observe: @escaping @Sendable (StoreEvent) -> Void
  ) {
    self.deleter = deleter
    self.ingestor = ingestor
    self.turn = turn
    self.observe = observe
  }

  /// Deletes the traces from the segments. Blocks, and waits for a merge that is under way.
  func delete(
    _ traces: Set<TraceID>, report: @escaping @Sendable (MergeProgress) -> Void
  ) throws -> DeletionResult {
    let result = try turn.perform {
      // A seal drops what stands in a segment already: a span that is sent again while its trace goes would be lost.
      try ingestor.sparing(traces, from: { deleter.candidates(for: traces, among: $0) }) { candidates in
        try deleter.delete(
          traces, from: candidates, parallel: Concurrency.perform, isCancelled: { [turn] in turn.isClosed },
          report: report)
      }
    }
    for place in result.damaged { observe(.damaged(place.reason)) }
    return result
  }
}
