import TraceFiles

/// What a writer does to its segments: by itself, each on a thread of its own that gives way to all others, or when it is
/// asked to.
final class Maintenance: Sendable {
  let merges: MergeLoop
  let retention: RetentionLoop
  let deletion: Deletion
  private let turn: MaintenanceTurn

  init(turn: MaintenanceTurn, merges: MergeLoop, retention: RetentionLoop, deletion: Deletion) {
    self.turn = turn
    self.merges = merges
    self.retention = retention
    self.deletion = deletion
  }

  /// - Parameters:
  ///   - mergesByItself: false leaves merges to those who ask for them.
  ///   - retainsByItself: false leaves retention to those who ask for it.
  func start(mergesByItself: Bool, retainsByItself: Bool) throws -> [WorkerThread] {
    var threads: [WorkerThread] = []
    if mergesByItself {
      threads.append(try WorkerThread(name: "tracestore-merge", isBackground: true) { [merges] in merges.run() })
    }
    if retainsByItself, retention.isNeeded {
      threads.append(
        try WorkerThread(name: "tracestore-retain", isBackground: true) { [retention] in retention.run() })
    }
    return threads
  }

  /// Runs `body` while no segment is replaced or dropped; `body` gives up when the turn is closed.
  func withoutMerges<Result>(_ body: (MaintenanceTurn) throws -> Result) throws -> Result {
    try turn.perform { try body(turn) }
  }

  /// A segment was sealed.
  func wake() {
    merges.wake()
    retention.wake()
  }

  /// Ends the loops. A merge that is under way is given up and leaves nothing behind; a retention pass ends with the
  /// segments that it is at.
  func requestEnd() {
    turn.close()
    merges.requestEnd()
    retention.requestEnd()
  }

  /// Waits until nothing is under way. To be called after `requestEnd()`.
  func waitForEnd() { turn.waitForEnd() }
}
