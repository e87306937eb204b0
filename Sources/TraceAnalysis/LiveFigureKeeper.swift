package import TraceGraph
import TraceModel

/// Keeps live figures of spans as they come from a store, and the traces that are not complete yet. For one thread.
package struct LiveFigureKeeper: Sendable {
  package private(set) var figures: LiveFigures
  private var waiting: WaitingTraces
  private let quietNanoseconds: UInt64

  package init(_ figures: LiveFigures, maximumWaitingSpanCount: Int, quietNanoseconds: UInt64) {
    self.figures = figures
    self.quietNanoseconds = quietNanoseconds
    waiting = WaitingTraces(maximumSpanCount: maximumWaitingSpanCount)
  }

  /// The code of a text for `add(_:at:)`. It holds until `advance(to:)` says otherwise.
  package mutating func code(of name: [UInt8]) -> UInt32 { figures.code(of: name) }

  /// Adds final spans that came at a time.
  package mutating func add(_ spans: UnsafeBufferPointer<StreamedSpan>, at now: UInt64) {
    Self.add(spans, at: now, &figures, &waiting)
  }

  private static func add(
    _ spans: UnsafeBufferPointer<StreamedSpan>, at now: UInt64, _ figures: inout LiveFigures,
    _ waiting: inout WaitingTraces
  ) {
    for span in spans { figures.add(span.span) }
    waiting.add(spans, at: now) { figures.add(trace: $0) }
  }

  /// Says what time it is: the graph gets the traces that have been quiet. True when codes mean nothing any more.
  package mutating func advance(to now: UInt64) -> Bool {
    Self.advance(to: now, quietNanoseconds, &figures, &waiting)
  }

  private static func advance(
    to now: UInt64, _ quietNanoseconds: UInt64, _ figures: inout LiveFigures, _ waiting: inout WaitingTraces
  ) -> Bool {
    figures.advance(to: Timestamp(nanoseconds: now))
    waiting.takeQuiet(quietNanoseconds, at: now) { figures.add(trace: $0) }
    let mustForget = figures.hasManyNames
    if mustForget {
      waiting.takeAll { figures.add(trace: $0) }
      figures.forgetNames()
    }
    figures.losses.earlyTraceCount = waiting.earlyCount
    return mustForget
  }

  package mutating func addLost(requestCount: UInt64) { figures.losses.requestCount += requestCount }

  package var byteCount: Int { figures.byteCount + waiting.byteCount }
}
