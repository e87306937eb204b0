public import TraceModel

// v1 to OTLP. Where Jaeger's own readers and the Collector's translator differ:
// - A process called `OTLPResourceNoServiceName` keeps its tags and has no `service.name` (as Jaeger reads it; the
//   Collector leaves the whole resource empty).
// - Process tags keep their names: `hostname` and `jaeger.version` are not renamed, as Jaeger has it.
// - Without a status, an HTTP code under `http.status_code` decides, as in the Collector: its producers are the ones
//   that write no status.
// - Warnings stay with the span they came with, also where spans share an id.
//
// A tag that stands for a field is looked up as a map would: the last one under its key counts. It is taken away with
// all that are equal to it; another value under the same key stays an attribute.

extension Resource {
  /// A process as a resource; `service.name` stands first.
  public init(_ process: V1Process) {
    self.init(attributes: process.tags.map(\.attribute))
    if !process.serviceName.isEmpty, !process.serviceName.isExactly(V1Process.noServiceName) {
      attributes.insert(Attribute(V1Keys.serviceName, .string(process.serviceName)), at: 0)
    }
  }
}

extension SpanEvent {
  /// A log as an event; a text under `event` is its name.
  public init(_ log: V1Log) {
    var fields = log.fields
    let name = fields.takeText(V1Keys.event)
    self.init(time: log.timestamp, name: name ?? "", attributes: fields.map(\.attribute))
  }
}

extension V1Span {
  /// The span as v2 has it, with its scope. Its resource is `Resource(process)`.
  public var record: (span: SpanRecord, scope: InstrumentationScope) {
    var tags = self.tags
    let scope = Self.scope(&tags)
    var record = SpanRecord(
      traceID: traceID, spanID: spanID, parentSpanID: parentSpanID, name: operationName, start: startTime, end: end,
      events: logs.map { SpanEvent($0) }, links: links, flags: flags)
    record.kind = Self.kind(&tags)
    record.status = Self.status(&tags, record.kind)
    record.traceState = tags.takeText(V1Keys.traceState) ?? ""
    record.attributes = tags.map(\.attribute)
    if !warnings.isEmpty {
      record.attributes.append(Attribute(V1Keys.warnings, .array(warnings.map { .string($0) })))
    }
    return (record, scope)
  }

  /// Start and duration, at the bounds of 64 bits.
  private var end: Timestamp {
    let (sum, isOverflow) = startTime.nanoseconds.addingReportingOverflow(durationNanoseconds.magnitude)
    if durationNanoseconds >= 0 { return isOverflow ? .maximum : Timestamp(nanoseconds: sum) }
    let (rest, isUnderflow) = startTime.nanoseconds.subtractingReportingOverflow(durationNanoseconds.magnitude)
    return isUnderflow ? .zero : Timestamp(nanoseconds: rest)
  }

  /// All references but the parent. Each that is child-of a span with the parent's id counts as the parent, in whatever
  /// trace that span is, as in Jaeger.
  private var links: [SpanLink] {
    let parent = parentSpanID ?? SpanID(0)
    return references.filter { $0.type != .childOf || $0.spanID != parent }.map {
      let word = $0.type == .childOf ? V1Keys.childOf : V1Keys.followsFrom
      return SpanLink(
        traceID: $0.traceID, spanID: $0.spanID, attributes: [Attribute(V1Keys.referenceType, .string(word))])
    }
  }

  /// The first tag of each key counts here. A version without a name stays a tag.
  private static func scope(_ tags: inout [V1Tag]) -> InstrumentationScope {
    func takeFirst(_ key: String) -> String? {
      for (index, tag) in tags.enumerated() {
        guard case .string(let text) = tag.value, tag.key.isExactly(key) else { continue }
        tags.remove(at: index)
        return text
      }
      return nil
    }
    guard let name = takeFirst(V1Keys.scopeName) else { return InstrumentationScope() }
    return InstrumentationScope(name: name, version: takeFirst(V1Keys.scopeVersion) ?? "")
  }

  /// The tag goes away even when nobody knows its word.
  private static func kind(_ tags: inout [V1Tag]) -> SpanKind {
    guard let value = tags.last(V1Keys.spanKind) else { return .unspecified }
    tags.remove(V1Keys.spanKind, value)
    guard case .string(let word) = value, let kind = SpanKind(word: word), kind.word.isExactly(word) else {
      return .unspecified
    }
    return kind
  }

  /// A true `error` beats a status code, which beats an HTTP code.
  private static func status(_ tags: inout [V1Tag], _ kind: SpanKind) -> SpanStatus? {
    let code = tags.last(V1Keys.statusCode)
    if let code { tags.remove(V1Keys.statusCode, code) }
    if tags.last(V1Keys.error) == true {
      tags.remove(V1Keys.error, true)
      let message = tags.takeText(V1Keys.statusDescription) ?? tags.lastText(V1Keys.httpStatusMessage)
      return SpanStatus(code: .error, message: message ?? "")
    }
    if let code {
      var status = SpanStatus(message: tags.takeText(V1Keys.statusDescription) ?? "")
      if case .string(let word) = code {
        switch word.uppercased() {
        case "OK": status.code = .ok
        case "ERROR": status.code = .error
        default: break
        }
      }
      return status
    }
    guard tags.last(V1Keys.httpStatusCode)?.httpCode.map({ isFailure($0, kind) }) == true else { return nil }
    return SpanStatus(code: .error, message: tags.lastText(V1Keys.httpStatusMessage) ?? "")
  }

  /// A server that answers "your fault" has not failed. 399 counts as a failure, as in the Collector.
  private static func isFailure(_ code: Int64, _ kind: SpanKind) -> Bool {
    if (400..<500).contains(code), kind == .server { return false }
    return !(100..<399).contains(code)
  }
}

extension V1Value {
  /// A whole number, also when it was written as text.
  fileprivate var httpCode: Int64? {
    switch self {
    case .int64(let value): value
    case .string(let text): Int64(text)
    default: nil
    }
  }
}

extension [V1Tag] {
  /// The value that a map would have under the key.
  fileprivate func last(_ key: String) -> V1Value? { last(where: { $0.key.isExactly(key) })?.value }

  /// The same, if it is text.
  fileprivate func lastText(_ key: String) -> String? {
    if case .string(let text)? = last(key) { text } else { nil }
  }

  fileprivate mutating func remove(_ key: String, _ value: V1Value) {
    removeAll { $0.key.isExactly(key) && $0.value == value }
  }

  /// Takes the text under a key away; anything but text stays.
  fileprivate mutating func takeText(_ key: String) -> String? {
    guard let text = lastText(key) else { return nil }
    remove(key, .string(text))
    return text
  }
}
