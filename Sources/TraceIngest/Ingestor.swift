import TraceColumns
import TraceFiles
package import TraceModel
package import TraceOTLP
package import TraceSegment
package import TraceWAL

/// How a store takes writes in.
package struct IngestOptions: Sendable {
  /// A memtable is sealed when it holds this many rows or bytes.
  package var sealRowCount: Int
  package let sealByteCount: Int
  package var stripeRowCount: Int
  package var isZeroEndOpen: Bool
  /// A memtable is sealed early when a request might bring it above this many strings. Tests lower it.
  package var maximumStringCount = ByteDictionary.maximumCount

  /// A memtable that is not full has at most 2^25 strings (sixteen bytes each, without the text), half of what a
  /// dictionary holds, and the most that `Limits` let one request bring are not many more: hardly ever is one sealed
  /// early, and never refused.
  static let maximumSealByteCount = 1 << 29

  package init(sealRowCount: Int, sealByteCount: Int, stripeRowCount: Int, isZeroEndOpen: Bool) {
    self.sealRowCount = sealRowCount
    self.sealByteCount = min(sealByteCount, Self.maximumSealByteCount)
    self.stripeRowCount = stripeRowCount
    self.isZeroEndOpen = isZeroEndOpen
  }

  func makeMemtable() -> Memtable {
    Memtable(endZeroMeansOpen: isZeroEndOpen, maximumStringCount: maximumStringCount)
  }

  func isFull(_ memtable: Memtable) -> Bool {
    memtable.rowCount >= sealRowCount || memtable.byteCount >= sealByteCount
  }
}

/// What became of a request.
package struct IngestReceipt: Sendable {
  package var acceptedCount: Int
  package var refusals: [(spanIndex: Int, reason: String)]
}

/// What happened inside; the engine passes it on.
package enum IngestEvent: Sendable {
  case sealed(rowCount: Int, droppedCount: Int, byteCount: UInt64)
  case sealFailed(TracestoreError)
}

