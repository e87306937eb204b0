package import TraceBytes

/// A place in the bytes of a batch: below the request's byte count it lies in the request, from there on in the
/// bytes that the decoder made.
@frozen
package struct ByteRange: Hashable, Sendable, BitwiseCopyable {
  package var offset: UInt32
  /// How many bytes.
  package var count: UInt32

  @inlinable
  package init(offset: UInt32, count: UInt32) {
    self.offset = offset
    self.count = count
  }

  @inlinable package static var empty: ByteRange { ByteRange(offset: 0, count: 0) }
  @inlinable package var isEmpty: Bool { count == 0 }

  /// The range as `BatchAttribute.value` holds it.
  @inlinable package var packed: UInt64 { UInt64(offset) &<< 32 | UInt64(count) }

  @inlinable
  package init(packed: UInt64) {
    self.init(offset: UInt32(truncatingIfNeeded: packed &>> 32), count: UInt32(truncatingIfNeeded: packed))
  }
}

@frozen
package struct BatchSpan: Sendable, BitwiseCopyable {
  package var traceHigh: UInt64 = 0
  package var traceLow: UInt64 = 0
  package var spanID: UInt64 = 0
  /// Zero unless `hasParent`.
  package var parentSpanID: UInt64 = 0
  /// Nanoseconds since the epoch.
  package var start: UInt64 = 0
  package var end: UInt64 = 0
  package var name = ByteRange.empty
  package var traceState = ByteRange.empty
  package var statusMessage = ByteRange.empty
  package var unknownFields = ByteRange.empty
  package var statusUnknownFields = ByteRange.empty
  /// The whole `Span` message: as it came, or in canonical form if it was irregular.
  package var source = ByteRange.empty
  package var kind: Int32 = 0
  package var statusCode: Int32 = 0
  package var flags: UInt32 = 0
  package var droppedAttributeCount: UInt32 = 0
  package var droppedEventCount: UInt32 = 0
  package var droppedLinkCount: UInt32 = 0
  package var firstAttribute: UInt32 = 0
  package var attributeCount: UInt32 = 0
  package var firstEvent: UInt32 = 0
  package var eventCount: UInt32 = 0
  package var firstLink: UInt32 = 0
  package var linkCount: UInt32 = 0
  package var resourceIndex: UInt32 = 0
  package var scopeIndex: UInt32 = 0
  package var hasParent = false
  package var hasStatus = false
  /// True when `source` is byte for byte what `OTLP.identity(of:)` gives for this span, so that its content hash needs
  /// no decoding. False says nothing: the message may differ from its canonical form, or hold what was not compared.
  package var isCanonical = false

  @inlinable package init() {}
}

@frozen
package struct BatchAttribute: Sendable, BitwiseCopyable {
  package var key: ByteRange
  package var type: AttributeType
  /// A scalar's bits; for every other type a packed `ByteRange`: of the raw text or bytes, of the canonical `AnyValue`
  /// message (array, map), of the `AnyValue` message as it came (opaque), or of the canonical `KeyValue` message
  /// (opaque attribute). Zero for absent and empty.
  package var value: UInt64

  @inlinable
  package init(key: ByteRange, type: AttributeType, value: UInt64) {
    self.key = key
    self.type = type
    self.value = value
  }

  /// The bytes of a value that is no scalar.
  @inlinable package var range: ByteRange { ByteRange(packed: value) }
}

@frozen
package struct BatchEvent: Sendable, BitwiseCopyable {
  /// Nanoseconds since the epoch.
  package var time: UInt64 = 0
  package var name = ByteRange.empty
  package var unknownFields = ByteRange.empty
  package var droppedAttributeCount: UInt32 = 0
  package var firstAttribute: UInt32 = 0
  package var attributeCount: UInt32 = 0

  @inlinable package init() {}
}

@frozen
package struct BatchLink: Sendable, BitwiseCopyable {
  /// Zero unless `hasTraceID`.
  package var traceHigh: UInt64 = 0
  package var traceLow: UInt64 = 0
  /// Zero unless `hasSpanID`.
  package var spanID: UInt64 = 0
  package var traceState = ByteRange.empty
  package var unknownFields = ByteRange.empty
  package var flags: UInt32 = 0
  package var droppedAttributeCount: UInt32 = 0
  package var firstAttribute: UInt32 = 0
  package var attributeCount: UInt32 = 0
  package var hasTraceID = false
  package var hasSpanID = false

  @inlinable package init() {}
}

/// A resource with what stood beside it in its envelope. Equal resources may come several times.
@frozen
package struct BatchResource: Sendable, BitwiseCopyable {
  /// The `Resource` message: as it came, or in canonical form if it came in pieces.
  package var source = ByteRange.empty
  package var schemaURL = ByteRange.empty
  package var envelopeUnknownFields = ByteRange.empty

  @inlinable package init() {}
}

