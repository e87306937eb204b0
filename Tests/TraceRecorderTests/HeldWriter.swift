import Synchronization
import TraceModel
import TraceRecorder
import TracestoreV2

/// A store that remembers what it acknowledged, and refuses when it is told to.
final class HeldWriter: TraceWriter {
  struct State {
    var requests: [TraceData] = []
    var failure: TracestoreError?
    /// Called for every request, before it is stored.
    var refusesLarger: Int?
  }

  let state = Mutex(State())

  func writeTraces(_ data: TraceData) async throws -> WriteReceipt {
    try state.withLock { state in
      if let failure = state.failure { throw failure }
      if let most = state.refusesLarger, data.spanCount > most { throw TracestoreError(.limitExceeded, "too large") }
      state.requests.append(data)
    }
    return WriteReceipt(acceptedSpanCount: data.spanCount)
  }

  func fail(_ failure: TracestoreError?) { state.withLock { $0.failure = failure } }

  var requestCount: Int { state.withLock { $0.requests.count } }

  /// Everything that was acknowledged, in order.
  var records: [SpanRecord] {
    state.withLock { $0.requests }.flatMap { data in
      var spans: [SpanRecord] = []
      data.forEachSpan { _, _, span in spans.append(span) }
      return spans
    }
  }

  var finals: [SpanRecord] { records.filter { $0.end != .zero } }
  var snapshots: [SpanRecord] { records.filter { $0.end == .zero } }
}

/// A clock that stands still until it is moved, and ids by count.
final class Hand: Sendable {
  private let now = Mutex<UInt64>(1_000_000_000)
  private let last = Mutex<UInt64>(0)

  func move(by nanoseconds: UInt64) { now.withLock { $0 += nanoseconds } }
  func nextBits() -> UInt64 {
    last.withLock { last in
      last += 1
      return last
    }
  }

  /// Without a task of its own: tests flush.
  func options() -> RecorderOptions {
    RecorderOptions(
      snapshotIntervalNanoseconds: nil, clock: { self.now.withLock { $0 } }, randomBits: { self.nextBits() })
  }
}

extension SpanRecord {
  var sequence: Int64? {
    if case .int(let value)? = attributes.value(of: "tracestore.sequence") { value } else { nil }
  }
  var observed: Int64? {
    if case .int(let value)? = attributes.value(of: "tracestore.observed") { value } else { nil }
  }
}
