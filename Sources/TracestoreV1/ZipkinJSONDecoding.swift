import TraceModel
import TraceText

/// A span in Zipkin's words.
struct ZipkinSpan {
  struct Endpoint {
    var serviceName = ""
    var ipv4 = ""
    var ipv6 = ""
    var port: UInt16 = 0
  }

  var traceID = TraceID(high: 0, low: 0)
  var id = SpanID(0)
  var parentID: SpanID?
  var name = ""
  var kind: SpanKind?
  var start: Timestamp?
  var durationNanoseconds: UInt64 = 0
  var localEndpoint = Endpoint()
  var remoteEndpoint = Endpoint()
  var annotations: [(time: Timestamp, value: String)] = []
  var tags: [V1Tag] = []
  var isDebug = false
  var isShared = false
}

/// Reads Zipkin's spans from JSON.
enum ZipkinJSONDecoding {
  static func document(
    _ reader: inout DocumentReader, _ take: (ZipkinSpan, _ offset: Int) throws -> Void
  ) throws {
    guard try reader.peek().kind == .array else { return try one(&reader, take) }
    do {
      try reader.list { reader in
        guard try reader.peek().kind == .array else { return try one(&reader, take) }
        try reader.list { try one(&$0, take) }
      }
    } catch {
      throw DocumentFault.inside("spans", error)
    }
  }

  private static func one(
    _ reader: inout DocumentReader, _ take: (ZipkinSpan, _ offset: Int) throws -> Void
  ) throws {
    let offset = try reader.peek().offset
    try take(try span(&reader, offset), offset)
  }

  private static func span(_ reader: inout DocumentReader, _ offset: Int) throws -> ZipkinSpan {
    try reader.countSpan()
    var span = ZipkinSpan()
    var hasTraceID = false
    var hasID = false
    try reader.object { reader, name in
      switch name {
      case "traceId":
        span.traceID = try reader.traceID()
        hasTraceID = true
      case "id":
        span.id = try reader.spanID()
        hasID = true
      case "parentId": span.parentID = try reader.spanID()
      case "name": span.name = try reader.text()
      case "kind": span.kind = try kind(&reader)
      case "timestamp": span.start = try reader.time()
      case "duration":
        let start = try reader.peek().offset
        guard let nanoseconds = UInt64(exactly: try reader.duration()) else {
          throw reader.fault("a duration is below zero", at: start)
        }
        span.durationNanoseconds = nanoseconds
      case "localEndpoint": span.localEndpoint = try endpoint(&reader)
      case "remoteEndpoint": span.remoteEndpoint = try endpoint(&reader)
      case "annotations": try reader.list { span.annotations.append(try annotation(&$0)) }
      case "tags":
        try reader.object { reader, key in
          try reader.countElement()
          try reader.checkAttributeCount(span.tags.count)
          span.tags.append(V1Tag(key, .string(try reader.anyText())))
          return true
        }
      case "debug": span.isDebug = try reader.bool()
      case "shared": span.isShared = try reader.bool()
      default: return false
      }
      return true
    }
    // A zero timestamp says nothing, as in OTLP.
    if span.start == .zero { span.start = nil }
    guard hasTraceID else { throw reader.fault("a span has no traceId", at: offset) }
    guard hasID else { throw reader.fault("a span has no id", at: offset) }
    return span
  }

  private static func kind(_ reader: inout DocumentReader) throws -> SpanKind {
    let start = try reader.peek().offset
    let word = try reader.text()
    guard let kind = SpanKind(word: word), (2...5).contains(kind.rawValue) else {
      throw reader.fault(
        "a kind is CLIENT, SERVER, PRODUCER or CONSUMER: \(DocumentReader.shortened(word))", at: start)
    }
    return kind
  }

  private static func endpoint(_ reader: inout DocumentReader) throws -> ZipkinSpan.Endpoint {
    var endpoint = ZipkinSpan.Endpoint()
    try reader.object { reader, name in
      switch name {
      case "serviceName": endpoint.serviceName = try reader.text()
      case "ipv4": endpoint.ipv4 = try reader.text()
      case "ipv6": endpoint.ipv6 = try reader.text()
      case "port": endpoint.port = try reader.integer()
      default: return false
      }
      return true
    }
    return endpoint
  }

  private static func annotation(_ reader: inout DocumentReader) throws -> (time: Timestamp, value: String) {
    try reader.countElement()
    var annotation = (time: Timestamp.zero, value: "")
    try reader.object { reader, name in
      switch name {
      case "timestamp": annotation.time = try reader.time()
      case "value": annotation.value = try reader.text()
      default: return false
      }
      return true
    }
    return annotation
  }
}