/// A scope with what stood beside it in its envelope. Equal scopes may come several times.
@frozen
package struct BatchScope: Sendable, BitwiseCopyable {
  /// The `InstrumentationScope` message: as it came, or in canonical form if it came in pieces.
  package var source = ByteRange.empty
  package var schemaURL = ByteRange.empty
  package var envelopeUnknownFields = ByteRange.empty

  @inlinable package init() {}
}

/// One decoded request as flat arrays, for ingest: the spans, and their attributes, events and links by index ranges.
///
/// The caller owns the batch and reuses it; decoding into it keeps its memory. It borrows the request: texts and bytes
/// are ranges of it, so read the batch only while the request's memory lives. Not thread-safe.
package final class SpanBatch {
  // The checks of exclusive access, several for every attribute, were 5 % of an import.
  @exclusivity(unchecked) package var storage = BatchStorage()

  package init() {}

  deinit { storage.free() }

  @inlinable package var spans: UnsafeBufferPointer<BatchSpan> { storage.spans.elements }
  /// Attributes of spans, events and links.
  @inlinable package var attributes: UnsafeBufferPointer<BatchAttribute> { storage.attributes.elements }
  @inlinable package var events: UnsafeBufferPointer<BatchEvent> { storage.events.elements }
  @inlinable package var links: UnsafeBufferPointer<BatchLink> { storage.links.elements }
  @inlinable package var resources: UnsafeBufferPointer<BatchResource> { storage.resources.elements }
  @inlinable package var scopes: UnsafeBufferPointer<BatchScope> { storage.scopes.elements }

  /// Spans left out because their ids cannot be used; every other span of the request is in `spans`.
  package internal(set) var refusals: [(spanIndex: Int, reason: String)] = []

  /// How many spans are in the batch.
  @inlinable package var acceptedCount: Int { storage.spans.count }

  /// How many strings the spans have at most, were all of them different.
  package var maximumStringCount: Int {
    5 * spans.count + 2 * (attributes.count + events.count + links.count) + resources.count
  }

  /// The bytes of a range that this batch handed out.
  @inlinable
  package func bytes(_ range: ByteRange) -> UnsafeRawBufferPointer {
    let offset = Int(range.offset)
    let start =
      offset < storage.requestByteCount
      ? storage.request + offset : UnsafeRawPointer(storage.extra.base) + (offset &- storage.requestByteCount)
    return UnsafeRawBufferPointer(start: start, count: Int(range.count))
  }

  /// The bytes that the decoder made for messages it could not point at.
  package var extra: UnsafeRawBufferPointer { UnsafeRawBufferPointer(storage.extra.elements) }

  /// Keeps the spans for which `isWanted` holds, in their order, with everything they refer to.
  package func removeSpans(unless isWanted: (BatchSpan) -> Bool) {
    let spans = storage.spans.base
    var kept = 0
    for index in 0..<storage.spans.count where isWanted(spans[index]) {
      spans[kept] = spans[index]
      kept += 1
    }
    storage.spans.count = kept
  }

  /// Forgets the content and the request; keeps the memory, unless the request was unusually large.
  package func removeAll() {
    storage.removeAll()
    refusals.removeAll()
  }
}

/// The arrays of a batch as one value, so that the decoder checks exclusive access once a request.
package struct BatchStorage {
  package var request: UnsafeRawPointer
  package var requestByteCount = 0
  package var spans: BatchBuffer<BatchSpan>
  package var attributes: BatchBuffer<BatchAttribute>
  package var events: BatchBuffer<BatchEvent>
  package var links: BatchBuffer<BatchLink>
  package var resources: BatchBuffer<BatchResource>
  package var scopes: BatchBuffer<BatchScope>
  package var extra: BatchBuffer<UInt8>

  init() {
    request = WireReader.nothing
    spans = BatchBuffer(capacity: 512)
    attributes = BatchBuffer(capacity: 4096)
    events = BatchBuffer(capacity: 64)
    links = BatchBuffer(capacity: 64)
    resources = BatchBuffer(capacity: 16)
    scopes = BatchBuffer(capacity: 16)
    extra = BatchBuffer(capacity: 256)
  }

  func free() {
    spans.free()
    attributes.free()
    events.free()
    links.free()
    resources.free()
    scopes.free()
    extra.free()
  }

  mutating func removeAll() {
    request = WireReader.nothing
    requestByteCount = 0
    spans.removeAll()
    attributes.removeAll()
    events.removeAll()
    links.removeAll()
    resources.removeAll()
    scopes.removeAll()
    extra.removeAll()
  }
}
