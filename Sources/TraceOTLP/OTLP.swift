/// OTLP's protobuf form of traces, both ways and without loss.
///
/// All functions are pure: safe from any thread, linear in the bytes they read or write.
public enum OTLP {
  /// A span that cannot be addressed, so it alone is refused; the rest of its request stands.
  public struct Refusal: Hashable, Sendable {
    /// The place of the span among all spans of its request, in the order they stand, from 0.
    public var spanIndex: Int
    /// One sentence.
    public var reason: String

    public init(spanIndex: Int, reason: String) {
      self.spanIndex = spanIndex
      self.reason = reason
    }

    static let traceID = "The trace id is not 16 bytes that are not all zero"
    static let spanID = "The span id is not 8 bytes that are not all zero"
  }
}
