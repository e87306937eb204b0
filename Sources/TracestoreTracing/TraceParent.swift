#if Tracing
  public import TraceModel
  import TraceRecorder
  public import Tracing

  /// Which span a context stands for: W3C Trace Context's `traceparent` and `tracestate`.
  ///
  /// <https://www.w3.org/TR/trace-context/>
  public struct TraceParent: Hashable, Sendable {
    public var traceID: TraceModel.TraceID
    public var spanID: TraceModel.SpanID
    /// Bit 0: sampled.
    public var flags: UInt8
    /// Verbatim.
    public var traceState: String
    /// Whether it came from another program.
    public var isRemote: Bool

    public init(traceID: TraceID, spanID: SpanID, flags: UInt8 = 1, traceState: String = "", isRemote: Bool = false) {
      self.traceID = traceID
      self.spanID = spanID
      self.flags = flags
      self.traceState = traceState
      self.isRemote = isRemote
    }

    public var isSampled: Bool { flags & 1 == 1 }

    /// The header of version 00.
    public var header: String {
      let digits = String(flags, radix: 16)
      return "00-\(traceID.hex)-\(spanID.hex)-\(digits.count == 1 ? "0" : "")\(digits)"
    }

    /// Reads a header of any version but ff: of a later one only what version 00 has. Nil when it is not one.
    public init?(header: String, traceState: String = "") {
      let bytes = Array(header.utf8)
      let dash = UInt8(ascii: "-")
      guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
        bytes.count == 55 || (bytes[55] == dash && !bytes.starts(with: "00".utf8))
      else { return nil }
      let parts = [bytes[0..<2], bytes[3..<35], bytes[36..<52], bytes[53..<55]]
      // Upper case is not allowed by the specification.
      let isHexadecimal = parts.joined().allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
      let texts = parts.map { String(decoding: $0, as: UTF8.self) }
      guard isHexadecimal, texts[0] != "ff", let traceID = TraceID(hex: texts[1]), !traceID.isZero,
        let spanID = SpanID(hex: texts[2]), !spanID.isZero, let flags = UInt8(texts[3], radix: 16)
      else { return nil }
      self.init(traceID: traceID, spanID: spanID, flags: flags, traceState: traceState, isRemote: true)
    }
  }

  /// What a context carries.
  struct ContextSpan: Sendable {
    var parent: TraceParent
    /// The span itself, when it is of this program and recorded.
    var live: LiveSpan?
  }

  private enum ContextSpanKey: ServiceContextKey {
    typealias Value = ContextSpan
    static var nameOverride: String? { "tracestore-span" }
  }

  extension ServiceContext {
    var contextSpan: ContextSpan? {
      get { self[ContextSpanKey.self] }
      set { self[ContextSpanKey.self] = newValue }
    }

    /// The span that this context stands for. Set it to continue a trace whose ids came another way than by `extract`.
    public var traceParent: TraceParent? {
      get { contextSpan?.parent }
      set { contextSpan = newValue.map { ContextSpan(parent: $0, live: nil) } }
    }
  }
#endif
