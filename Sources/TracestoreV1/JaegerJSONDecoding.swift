import TraceModel
import TraceText

/// Builds v1 traces from Jaeger's UI JSON.
enum JaegerJSONDecoding {
  typealias Trace = (trace: V1Trace, offsets: [Int])

  /// A span whose process and whose trace may be named elsewhere in the trace, further down.
  private struct Span {
    var span = V1Span(traceID: TraceID(high: 0, low: 0), spanID: SpanID(0))
    var offset: Int
    var hasTraceID = false
    var parentSpanID = SpanID(0)
    /// References that name no trace mean their own.
    var ownReferences: [Int] = []
    var processID: (name: String, offset: Int)?
  }

  static func document(_ reader: inout DocumentReader) throws -> [Trace] {
    let (kind, start) = try reader.peek()
    var traces: [Trace] = []
    guard kind == .object else {
      try reader.list { traces.append(try element(&$0)) }
      return traces
    }
    var hasData = false
    let bare = try trace(&reader) { reader, name in
      guard name == "data" else { return false }
      hasData = true
      if try reader.peek().kind == .object {
        traces.append(try element(&reader))
      } else {
        try reader.list { traces.append(try element(&$0)) }
      }
      return true
    }
    if let bare { return traces + [bare] }
    guard hasData else { throw reader.fault("neither data nor a trace is in it", at: start) }
    return traces
  }

  private static func element(_ reader: inout DocumentReader) throws -> Trace {
    let start = try reader.peek().offset
    guard let trace = try Self.trace(&reader) else {
      throw reader.fault("a trace has a traceID and spans; this has neither", at: start)
    }
    return trace
  }

  /// Nil for an object that has none of a trace's members.
  private static func trace(
    _ reader: inout DocumentReader, other: (inout DocumentReader, String) throws -> Bool = { _, _ in false }
  ) throws -> Trace? {
    var isTrace = false
    var spans: [Span] = []
    var processes: [[UInt8]: V1Process] = [:]
    var traceID: TraceID?
    var warnings: [String] = []
    try reader.object { reader, name in
      switch name {
      case "traceID":
        isTrace = true
        traceID = try reader.traceID()
      case "spans":
        isTrace = true
        try reader.list { spans.append(try span(&$0)) }
      case "processes":
        try reader.object { reader, name in
          try reader.countElement()
          processes[Array(name.utf8)] = try process(&reader)
          return true
        }
      case "warnings": try reader.list { warnings.append(try text(&$0)) }
      default: return try other(&reader, name)
      }
      return true
    }
    guard isTrace else { return nil }
    var trace: Trace = (V1Trace(warnings: warnings), [])
    for (index, var pending) in spans.enumerated() {
      if !pending.hasTraceID, let traceID { pending.span.traceID = traceID }
      for place in pending.ownReferences { pending.span.references[place].traceID = pending.span.traceID }
      if let (name, offset) = pending.processID {
        guard let process = processes[Array(name.utf8)] else {
          var missing = reader.fault("the trace has no process \(DocumentReader.shortened(name))", at: offset)
          missing.steps = ["processID", "[\(index)]", "spans"]
          throw missing
        }
        pending.span.process = process
      }
      addParent(pending.parentSpanID, to: &pending.span)
      trace.trace.spans.append(pending.span)
      trace.offsets.append(pending.offset)
    }
    return trace
  }

  /// Older documents name the parent beside the references, or instead of them.
  private static func addParent(_ parentSpanID: SpanID, to span: inout V1Span) {
    guard !parentSpanID.isZero, span.parentSpanID != parentSpanID else { return }
    span.references.insert(V1Reference(.childOf, span.traceID, parentSpanID), at: 0)
  }

