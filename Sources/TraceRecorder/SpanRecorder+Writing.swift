import Synchronization
import TraceModel
import TracestoreV2

extension SpanRecorder {
  /// Records of one span on their way to the writer.
  struct Written: Sendable {
    let cell: SpanCell
    let records: [SpanRecord]
    /// Of the snapshot among them, or the newest before them.
    let sequence: Int64
    let isFinal: Bool

    /// The next snapshot of an open span, or the final of one that has ended.
    init?(_ cell: SpanCell, _ content: inout SpanContent, now: UInt64) {
      switch content.phase {
      case .open: records = [content.makeSnapshot(observed: now)]
      case .ended: records = content.makeFinal(observed: now)
      case .written: return nil
      }
      isFinal = content.phase == .ended
      sequence = content.sequence
      self.cell = cell
    }
  }

  /// Writes every span that has news, and all that have ended. Waits for a flush that is under way first, so that on
  /// return everything that was known at the call is durable.
  ///
  /// - Throws: the first error of the writer. What it refused is kept for the next flush.
  public func flush() async throws { try await flush(minimumAge: 0) }

  func flush(minimumAge: UInt64) async throws {
    let flush = state.withLock { state in
      let before = state.lastFlush
      let flush = Task {
        _ = await before?.result
        try await self.writeDue(minimumAge)
      }
      state.lastFlush = flush
      return flush
    }
    try await flush.value
  }

  /// One flush. Only one runs at a time.
  private func writeDue(_ minimumAge: UInt64) async throws {
    let (open, ended) = state.withLock { state in
      state.isFlushDue = false
      return (Array(state.open.values), state.waiting)
    }
    let now = options.clock()
    var failure: (any Error)?
    for start in stride(from: 0, to: open.count + ended.count, by: options.batchSpanCount) {
      let range = start..<min(start + options.batchSpanCount, open.count + ended.count)
      let spans = range.compactMap { due($0 < open.count ? open[$0] : ended[$0 - open.count], now, minimumAge) }
      do { try await writeSparing(spans) } catch { failure = failure ?? error }
    }
    state.withLock { $0.waiting.removeAll { $0.content.withLock { $0.phase == .written } } }
    if let failure { throw failure }
  }

  private func due(_ cell: SpanCell, _ now: UInt64, _ minimumAge: UInt64) -> Written? {
    cell.content.withLock { content in
      guard options.recordsOpenSpans || content.phase != .open,
        content.isDue(now: now, minimumAge: minimumAge, heartbeat: options.heartbeatNanoseconds)
      else { return nil }
      return Written(cell, &content, now: now)
    }
  }

  /// A request that is too large for the writer is written span by span: one of them must not hold up the others.
  private func writeSparing(_ spans: [Written]) async throws {
    guard !spans.isEmpty else { return }
    do { try await write(spans) } catch let error as TracestoreError
      where error.code == .limitExceeded && spans.count > 1
    {
      var failure: (any Error)?
      for span in spans {
        do { try await write([span]) } catch { failure = failure ?? error }
      }
      if let failure { throw failure }
    }
  }

  /// One request. Returns when it is durable and every span knows what became of it.
  func write(_ spans: [Written]) async throws {
    let data = TraceData(spans)
    do {
      let receipt = try await writer.writeTraces(data)
      settle(spans, recordCount: receipt.acceptedSpanCount)
      if let refusal = receipt.refused.first {
        throw TracestoreError(.invalidArgument, "The store refused a span: \(refusal.reason)")
      }
    } catch {
      restore(spans)
      state.withLock { state in
        state.statistics.failedRequestCount += 1
        state.statistics.lastFailure = "\(error)"
      }
      // Nothing will ever be written again: without this the recorder would try for ever.
      if (error as? TracestoreError)?.code == .closed { discardAll() }
      throw error
    }
  }

  private func settle(_ spans: [Written], recordCount: Int) {
    var done: [SpanCell] = []
    for span in spans {
      let isDone = span.cell.content.withLock { content in
        content.acknowledged = max(content.acknowledged, span.sequence)
        if span.isFinal { content.phase = .written }
        return content.isSettled
      }
      if isDone { done.append(span.cell) }
    }
    state.withLock { state in
      for cell in done { state.open[ObjectIdentifier(cell)] = nil }
      state.statistics.requestCount += 1
      state.statistics.writtenRecordCount += UInt64(recordCount)
    }
  }

  /// Snapshots that did not arrive are news again. A final stays due by its phase.
  private func restore(_ spans: [Written]) {
    for span in spans where !span.isFinal { span.cell.content.withLock { $0.hasNews = true } }
  }
}

extension TraceData {
  /// Neighbours of one resource and scope share their envelope.
  init(_ spans: [SpanRecorder.Written]) {
    self.init()
    for span in spans {
      let (resource, scope) = span.cell.content.withLock { ($0.resource, $0.scope) }
      if resourceSpans.last?.resource != resource { resourceSpans.append(ResourceSpans(resource: resource)) }
      let group = resourceSpans.count - 1
      if resourceSpans[group].scopeSpans.last?.scope != scope {
        resourceSpans[group].scopeSpans.append(ScopeSpans(scope: scope))
      }
      resourceSpans[group].scopeSpans[resourceSpans[group].scopeSpans.count - 1].spans += span.records
    }
  }
}
