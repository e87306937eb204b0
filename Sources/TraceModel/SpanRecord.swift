/// One span as a producer sent it: the content of OTLP's `Span`, without loss.
public struct SpanRecord: Hashable, Sendable {
  public var traceID: TraceID
  public var spanID: SpanID
  public var traceState: String
  /// The parent's id, or nil when the record names none. A present all-zero id is kept as such.
  public var parentSpanID: SpanID?
  public var name: String
  public var kind: SpanKind
  public var start: Timestamp
  /// Zero while the span is open.
  public var end: Timestamp
  public var attributes: [Attribute]
  public var droppedAttributeCount: UInt32
  public var events: [SpanEvent]
  public var droppedEventCount: UInt32
  public var links: [SpanLink]
  public var droppedLinkCount: UInt32
  /// Nil when the record carries no status message; nil and an unset status mean the same to every query.
  public var status: SpanStatus?
  /// Bits 0–7 are the W3C trace flags, bit 8 says that bit 9 (the parent is remote) is known.
  public var flags: UInt32
  /// Protobuf fields that the model does not know, verbatim, in the order they came.
  public var unknownFields: [UInt8]

  public init(
    traceID: TraceID, spanID: SpanID, traceState: String = "", parentSpanID: SpanID? = nil, name: String = "",
    kind: SpanKind = .unspecified, start: Timestamp = .zero, end: Timestamp = .zero, attributes: [Attribute] = [],
    droppedAttributeCount: UInt32 = 0, events: [SpanEvent] = [], droppedEventCount: UInt32 = 0, links: [SpanLink] = [],
    droppedLinkCount: UInt32 = 0, status: SpanStatus? = nil, flags: UInt32 = 0, unknownFields: [UInt8] = []
  ) {
    self.traceID = traceID
    self.spanID = spanID
    self.traceState = traceState
    self.parentSpanID = parentSpanID
    self.name = name
    self.kind = kind
    self.start = start
    self.end = end
    self.attributes = attributes
    self.droppedAttributeCount = droppedAttributeCount
    self.events = events
    self.droppedEventCount = droppedEventCount
    self.links = links
    self.droppedLinkCount = droppedLinkCount
    self.status = status
    self.flags = flags
    self.unknownFields = unknownFields
  }

  /// `max(0, end − start)` in nanoseconds: what queries and kernels see.
  public var durationNanoseconds: UInt64 {
    end.nanoseconds > start.nanoseconds ? end.nanoseconds - start.nanoseconds : 0
  }

  /// True when the status code is error.
  public var isError: Bool { status?.code == .error }
}

/// The role of a span. Unknown raw values are kept.
public struct SpanKind: RawRepresentable, Hashable, Sendable {
  public var rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }

  public static let unspecified = SpanKind(rawValue: 0)
  public static let `internal` = SpanKind(rawValue: 1)
  public static let server = SpanKind(rawValue: 2)
  public static let client = SpanKind(rawValue: 3)
  public static let producer = SpanKind(rawValue: 4)
  public static let consumer = SpanKind(rawValue: 5)

  static let words = ["unspecified", "internal", "server", "client", "producer", "consumer"]

  /// The lower-case word, or the raw number for a value that the model does not know.
  public var word: String {
    Self.words.indices.contains(Int(rawValue)) ? Self.words[Int(rawValue)] : String(rawValue)
  }

  /// Reads a word in any case.
  public init?(word: some StringProtocol) {
    guard let index = Self.words.firstIndex(of: word.lowercased()) else { return nil }
    self.init(rawValue: Int32(index))
  }
}

/// How a span ended.
public struct SpanStatus: Hashable, Sendable {
  /// Unknown raw values are kept.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public var rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static let unset = Code(rawValue: 0)
    public static let ok = Code(rawValue: 1)
    public static let error = Code(rawValue: 2)

    static let words = ["unset", "ok", "error"]

    /// The lower-case word, or the raw number for a value that the model does not know.
    public var word: String {
      Self.words.indices.contains(Int(rawValue)) ? Self.words[Int(rawValue)] : String(rawValue)
    }

    /// Reads a word in any case.
    public init?(word: some StringProtocol) {
      guard let index = Self.words.firstIndex(of: word.lowercased()) else { return nil }
      self.init(rawValue: Int32(index))
    }
  }

  public var code: Code
  public var message: String
  /// Protobuf fields that the model does not know, verbatim.
  public var unknownFields: [UInt8]

  public init(code: Code = .unset, message: String = "", unknownFields: [UInt8] = []) {
    self.code = code
    self.message = message
    self.unknownFields = unknownFields
  }
}

/// Something that happened during a span.
public struct SpanEvent: Hashable, Sendable {
  public var time: Timestamp
  public var name: String
  public var attributes: [Attribute]
  public var droppedAttributeCount: UInt32
  /// Protobuf fields that the model does not know, verbatim.
  public var unknownFields: [UInt8]

  public init(
    time: Timestamp = .zero, name: String = "", attributes: [Attribute] = [], droppedAttributeCount: UInt32 = 0,
    unknownFields: [UInt8] = []
  ) {
    self.time = time
    self.name = name
    self.attributes = attributes
    self.droppedAttributeCount = droppedAttributeCount
    self.unknownFields = unknownFields
  }
}

/// A pointer from a span to another span, often in another trace.
///
/// An id of a length other than 16 or 8 bytes is held in `unknownFields` as its protobuf field.
public struct SpanLink: Hashable, Sendable {
  /// Nil when the link names no trace.
  public var traceID: TraceID?
  /// Nil when the link names no span.
  public var spanID: SpanID?
  public var traceState: String
  public var attributes: [Attribute]
  public var droppedAttributeCount: UInt32
  public var flags: UInt32
  /// Protobuf fields that the model does not know, verbatim.
  public var unknownFields: [UInt8]

  public init(
    traceID: TraceID? = nil, spanID: SpanID? = nil, traceState: String = "", attributes: [Attribute] = [],
    droppedAttributeCount: UInt32 = 0, flags: UInt32 = 0, unknownFields: [UInt8] = []
  ) {
    self.traceID = traceID
    self.spanID = spanID
    self.traceState = traceState
    self.attributes = attributes
    self.droppedAttributeCount = droppedAttributeCount
    self.flags = flags
    self.unknownFields = unknownFields
  }
}
