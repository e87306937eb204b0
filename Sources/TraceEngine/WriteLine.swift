import Synchronization
import TraceFiles
import TraceModel
import TraceOTLP
package import TracestoreV2

/// Requests that are stored in the order in which they were handed in, and none behind one that ended the line.
///
/// Decoding still runs on all of the store's threads; what waits for its turn is only the append, which takes place one
/// at a time anyway. So the same requests make the same segments, and an import that stops at a refused request leaves
/// nothing of those behind it.
package final class WriteLine: Sendable {
  /// Why a sound request was not stored: an earlier one had ended the line.
  package struct Skipped: Error {}

  private struct State {
    /// The place whose turn it is.
    var turn = 0
    var isEnded = false
  }

  private let core: StoreCore
  private let endsAtRefusal: Bool
  private let state = Monitor(State())
  /// Held while a request is queued, so that the threads take requests in the order of their places.
  private let nextNumber = Mutex(0)

  init(core: StoreCore, endsAtRefusal: Bool) {
    self.core = core
    self.endsAtRefusal = endsAtRefusal
  }

  /// Queues a request behind those before it and returns at once. `completion` is called exactly once, on one of the
  /// store's threads, or on the caller's before this returns when the store is closed or read-only; it must be quick
  /// and must call neither the store nor the line. Memory: the caller bounds how many requests are under way.
  package func submit(
    _ request: [UInt8], encoding: OTLPEncoding,
    completion: @escaping @Sendable (Result<WriteReceipt, any Error>) -> Void
  ) {
    nextNumber.withLock { number in
      let place = Place(line: self, number: number)
      number += 1
      core.write({ try EncodedRequest(request, encoding: encoding) }, inLine: place, completion: completion)
    }
  }

  /// Whether a store would take the request in, without one.
  /// - Throws: what `submit` would give to its completion.
  package static func check(_ request: [UInt8], encoding: OTLPEncoding) throws {
    let encoded = try EncodedRequest(request, encoding: encoding)
    try encoded.bytes.withUnsafeBytes { try OTLPBatchDecoder.decode($0, into: SpanBatch()) }
  }

  /// Whether what kept a request out keeps out those behind it: always when the store is to blame.
  private func isEnding(_ error: any Error) -> Bool {
    guard !endsAtRefusal, let code = (error as? TracestoreError)?.code else { return true }
    return code != .malformedInput && code != .limitExceeded
  }
}

extension WriteLine {
  /// A request's place. Exactly one thread waits in it and leaves it.
  struct Place: Sendable {
    fileprivate let line: WriteLine
    fileprivate let number: Int

    /// Waits until every request before this one has been appended or kept out.
    /// - Throws: `Skipped` when the line has ended.
    func waitForTurn() throws {
      let isEnded = line.state.withLock(waitingUntil: { $0.turn == number }, { $0.isEnded })
      if isEnded { throw Skipped() }
    }

    /// Hands the turn on, after having waited for it.
    /// - Parameter error: what kept the request out.
    func leave(_ error: (any Error)?) {
      let endsLine = error.map(line.isEnding) ?? false
      line.state.withLock(
        waitingUntil: { $0.turn == number },
        { state in
          state.turn += 1
          if endsLine { state.isEnded = true }
        })
      line.state.wakeAll()
    }

    /// The log failed the request after its turn: those that have not had theirs are kept out.
    func endLine() {
      line.state.withLock { $0.isEnded = true }
      line.state.wakeAll()
    }
  }
}
