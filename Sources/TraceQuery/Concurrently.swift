import Synchronization
import TraceSegment

/// What `body` makes of each number below `count`, in their order, made on the threads that there are.
func concurrently<Result: Sendable>(
  _ parallel: SegmentParallelism, _ count: Int, _ body: @escaping @Sendable (Int) -> Result
) -> [Result] {
  if count <= 1 { return (0..<count).map(body) }
  let results = ResultSlots<Result>(count: count)
  parallel(count) { results.put(body($0), at: $0) }
  return results.all
}

/// Results that several threads put down, each at places of its own.
private final class ResultSlots<Result: Sendable>: Sendable {
  private let slots: Mutex<[Result?]>

  init(count: Int) { slots = Mutex([Result?](repeating: nil, count: count)) }

  func put(_ result: Result, at place: Int) { slots.withLock { $0[place] = result } }

  /// Once every place has one.
  var all: [Result] { slots.withLock { $0.compactMap { $0 } } }
}