/// The life of a batch: decoded outside of every lock, appended to the memtable and queued for the log under one lock
/// (so that rows and frames have one order), visible and acknowledged when its frame is durable, sealed later on a
/// thread of its own.
///
/// At most two memtables exist: one takes writes while the other is sealed. When both are full, writes wait; when
/// sealing fails because the disk is full, they fail.
package final class Ingestor: Sendable {
  private struct State {
    var active: Memtable
    /// Full, being written to a segment.
    var sealing: Memtable?
    /// Live segments, oldest first.
    var segments: [Segment]
    /// Figures of those that have expired.
    var metrics: [MetricsSegment]
    /// Traces that are being deleted from segments.
    var spared: Set<TraceID> = []
    /// How often segments have gone without others that took up their records.
    var expiryCount = 0
    /// Why sealing does not get on; cleared by the next success.
    var sealFailure: TracestoreError?
    var failedSealCount = 0
    /// Whether somebody waits for the next attempt.
    var isRetryDue = false
    var isClosed = false
  }

  private let state: Monitor<State>
  /// Held from the append to the memtable to the append to the log.
  private let order = Monitor<Void>(())
  /// Held while a memtable becomes a segment.
  private let sealTurn = Monitor<Void>(())
  private let log: WALWriter
  private let options: IngestOptions
  private let followers = Monitor<[FollowerReference]>([])
  private let sealer: Sealer
  private let observe: @Sendable (IngestEvent) -> Void

  package init(
    active: Memtable, segments: [Segment], metrics: [MetricsSegment], log: WALWriter, sealer: Sealer,
    options: IngestOptions, observe: @escaping @Sendable (IngestEvent) -> Void
  ) {
    state = Monitor(State(active: active, segments: segments, metrics: metrics))
    self.log = log
    self.sealer = sealer
    self.options = options
    self.observe = observe
  }

  // MARK: Writing

  /// Stores one protobuf request. Blocks for decoding and while memtables and log are full; `completion` runs on the
  /// log's thread once the batch is durable and visible, or has failed.
  ///
  /// - Parameter admit: for a request that has its place behind others: called when it is known to be sound and before
  ///   anything of it is stored. It may wait, and what it throws keeps the request out, as does a full disk that any
  ///   request meets from then on.
  /// - Throws: when nothing was stored; `completion` is not called then.
  package func write(
    _ request: UnsafeRawBufferPointer, arrivalNanoseconds: UInt64, batch: SpanBatch, admit: (() throws -> Void)? = nil,
    completion: @escaping @Sendable (Result<IngestReceipt, any Error>) -> Void
  ) throws {
    defer { batch.removeAll() }
    try OTLPBatchDecoder.decode(request, into: batch)
    let receipt = IngestReceipt(acceptedCount: batch.acceptedCount, refusals: batch.refusals)
    guard batch.acceptedCount > 0 else {
      try admit?()
      return completion(.success(receipt))
    }
    let frame: WALFrame
    if let accepted = batch.acceptedRequest() {
      frame = try WALFrame(kind: .request, payload: accepted, arrivalNanoseconds: arrivalNanoseconds)
    } else {
      frame = try WALFrame(kind: .request, payload: request, arrivalNanoseconds: arrivalNanoseconds)
    }
    // Read before the admission, which may come just before a refusal.
    let refusalCount = admit.map { _ in log.refusalCount }
    try admit?()
    try order.withLock { _ in
      let memtable = try memtableWithRoom(for: batch)
      let rows = try memtable.append(batch, arrivalNanoseconds: arrivalNanoseconds)
      do {
        let sequence = try log.append(frame, after: refusalCount) { result in
          switch result {
          case .success:
            memtable.publish(rows)
            completion(.success(receipt))
          case .failure(let error):
            memtable.discard(rows)
            completion(.failure(error))
          }
        }
        memtable.note(sequence: sequence)
      } catch {
        memtable.discard(rows)
        throw error
      }
    }
  }

  /// The memtable to append to. Waits while both are full.
  private func memtableWithRoom(for batch: SpanBatch) throws -> Memtable {
    let isFull = { (memtable: Memtable) in
      self.options.isFull(memtable) || memtable.rowCount > 0 && !memtable.hasRoom(for: batch)
    }
    let hasRoom = { (state: inout State) in
      !isFull(state.active) || state.sealing == nil || state.isClosed || state.sealFailure != nil
    }
    let memtable: Memtable? = try state.withLock(waitingUntil: hasRoom) { state in
      if state.isClosed { throw TracestoreError(.closed, "The store is closed; open it again.") }
      if !isFull(state.active) { return state.active }
      if state.sealing != nil, let failure = state.sealFailure { throw failure }
      return nil
    }
    if let memtable { return memtable }
    return try rotate()
  }

  /// Hands the active memtable to the sealer. The caller holds `order`, and no memtable is being sealed. The log file
  /// ends with the memtable, so that it can go when the segment stands.
  private func rotate() throws -> Memtable {
    _ = try log.rotate()
    let fresh = options.makeMemtable()
    state.withLock { state in
      state.sealing = state.active
      state.active = fresh
    }
    state.wakeAll()
    return fresh
  }

  // MARK: Sealing

  /// Runs on a thread of its own until the ingestor is closed.
  package func runSealer() {
    while let memtable = state.withLock(waitingUntil: { $0.sealing != nil || $0.isClosed }, { $0.sealing }) {
      do {
        memtable.waitUntilPublished()
        for follower in currentFollowers() { follower.takeLast(of: memtable) }
        try seal(memtable)
      } catch {
        let failure = error as? TracestoreError ?? TracestoreError(.inputOutput, "Sealing failed", cause: error)
        observe(.sealFailed(failure))
        let isClosed = state.withLock { state in
          state.sealFailure = failure
          state.failedSealCount += 1
          return state.isClosed
        }
        state.wakeAll()
        if isClosed || failure.code == .poisoned { return }
        // A full disk recovers by itself; anything else is no worse for waiting.
        let isDue = { (state: inout State) in state.isClosed || state.isRetryDue }
        let mustEnd = state.withLock(waitingAtMost: 1_000_000_000, until: isDue) { state, _ in
          state.isRetryDue = false
          return state.isClosed
        }
        if mustEnd { return }
      }
    }
  }

  private func seal(_ memtable: Memtable) throws {
    let sealed = try sealTurn.withLock { _ in
      let (segments, spared) = state.withLock { ($0.segments, $0.spared) }
      let sealed = try sealer.seal(memtable, live: segments, sparing: spared)
      // The segment stands, so its part of the log goes, before anybody who waits for the seal is told. Files that cannot
      // be removed now go after the next seal, or when the store is opened.
      if let sequences = memtable.sequences { _ = try? log.trim(below: sequences.upperBound &+ 1) }
      state.withLock { state in
        if let segment = sealed.segment { state.segments.append(segment) }
        state.sealing = nil
        state.sealFailure = nil
      }
      return sealed
    }
    state.wakeAll()
    observe(.sealed(rowCount: sealed.rowCount, droppedCount: sealed.droppedCount, byteCount: sealed.byteCount))
  }

  /// Writes everything that was appended before the call into segments. Blocks.
  package func sealAll() throws {
    try order.withLock { _ in
      try waitForSealer()
      if state.withLock({ $0.active }).rowCount > 0 { _ = try rotate() }
    }
    try waitForSealer()
  }

  // MARK: Merging and expiring

  /// Puts merged segments in the place of their inputs, or figures in that of expired ones, at one moment for all
  /// readers. The manifest has them already.
  ///
  /// - Parameter losesRecords: whether records have gone that stand nowhere any more.
  package func replaceSegments(
    _ removed: Set<UInt64>, with added: [Segment] = [], metrics addedMetrics: [MetricsSegment] = [], losesRecords: Bool
  ) {
    state.withLock { state in
      state.segments = added + state.segments.filter { !removed.contains($0.number) }
      state.metrics = state.metrics.filter { !removed.contains($0.number) } + addedMetrics
      if losesRecords { state.expiryCount += 1 }
    }
  }

  /// Runs `body` with what is visible, while nothing is sealed: a seal drops rows that stand in a segment, and must not
  /// do so while `body` is about to drop the segment because the memtable has them. Every row that `body` sees outlives a
  /// crash; what is written meanwhile is newer than what it does. Writes wait when memtables are full, or when somebody asks
  /// for a seal.
  package func withoutSeals<Result>(_ body: (LiveSources) throws -> Result) throws -> Result {
    try sealTurn.withLock { _ in
      let live = sources()
      try log.sync()
      return try body(live)
    }
  }

  /// Runs `body`, which is about to drop traces from the segments that are live now. What is sealed meanwhile is not compared
  /// with what goes: a span that is sent again stays. One call at a time.
  ///
  /// - Parameter start: called with the live segments while nothing is sealed, so that it must be quick; `body` gets what it
  ///   gives back.
  package func sparing<Start, Result>(
    _ traces: Set<TraceID>, from start: ([Segment]) -> Start, _ body: (Start) throws -> Result
  ) throws -> Result {
    let started = sealTurn.withLock { _ in
      start(
        state.withLock { state in
          state.spared = traces
          return state.segments
        })
    }
    // Behind `body`, no seal sees the old segments without sparing the traces.
    defer { state.withLock { $0.spared = [] } }
    return try body(started)
  }

  /// How many requests have been logged: what tells whether the store is being written to.
  package var requestCount: UInt64 { log.statistics.frameCount }

  /// When the first row of the memtable that is being filled arrived; nil when there is none.
  package var oldestArrivalNanoseconds: UInt64? {
    let active = state.withLock { $0.active }
    return active.rowCount > 0 ? active.arrivals.minimum : nil
  }

  /// Whether `sealAll` would leave a segment of a useful size.
  package func hasRows(atLeast count: Int) -> Bool { state.withLock { $0.active }.rowCount >= count }

  /// Waits until nothing is being sealed. When sealing fails, it is tried again at once, and only a failure of an
  /// attempt that began after this call counts: whoever asks may just have made room.
  private func waitForSealer() throws {
    let known = state.withLock { state in
      state.isRetryDue = true
      return state.failedSealCount
    }
    state.wakeAll()
    let isSettled = { (state: inout State) in
      state.sealing == nil || state.failedSealCount >= known + 2 || state.isClosed
        || state.sealFailure?.code == .poisoned
    }
    try state.withLock(waitingUntil: isSettled) { state in
      if state.sealing == nil { return }
      throw state.sealFailure ?? TracestoreError(.closed, "The store is closed; open it again.")
    }
  }

  // MARK: Reading

  /// Everything that is visible now.
  package func sources() -> LiveSources {
    state.withLock { state in
      let memtables = [state.sealing, state.active].compactMap { $0?.source() }.filter { !$0.isEmpty }
      return LiveSources(
        memtables: memtables, segments: state.segments, metrics: state.metrics, expiryCount: state.expiryCount)
    }
  }

  /// The memtables, oldest first.
  package var memtables: [Memtable] { state.withLock { [$0.sealing, $0.active].compactMap(\.self) } }

  /// Tells somebody of every memtable before it is sealed, for as long as he lives.
  package func add(_ follower: any MemtableFollower) {
    followers.withLock { followers in
      followers.removeAll { $0.value == nil }
      followers.append(FollowerReference(value: follower))
    }
  }

  private func currentFollowers() -> [any MemtableFollower] {
    followers.withLock { followers in
      followers.removeAll { $0.value == nil }
      return followers.compactMap(\.value)
    }
  }

  package var memoryByteCount: Int {
    state.withLock { [$0.active, $0.sealing] }.reduce(0) { $0 + ($1?.byteCount ?? 0) }
  }

  package var logStatistics: WALStatistics { log.statistics }

  /// Ends writing: what is queued is written and acknowledged, the threads end. Memtables stay in the log.
  package func close() throws {
    order.withLock { _ in state.withLock { $0.isClosed = true } }
    state.wakeAll()
    try log.close()
  }
}

/// Keeps nobody alive.
private struct FollowerReference {
  weak var value: (any MemtableFollower)?
}
