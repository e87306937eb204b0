public import TraceModel

/// Stores spans: Jaeger's v2 `Writer`.
///
/// Contract for every store: a return means durable, unless a weaker mode was chosen by name when the store was
/// opened; writing the same batch again is harmless; an empty batch succeeds without effect. Spans with equal ids and
/// different content are different spans and are all kept.
///
/// Thread-safety: may be called from any number of tasks at once.
public protocol TraceWriter: Sendable {
  /// Stores a batch.
  ///
  /// A span that can't be addressed (its trace id or its span id is all zero) is refused alone, named in the receipt,
  /// and the rest is stored.
  ///
  /// - Throws: Only when nothing of the batch was stored: `limitExceeded`, `diskFull`, `diskBudget`, `poisoned`,
  ///   `closed`, `readOnly`, `inputOutput`.
  func writeTraces(_ data: TraceData) async throws -> WriteReceipt
}

/// Stores requests as they came from the wire, without building model values.
public protocol EncodedTraceWriter: Sendable {
  /// Stores one OTLP `ExportTraceServiceRequest` (which reads as `TracesData` too); durability, refusals and errors as
  /// in `TraceWriter`.
  ///
  /// - Throws: In addition, `malformedInput` with the byte offset when the bytes are not such a request.
  func writeEncoded(_ request: [UInt8], encoding: OTLPEncoding) async throws -> WriteReceipt
}

/// The two encodings of an OTLP message.
public enum OTLPEncoding: String, Hashable, Sendable, CaseIterable {
  case protobuf
  case json
}

/// What became of a batch.
public struct WriteReceipt: Hashable, Sendable {
  /// How many spans are stored, those that had been stored before included.
  public var acceptedSpanCount: Int
  /// The spans that are not, ascending by their place.
  public var refused: [Refusal]

  /// One span that was not stored.
  public struct Refusal: Hashable, Sendable {
    /// The place of the span in the batch: how many spans stand before it, over all resources and scopes.
    public var spanIndex: Int
    /// Why, in one sentence.
    public var reason: String

    public init(spanIndex: Int, reason: String) {
      self.spanIndex = spanIndex
      self.reason = reason
    }
  }

  public init(acceptedSpanCount: Int = 0, refused: [Refusal] = []) {
    self.acceptedSpanCount = acceptedSpanCount
    self.refused = refused
  }
}
