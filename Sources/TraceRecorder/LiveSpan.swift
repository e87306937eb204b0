import Synchronization
public import TraceModel

/// A span that is open: what is known of it so far can be found in the store before it has ended.
///
/// Made by `SpanRecorder.beginSpan` or `startSpan`. Changes are kept in memory, and written by the recorder's next
/// flush, by `snapshot()` or by `end()`. All of it may be called from any task at any time.
///
/// - After the end, changes are ignored, as in OpenTelemetry; the handle keeps the state it ended with.
/// - A handle that is dropped without an end leaves an open span: its last state is written by the next flush, and
///   readers call it abandoned once their lease has run out.
public final class LiveSpan: Sendable {
  let cell: SpanCell
  /// Keeps the recorder, which writes.
  let recorder: SpanRecorder
  public let traceID: TraceID
  public let spanID: SpanID

  init(cell: SpanCell, recorder: SpanRecorder, traceID: TraceID, spanID: SpanID) {
    self.cell = cell
    self.recorder = recorder
    self.traceID = traceID
    self.spanID = spanID
  }

  deinit { recorder.abandon(cell) }

  // MARK: State

  /// The span as it is now. Its end is zero while it is open.
  public var record: SpanRecord { cell.content.withLock { $0.record } }

  /// The attributes as they are now: cheaper than `record`.
  public var attributes: [Attribute] { cell.content.withLock { $0.record.attributes } }

  /// False once the span has ended: changes are ignored then.
  public var isOpen: Bool { cell.content.withLock { $0.phase == .open } }

  // MARK: Changes

  /// Sets one attribute, in place when the key is there already.
  public func setAttribute(_ key: String, _ value: AttributeValue) {
    let limit = recorder.options.maximumElementCount
    change { $0.set(key, value, limit: limit) }
  }

  /// Takes one attribute away, from what was written before too. Without effect when there is none.
  public func removeAttribute(_ key: String) { change { $0.remove(key) } }

  /// Replaces all attributes. Keys that are missing are removed; without effect when nothing changes.
  public func setAttributes(_ attributes: [Attribute]) {
    let limit = recorder.options.maximumElementCount
    cell.content.withLock { content in
      guard content.phase == .open, content.record.attributes != attributes else { return }
      content.setAll(attributes, limit: limit)
      content.hasNews = true
    }
  }

  public func setName(_ name: String) { change { $0.record.name = name } }

  /// Unset is ignored, and so is everything after `ok`: a status only rises.
  public func setStatus(_ code: SpanStatus.Code, message: String = "") {
    change { $0.set(SpanStatus(code: code, message: message)) }
  }

  /// Adds an event that happens now, unless a time is named.
  public func addEvent(_ name: String, attributes: [Attribute] = [], at time: Timestamp? = nil) {
    let time = time ?? Timestamp(nanoseconds: recorder.options.clock())
    let limit = recorder.options.maximumElementCount
    change { $0.add(SpanEvent(time: time, name: name, attributes: attributes), limit: limit) }
  }

  public func addLink(_ link: SpanLink) {
    let limit = recorder.options.maximumElementCount
    change { $0.add(link, limit: limit) }
  }

  private func change(_ body: (inout SpanContent) -> Void) {
    cell.content.withLock { content in
      guard content.phase == .open else { return }
      body(&content)
      content.hasNews = true
    }
  }

  // MARK: Writing

  /// Writes what is known now. Durable when it returns. Without effect after the end.
  ///
  /// - Throws: what the writer threw, or `invalidArgument` with its reason when it refused the span. The state is kept
  ///   and tried again by the next flush.
  public func snapshot() async throws {
    let now = recorder.options.clock()
    let written: SpanRecorder.Written? = try cell.content.withLock { content in
      guard content.phase == .open else { return nil }
      try recorder.checkOpenSpans()
      return SpanRecorder.Written(cell, &content, now: now)
    }
    if let written { try await recorder.write([written]) }
  }

  /// Ends the span and writes it. Durable when it returns. Once it has succeeded, another call has no effect.
  ///
  /// - Parameter time: nil is now. An end before the start becomes the start.
  /// - Throws: as `snapshot()`. The end is kept, with the time of the first call: the next flush and another call of
  ///   `end()` try again.
  public func end(at time: Timestamp? = nil) async throws {
    let now = recorder.options.clock()
    let written = cell.content.withLock { content in
      content.end(at: time?.nanoseconds ?? now)
      return SpanRecorder.Written(cell, &content, now: now)
    }
    if let written { try await recorder.write([written]) }
  }

  /// Ends the span without waiting: it goes into the recorder's queue, which the next flush writes. When the queue is
  /// full, the end is lost and counted in `RecorderStatistics.droppedSpanCount`.
  ///
  /// Costs one or two microseconds and never blocks on the store.
  public func finish(at time: Timestamp? = nil) {
    let nanoseconds = time?.nanoseconds ?? recorder.options.clock()
    let isFirst = cell.content.withLock { content in
      defer { content.end(at: nanoseconds) }
      return content.phase == .open
    }
    if isFirst { recorder.enqueue(cell) }
  }
}

extension SpanContent {
  /// The first end counts.
  mutating func end(at nanoseconds: UInt64) {
    guard phase == .open else { return }
    // Zero would say that the span is open.
    record.end = Timestamp(nanoseconds: max(nanoseconds, record.start.nanoseconds, 1))
    phase = .ended
  }
}
