import Synchronization
import TraceAnalysis
import TraceEngine

/// Somebody who looks on while a store is written.
final class LiveWatcher: Sendable {
  private let kind: LiveLoad.Kind
  private let stream = Mutex<LiveFigureStream?>(nil)
  let counts = Mutex((told: 0, lost: UInt64(0), answers: 0))

  init(_ kind: LiveLoad.Kind) { self.kind = kind }

  /// What to run beside the writes, which are told of from the return on.
  func begin(_ store: TraceStore) async throws -> @Sendable () async throws -> Void {
    switch kind {
    case .nobody: return {}
    case .figures:
      let stream = try await store.liveFigures()
      self.stream.withLock { $0 = stream }
      return { [self] in
        for try await figures in stream { note(figures) }
      }
    case .events:
      let events = try await store.events()
      return { [self] in try await watch(events) }
    case .filteredEvents:
      let events = try await store.events(
        matching: try FilterExpression(text: "span.duration > 2s"), options: EventOptions(includesTraces: false))
      return { [self] in try await watch(events) }
    case .page: return { [self] in try await ask(store) }
    }
  }

  /// To be called when all is written.
  func finish() async throws {
    guard let stream = stream.withLock(\.self) else { return }
    note(try await stream.current())
  }

  private func note(_ figures: LiveFigures) {
    counts.withLock { counts in
      counts.told = Int(figures.spanCount)
      counts.lost = figures.losses.requestCount
      counts.answers += 1
    }
  }

  private func watch(_ events: TraceEvents) async throws {
    var live = LiveFigures()
    for try await event in events {
      switch event {
      case .span(let found):
        // Spans of a corpus are not of today.
        live.advance(to: found.span.start)
        live.add(found)
        counts.withLock { $0.told += 1 }
      case .trace(let trace): live.add(trace: trace.spans)
      case .lost(let lost): counts.withLock { $0.lost += lost.requestCount }
      }
    }
  }

  private func ask(_ store: TraceStore) async throws {
    while true {
      try await Task.sleep(nanoseconds: 1_000_000_000)
      let query = MetricsQuery(
        serviceNames: [], groups: [.operation], end: .maximum, lookbackNanoseconds: .max,
        stepNanoseconds: 60_000_000_000, quantile: 0.95)
      _ = try await store.getLatencies(query)
      _ = try await store.getCallRates(query)
      _ = try await store.getErrorRates(query)
      _ = try await store.serviceGraph(DependencyQuery())
      counts.withLock { $0.answers += 1 }
    }
  }
}
