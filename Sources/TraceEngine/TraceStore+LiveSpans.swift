import TraceManifest
import TraceOTLP
public import TraceRecorder

extension TraceStore {
  /// Begins a span whose state can be found in the store while it is open. Durable when it returns, in the store's mode.
  ///
  /// ```swift
  /// let span = try await store.beginSpan("import", service: "shop")
  /// span.addEvent("half of it")
  /// try await span.end()
  /// ```
  ///
  /// `recorder.beginSpan` takes a whole resource, ids, links and a start.
  ///
  /// With a parent it is a part of that span; without, it begins a new trace.
  ///
  /// - Throws: `limitExceeded` when too many spans are open, `unsupported` when the store reads spans without an end as
  ///   ended ones (`StoreOptions.isZeroEndOpen`), and what a write throws. There is no span then.
  public func beginSpan(
    _ name: String, service: String, kind: SpanKind = .internal, parent: LiveSpan? = nil, attributes: [Attribute] = []
  ) async throws -> LiveSpan {
    try await recorder.beginSpan(
      name, kind: kind, resource: Resource(attributes: [Attribute("service.name", .string(service))]),
      traceID: parent?.traceID, parentSpanID: parent?.spanID, attributes: attributes)
  }

  /// A recorder with options of its own. Shut it down before the store is closed: `close()` drains only `recorder`.
  ///
  /// A store that reads spans without an end as ended (`StoreOptions.isZeroEndOpen`) records none that are open.
  public func makeRecorder(_ options: RecorderOptions) -> SpanRecorder {
    SpanRecorder(core: core, options: options)
  }
}

extension SpanRecorder {
  convenience init(core: StoreCore, options: RecorderOptions) {
    var options = options
    options.recordsOpenSpans = options.recordsOpenSpans && core.manifest.current.settings.isZeroEndOpen
    self.init(writer: CoreWriter(core: core), options: options)
  }
}

extension RecorderOptions {
  /// With ids by chance, and the machine's clock unless another is named.
  public init(clock: @escaping @Sendable () -> UInt64 = SystemClock.nowNanoseconds) {
    let bits = RandomBits()
    self.init(clock: clock, randomBits: { bits.next() })
  }
}

/// Writes without keeping the store open: a forgotten store is closed although spans of it are held.
struct CoreWriter: TraceWriter {
  let core: StoreCore

  func writeTraces(_ data: TraceData) async throws -> WriteReceipt { try await core.write { EncodedRequest(data) } }
}

extension StoreCore {
  func write(_ encode: @escaping @Sendable () throws -> EncodedRequest) async throws -> WriteReceipt {
    try await withCheckedThrowingContinuation { continuation in
      write(encode) { continuation.resume(with: $0) }
    }
  }
}
