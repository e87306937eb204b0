import TraceFiles
import TraceMaintenance
import TraceManifest

/// Decides when segments are looked at whose time may be over: after each seal, and now and then.
final class RetentionLoop: Sendable {
  private let state = Monitor((hasNews: true, isClosed: false))
  private let expirer: Expirer
  private let manifest: ManifestStore
  private let rules: RetentionRules
  private let turn: MaintenanceTurn
  private let clock: @Sendable () -> UInt64
  private let observe: @Sendable (StoreEvent) -> Void

  /// Time passes without anybody's telling: a short age is looked after more often.
  private let pauseNanoseconds: UInt64
  private static let pauses: ClosedRange<UInt64> = 1_000_000_000...60_000_000_000

  init(
    expirer: Expirer, manifest: ManifestStore, rules: RetentionRules, turn: MaintenanceTurn,
    clock: @escaping @Sendable () -> UInt64, observe: @escaping @Sendable (StoreEvent) -> Void
  ) {
    self.expirer = expirer
    self.manifest = manifest
    self.rules = rules
    self.turn = turn
    self.clock = clock
    self.observe = observe
    pauseNanoseconds = min(
      max((rules.maximumAgeNanoseconds ?? .max) / 16, Self.pauses.lowerBound), Self.pauses.upperBound)
  }

  /// Whether anything ever goes by itself.
  var isNeeded: Bool { rules != RetentionRules() }

  /// A segment was sealed.
  func wake() {
    state.withLock { $0.hasNews = true }
    state.wakeAll()
  }

  func requestEnd() {
    state.withLock { $0.isClosed = true }
    state.wakeAll()
  }

  /// Runs on a thread of its own until the store is closed.
  func run() {
    while true {
      let isDue = { (state: inout (hasNews: Bool, isClosed: Bool)) in state.hasNews || state.isClosed }
      let isClosed = state.withLock(waitingAtMost: pauseNanoseconds, until: isDue) { state, _ in
        state.hasNews = false
        return state.isClosed
      }
      if isClosed { return }
      do { _ = try retain(rules) } catch {
        // What failed is tried again after the next pause: a full disk recovers by itself.
        if turn.isClosed { return }
        observe(.expiryFailed(error as? TracestoreError ?? TracestoreError(.inputOutput, "\(error)")))
      }
    }
  }

  /// What would go now, oldest first.
  func plan(_ rules: RetentionRules) -> [ManifestFile] {
    rules.expired(manifest.current.files(of: .segment), nowNanoseconds: clock())
  }

  /// Drops what is due. Blocks, and waits for a merge that is under way.
  func retain(_ rules: RetentionRules) throws -> ExpiryResult {
    try turn.perform {
      let due = plan(rules)
      if due.isEmpty { return ExpiryResult() }
      let result = try expirer.expire(due)
      observe(
        .expired(
          segmentCount: result.segments.count, recordCount: result.segments.reduce(0) { $0 + $1.recordCount },
          byteCount: result.segments.reduce(0) { $0 + $1.byteCount }))
      return result
    }
  }
}
