import TraceFiles

/// One piece of maintenance at a time: a merge and a retention pass would take segments from each other. Thread-safe.
final class MaintenanceTurn: Sendable {
  private let state = Monitor((isTaken: false, isClosed: false))

  var isClosed: Bool { state.withLock { $0.isClosed } }

  /// Waits for what is under way, then runs `body`.
  /// - Throws: `closed`, and what `body` throws.
  func perform<Result>(_ body: () throws -> Result) throws -> Result {
    let isFree = { (state: inout (isTaken: Bool, isClosed: Bool)) in !state.isTaken || state.isClosed }
    try state.withLock(waitingUntil: isFree) { state in
      if state.isClosed { throw StoreFailure.closed }
      state.isTaken = true
    }
    defer {
      state.withLock { $0.isTaken = false }
      state.wakeAll()
    }
    return try body()
  }

  /// Nobody gets a turn from now on; whoever has one sees `isClosed` and gives up.
  func close() {
    state.withLock { $0.isClosed = true }
    state.wakeAll()
  }

  /// Waits until nothing is under way. To be called after `close()`.
  func waitForEnd() { state.wait { !$0.isTaken } }
}
