import Synchronization
import TraceModel

/// Results that are produced only as fast as they are consumed, followed by a `ResultSummary`.
///
/// A stream is single-use: all its iterators share one position. Nothing is computed ahead of `next()`. When the
/// stream and its iterators are dropped before the end, or the consuming task is cancelled, the producer is released
/// at once. After an error the stream is over; the elements before it stand.
///
/// Thread-safety: a stream may be handed between tasks; two calls of `next()` must not overlap
/// (the second one throws `invalidArgument`).
public struct ResultStream<Element: Sendable>: AsyncSequence, Sendable {
  public typealias Failure = any Error

  let core: Core

  /// Makes a stream from closures. None of them runs before the first `next()`.
  ///
  /// - Parameters:
  ///   - next: Produces one element, or nil at the end. Never called again after nil or an error, never concurrently.
  ///   - summary: Called once, directly after `next` returned nil.
  ///   - cancel: Called once if the stream is given up before its end or fails; must be safe to call from any thread,
  ///     also while `next` runs. Not called after a regular end.
  public init(
    next: @escaping @Sendable () async throws -> Element?,
    summary: @escaping @Sendable () -> ResultSummary = { ResultSummary() },
    cancel: @escaping @Sendable () -> Void = {}
  ) {
    core = Core(Producer(next: next, summary: summary, cancel: cancel))
  }

  /// A stream of elements that are already there.
  public init(_ elements: [Element], summary: ResultSummary = ResultSummary()) {
    let rest = Mutex(elements[...])
    self.init(next: { rest.withLock { $0.popFirst() } }, summary: { summary })
  }

  /// The summary, once the end has been reached; nil before it, after an error and after `cancel()`.
  public var summary: ResultSummary? { core.summary }

  /// Gives the stream up: the producer is released and every further `next()` returns nil. Harmless when repeated.
  public func cancel() { core.cancel() }

  public func makeAsyncIterator() -> Iterator { Iterator(core: core) }

  /// Reads everything that is left.
  ///
  /// - Returns: The elements and the summary of the whole stream.
  /// - Throws: What the producer throws, `CancellationError` when the task is cancelled, and `invalidArgument` when the
  ///   stream had been given up, because then there is no summary.
  /// - Complexity: Memory for all remaining elements.
  public func collect() async throws -> (elements: [Element], summary: ResultSummary) {
    var elements: [Element] = []
    var iterator = makeAsyncIterator()
    while let element = try await iterator.next() { elements.append(element) }
    guard let summary else {
      throw TracestoreError(.invalidArgument, "The result stream was given up or had failed; ask the query again.")
    }
    return (elements, summary)
  }

  /// A stream of transformed elements with the same summary. Takes this stream over: read only one of the two.
  public func mapped<Output: Sendable>(
    _ transform: @escaping @Sendable (Element) async throws -> Output
  ) -> ResultStream<Output> {
    let core = core
    return ResultStream<Output>(
      next: {
        guard let element = try await core.next() else { return nil }
        return try await transform(element)
      },
      summary: { core.summary ?? ResultSummary() },
      cancel: { core.cancel() })
  }

  /// Pulls elements. All iterators of one stream share its position.
  public struct Iterator: AsyncIteratorProtocol, Sendable {
    let core: Core

    /// The next element, or nil after the end, after an error and after `cancel()`.
    public mutating func next() async throws -> Element? { try await core.next() }

    /// As `ResultStream.summary`.
    public var summary: ResultSummary? { core.summary }
  }
}

extension ResultStream {
  struct Producer: Sendable {
    var next: @Sendable () async throws -> Element?
    var summary: @Sendable () -> ResultSummary
    var cancel: @Sendable () -> Void
  }

  /// Owns the producer; its last reference going away is the consumer stopping early.
  final class Core: Sendable {
    private enum State {
      case idle(Producer)
      case running(Producer)
      case ended(ResultSummary)
      case over
    }

    private let state: Mutex<State>

    init(_ producer: Producer) { state = Mutex(.idle(producer)) }

    deinit { cancel() }

    var summary: ResultSummary? {
      state.withLock { if case .ended(let summary) = $0 { summary } else { nil } }
    }

    func cancel() {
      let producer: Producer? = state.withLock {
        switch $0 {
        case .idle(let producer), .running(let producer):
          $0 = .over
          return producer
        case .ended, .over: return nil
        }
      }
      producer?.cancel()
    }

    func next() async throws -> Element? {
      if Task.isCancelled {
        cancel()
        throw CancellationError()
      }
      let producer: Producer? = try state.withLock {
        switch $0 {
        case .idle(let producer):
          $0 = .running(producer)
          return producer
        case .running:
          throw TracestoreError(
            .invalidArgument, "Two calls of next() overlap on one result stream; read it from one task.")
        case .ended, .over: return nil
        }
      }
      guard let producer else { return nil }
      do {
        let element = try await producer.next()
        let summary = element == nil ? producer.summary() : nil
        return state.withLock {
          // Cancelled meanwhile: the element arrived too late and must not be shown.
          guard case .running = $0 else { return nil }
          $0 = if let summary { .ended(summary) } else { .idle(producer) }
          return element
        }
      } catch {
        cancel()
        throw error
      }
    }
  }
}

/// What is to be said about an answer as a whole, known only at its end.
public struct ResultSummary: Hashable, Sendable {
  /// True when more matches exist than the limit let through.
  public var isTruncated: Bool
  /// Where to go on: put it into `TraceQuery.pageToken` of the same query. Nil when there is nothing more, or when
  /// the store can't page.
  public var continuation: String?
  /// One sentence for every damaged place that the answer had to leave out; empty when the answer is complete.
  public var damage: [String]
  /// True when figures are weighted from samples.
  public var isEstimated: Bool
  /// What the query pruned, scanned and read, for people, when `ReadOptions.isExplained` asked for it.
  public var explanation: String?

  public init(
    isTruncated: Bool = false, continuation: String? = nil, damage: [String] = [], isEstimated: Bool = false,
    explanation: String? = nil
  ) {
    self.isTruncated = isTruncated
    self.continuation = continuation
    self.damage = damage
    self.isEstimated = isEstimated
    self.explanation = explanation
  }
}
