import TraceFiles
import TraceIngest
import TraceMaintenance
import TraceManifest
import TraceModel
import TraceQuery
import TraceSegment
import TraceSource

/// Decides when segments are looked at whose time may be over, after each seal and now and then, and drops them a few at a
/// time.
final class RetentionLoop: Sendable {
  private let state = Monitor((hasNews: true, isClosed: false))
  private let expirer: Expirer
  private let ingestor: Ingestor
  private let manifest: ManifestStore
  private let reserve: DiskReserve
  private let rules: RetentionRules
  private let turn: MaintenanceTurn
  private let clock: @Sendable () -> UInt64
  private let observe: @Sendable (StoreEvent) -> Void

  /// Time passes without anybody's telling: a short age is looked after more often.
  private let pauseNanoseconds: UInt64
  private static let pauses: ClosedRange<UInt64> = 1_000_000_000...60_000_000_000

  init(
    expirer: Expirer, ingestor: Ingestor, manifest: ManifestStore, reserve: DiskReserve, rules: RetentionRules,
    turn: MaintenanceTurn, clock: @escaping @Sendable () -> UInt64, observe: @escaping @Sendable (StoreEvent) -> Void
  ) {
    self.expirer = expirer
    self.ingestor = ingestor
    self.manifest = manifest
    self.reserve = reserve
    self.rules = rules
    self.turn = turn
    self.clock = clock
    self.observe = observe
    let ages = [rules.maximumAgeNanoseconds, rules.maximumMetricsAgeNanoseconds].compactMap { $0 }.filter { $0 > 0 }
    pauseNanoseconds = min(max((ages.min() ?? .max) / 16, Self.pauses.lowerBound), Self.pauses.upperBound)
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
      sealWhatAges()
      do { _ = try retain(rules) } catch {
        // What failed is tried again after the next pause: a full disk recovers by itself.
        if turn.isClosed { return }
        observe(.expiryFailed(error as? TracestoreError ?? TracestoreError(.inputOutput, "\(error)")))
      }
    }
  }

  /// Spans age in segments: a store that fills slowly would keep them in memory for longer than their age.
  private func sealWhatAges() {
    guard let window = rules.mergeWindowNanoseconds, let oldest = ingestor.oldestArrivalNanoseconds else { return }
    let now = clock()
    // When this fails the sealer says so, and tries again.
    if now > oldest, now - oldest > window { try? ingestor.sealAll() }
  }

  /// Records that go by one edit: what bounds the memory for their figures and the time for which nothing is sealed.
  private static let batchRecordCount = 1 << 20

  /// Drops what is due. Blocks, and waits for a merge that is under way.
  func retain(_ rules: RetentionRules) throws -> ExpiryResult {
    try turn.perform {
      var due = rules.expired(manifest.current.files(of: .segment), nowNanoseconds: clock())[...]
      var result = ExpiryResult()
      do {
        try expire(&due, rules, batchRecordCount: Self.batchRecordCount, &result)
      } catch let error as TracestoreError where error.code == .diskFull && reserve.release() {
        defer { reserve.fill() }
        // The oldest segment alone needs the least room, and gives back its own before the next one is looked at.
        try expire(&due, rules, batchRecordCount: 1, &result)
      }
      return result
    }
  }

  /// Takes what has gone out of `due`, also when it throws.
  private func expire(
    _ due: inout ArraySlice<ManifestFile>, _ rules: RetentionRules, batchRecordCount: Int, _ result: inout ExpiryResult
  ) throws {
    repeat {
      if turn.isClosed { throw StoreFailure.closed }
      var recordCount = 0
      let batch = due.prefix { segment in
        defer { recordCount += segment.recordCount }
        return recordCount == 0 || recordCount + segment.recordCount <= batchRecordCount
      }
      result.add(try expire(Array(batch), rules))
      due = due.dropFirst(batch.count)
    } while !due.isEmpty
  }

  private func expire(_ batch: [ManifestFile], _ rules: RetentionRules) throws -> ExpiryResult {
    // Metrics segments go whatever is in memory: nothing has to wait.
    if batch.isEmpty {
      return try expirer.expire([], keeping: HourlyFigures(), rules, nowNanoseconds: clock())
    }
    let numbers = Set(batch.map(\.key.number))
    let result = try ingestor.withoutSeals { live in
      var figures = HourlyFigures()
      var damage: [String] = []
      if rules.keepsMetrics {
        let expiring = live.segments.filter { numbers.contains($0.number) }
        let staying: [any SpanSource] = live.memtables + live.segments.filter { !numbers.contains($0.number) }
        (figures, damage) = try ExpiringCalls.figures(of: expiring, besides: staying)
        for number in numbers.subtracting(expiring.map(\.number)).sorted() {
          damage.append("segment \(number) cannot be opened, so that no figures are left of its spans")
        }
      }
      var result = try expirer.expire(batch, keeping: figures, rules, nowNanoseconds: clock())
      result.damage += damage
      return result
    }
    for place in result.damage { observe(.damaged(place)) }
    if !result.segments.isEmpty {
      observe(
        .expired(
          segmentCount: result.segments.count, recordCount: result.segments.reduce(0) { $0 + $1.recordCount },
          byteCount: result.segments.reduce(0) { $0 + $1.byteCount }))
    }
    return result
  }
}