  private static func span(_ reader: inout DocumentReader) throws -> Span {
    var pending = Span(offset: try reader.peek().offset)
    try reader.countSpan()
    try reader.object { reader, name in
      switch name {
      case "traceID":
        pending.span.traceID = try reader.traceID()
        pending.hasTraceID = true
      case "spanID": pending.span.spanID = try reader.spanID()
      case "parentSpanID": pending.parentSpanID = try reader.spanID()
      case "flags": pending.span.flags = try reader.integer()
      case "operationName": pending.span.operationName = try reader.text()
      case "references":
        try reader.list { reader in
          let (reference, hasTraceID) = try Self.reference(&reader)
          if !hasTraceID { pending.ownReferences.append(pending.span.references.count) }
          pending.span.references.append(reference)
        }
      case "startTime": pending.span.startTime = try reader.time()
      case "duration": pending.span.durationNanoseconds = try reader.duration()
      case "tags": try tags(&reader, &pending.span.tags)
      case "logs": try reader.list { pending.span.logs.append(try log(&$0)) }
      case "processID":
        let offset = try reader.peek().offset
        pending.processID = (try reader.text(), offset)
      case "process": pending.span.process = try process(&reader)
      case "warnings": try reader.list { pending.span.warnings.append(try text(&$0)) }
      default: return false
      }
      return true
    }
    return pending
  }

  private static func text(_ reader: inout DocumentReader) throws -> String {
    try reader.countElement()
    return try reader.text()
  }

  private static func process(_ reader: inout DocumentReader) throws -> V1Process {
    var process = V1Process()
    try reader.object { reader, name in
      switch name {
      case "serviceName": process.serviceName = try reader.text()
      case "tags": try tags(&reader, &process.tags)
      default: return false
      }
      return true
    }
    return process
  }

  private static func reference(_ reader: inout DocumentReader) throws -> (V1Reference, hasTraceID: Bool) {
    try reader.countElement()
    var reference = V1Reference(.childOf, TraceID(high: 0, low: 0), SpanID(0))
    var hasTraceID = false
    try reader.object { reader, name in
      switch name {
      case "refType":
        let start = try reader.peek().offset
        let word = try reader.text()
        guard let type = V1Reference.Kind(rawValue: word) else {
          throw reader.fault(
            "a reference is CHILD_OF or FOLLOWS_FROM: \(DocumentReader.shortened(word))", at: start)
        }
        reference.type = type
      case "traceID":
        reference.traceID = try reader.traceID()
        hasTraceID = true
      case "spanID": reference.spanID = try reader.spanID()
      default: return false
      }
      return true
    }
    return (reference, hasTraceID)
  }

  private static func log(_ reader: inout DocumentReader) throws -> V1Log {
    try reader.countElement()
    var log = V1Log()
    try reader.object { reader, name in
      switch name {
      case "timestamp": log.timestamp = try reader.time()
      case "fields": try tags(&reader, &log.fields)
      default: return false
      }
      return true
    }
    return log
  }

  private static func tags(_ reader: inout DocumentReader, _ tags: inout [V1Tag]) throws {
    try reader.list { reader in
      try reader.countElement()
      try reader.checkAttributeCount(tags.count)
      tags.append(try tag(&reader))
    }
  }

  private static func tag(_ reader: inout DocumentReader) throws -> V1Tag {
    var key = ""
    var type: String?
    var value: V1Value?
    // The type may stand behind the value: then the value is read a second time.
    var early: DocumentReader?
    try reader.object { reader, name in
      switch name {
      case "key": key = try reader.text()
      case "type": type = try reader.text()
      case "value":
        if type == nil { early = reader }
        value = try Self.value(&reader, type)
      default: return false
      }
      return true
    }
    if var early, let type {
      do {
        value = try Self.value(&early, type)
      } catch {
        throw DocumentFault.inside("value", error)
      }
    }
    return V1Tag(key, value ?? Self.nothing(type))
  }

  /// What a tag holds that has no value.
  private static func nothing(_ type: String?) -> V1Value {
    switch type {
    case "bool": false
    case "int64": 0
    case "float64": 0.0
    case "binary": .binary([])
    case nil, "string": ""
    case let type?: .unknown(type: type, text: "")
    }
  }

  /// A value of a type, or of the type that it looks like.
  private static func value(_ reader: inout DocumentReader, _ type: String?) throws -> V1Value {
    switch type {
    case "string": return .string(try reader.anyText())
    case "bool": return .bool(try reader.bool())
    case "int64": return .int64(try reader.integer())
    case "float64": return .float64(try reader.double())
    case "binary": return .binary(try reader.base64())
    case let type?: return .unknown(type: type, text: try reader.anyText())
    case nil: break
    }
    switch try reader.peek().kind {
    case .bool: return .bool(try reader.bool())
    case .number:
      var copy = reader
      if let whole: Int64 = try? copy.integer() {
        reader = copy
        return .int64(whole)
      }
      return .float64(try reader.double())
    default: return .string(try reader.anyText())
    }
  }
}
