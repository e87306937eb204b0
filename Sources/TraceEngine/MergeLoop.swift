import TraceFiles
import TraceIngest
import TraceMaintenance
import TraceManifest
import TraceSegment

/// Decides when segments are merged.
///
/// Merges that nobody asked for run on a thread that gives way to all others, with one stripe encoded at a time, and
/// wait until the store has been quiet for a second, unless small segments have piled up or memory asks for them.
final class MergeLoop: Sendable {
  private struct State {
    /// Whether segments have come since the loop looked last.
    var hasNews = true
    var isClosed = false
    /// Segments that cannot be merged because they are damaged.
    var damaged: Set<UInt64> = []
  }

  private let state = Monitor(State())
  private let compactor: Compactor
  private let turn: MaintenanceTurn
  private let returnsFreedMemory: Bool
  private let requestCount: @Sendable () -> UInt64
  private let isPressed: @Sendable () -> Bool
  private let observe: @Sendable (StoreEvent) -> Void

  /// Small segments of one window that are merged even while the store is written to.
  private static let pressingInputCount = 12

  /// Inputs from which on a merge takes memory that is worth some milliseconds: 40,000 spans, about.
  private static let largeByteCount: UInt64 = 1 << 20

  /// - Parameter isPressed: whether merges are wanted at once, because what they leave takes less memory.
  init(
    compactor: Compactor, turn: MaintenanceTurn, returnsFreedMemory: Bool,
    requestCount: @escaping @Sendable () -> UInt64, isPressed: @escaping @Sendable () -> Bool,
    observe: @escaping @Sendable (StoreEvent) -> Void
  ) {
    self.compactor = compactor
    self.turn = turn
    self.returnsFreedMemory = returnsFreedMemory
    self.requestCount = requestCount
    self.isPressed = isPressed
    self.observe = observe
  }

  /// A segment was sealed.
  func wake() {
    state.withLock { $0.hasNews = true }
    state.wakeAll()
  }

  /// Ends the loop.
  func requestEnd() {
    state.withLock { $0.isClosed = true }
    state.wakeAll()
  }

  /// Runs on a thread of its own until the store is closed.
  func run() {
    var isWaitingForQuiet = false
    var lastRequestCount: UInt64?
    while true {
      let pause: UInt64 = isWaitingForQuiet ? 1_000_000_000 : .max
      let isDue = { (state: inout State) in state.hasNews || state.isClosed }
      let excluded: Set<UInt64>? = state.withLock(waitingAtMost: pause, until: isDue) { state, _ in
        state.hasNews = false
        return state.isClosed ? nil : state.damaged
      }
      guard let excluded else { return }
      let inputs = compactor.nextInputs(excluding: excluded)
      guard !inputs.isEmpty else {
        isWaitingForQuiet = false
        continue
      }
      let count = requestCount()
      if inputs.count < Self.pressingInputCount, count != lastRequestCount, !isPressed() {
        lastRequestCount = count
        isWaitingForQuiet = true
        continue
      }
      do {
        _ = try mergeDue(parallel: SegmentWriter.serial)
        wake()
      } catch {
        // What failed is tried again when the next segment has come: a full disk recovers by itself.
        let failure = error as? TracestoreError ?? TracestoreError(.inputOutput, "\(error)")
        if !turn.isClosed { observe(.mergeFailed(failure)) }
      }
      isWaitingForQuiet = false
    }
  }

  /// Merges what the policy would merge in the background, or everything there is. Blocks, and waits for a merge that is
  /// under way.
  func compact(
    isFull: Bool, report: @escaping @Sendable (MergeProgress) -> Void
  ) throws -> CompactionResult {
    if isFull {
      return try merge(level: CompactionPolicy.fullLevel, Concurrency.perform, report) { _ in compactor.allInputs() }
    }
    var result = CompactionResult()
    while true {
      let step = try mergeDue(parallel: Concurrency.perform, report: report)
      result.add(step)
      // A damaged input is left out of the next step; without one, nothing was due.
      if step.inputCount == 0, step.damaged.isEmpty { return result }
    }
  }

  private func mergeDue(
    parallel: @escaping SegmentParallelism, report: @escaping @Sendable (MergeProgress) -> Void = { _ in }
  ) throws -> CompactionResult {
    try merge(level: CompactionPolicy.mergedLevel, parallel, report) { compactor.nextInputs(excluding: $0) }
  }

  /// - Parameter choose: the inputs, given the damaged ones; asked once no other merge is under way.
  private func merge(
    level: UInt8, _ parallel: @escaping SegmentParallelism, _ report: @escaping @Sendable (MergeProgress) -> Void,
    choosing choose: (_ damaged: Set<UInt64>) -> [ManifestFile]
  ) throws -> CompactionResult {
    let result = try turn.perform {
      let inputs = choose(state.withLock { $0.damaged })
      guard !inputs.isEmpty else { return CompactionResult() }
      // What others have freed is not there for this thread, nor what this one frees for others.
      let isLarge = inputs.reduce(0) { $0 + $1.byteCount } >= Self.largeByteCount
      if returnsFreedMemory, isLarge { FreedMemory.giveBack() }
      defer { if returnsFreedMemory, isLarge { FreedMemory.giveBack() } }
      return try compactor.merge(
        inputs, level: level, parallel: parallel, isCancelled: { [turn] in turn.isClosed }, report: report)
    }
    if !result.damaged.isEmpty {
      state.withLock { $0.damaged.formUnion(result.damaged.map(\.number)) }
      for damage in result.damaged { observe(.damaged(damage.reason)) }
    }
    if result.inputCount > 0 {
      observe(
        .merged(
          segmentCount: result.inputCount, newSegmentCount: result.outputCount, recordCount: result.recordCount,
          byteCount: result.outputByteCount))
    }
    return result
  }
}
