import TraceModel

/// Zipkin's spans in the words of OTLP. The rules are a table at `ZipkinJSON`.
enum ZipkinTranslation {
  private static let absentStart = "otel.zipkin.absentField.startTime"
  private static let serviceNameSource = "otlp.service.name.source"
  private static let libraryName = "otel.library.name"
  private static let libraryVersion = "otel.library.version"
  private static let linkPrefix = "otlp.link."
  /// As many links as the Collector looks for.
  private static let maximumLinkCount = 128

  /// - Parameter valuesLeft: see `EmbeddedAttributes`.
  static func record(
    of zipkin: ZipkinSpan, _ valuesLeft: inout Int
  ) -> (resource: Resource, scope: InstrumentationScope, span: SpanRecord) {
    var tags = zipkin.tags
    let start = zipkin.start ?? .zero
    let (end, isOverflow) = start.nanoseconds.addingReportingOverflow(zipkin.durationNanoseconds)
    var span = SpanRecord(
      traceID: zipkin.traceID, spanID: zipkin.id, name: zipkin.name, start: start,
      end: isOverflow ? .maximum : Timestamp(nanoseconds: end),
      events: zipkin.annotations.map { event($0.time, $0.value, &valuesLeft) })
    if let parent = zipkin.parentID, !parent.isZero, parent != zipkin.id { span.parentSpanID = parent }
    let resource = Self.resource(zipkin.localEndpoint, &tags)
    let scope = Self.scope(&tags)
    span.kind = zipkin.kind ?? kind(&tags)
    span.status = status(&tags)
    span.traceState = tags.take(V1Keys.traceState) ?? ""
    span.links = links(&tags, &valuesLeft)
    span.attributes = tags.map(\.attribute)
    add(zipkin.localEndpoint, "localEndpoint", service: nil, ip: "net.host.ip", port: "net.host.port", to: &span)
    add(
      zipkin.remoteEndpoint, "remoteEndpoint", service: "peer.service", ip: "net.peer.ip", port: "net.peer.port",
      to: &span)
    if zipkin.start == nil { span.attributes.append(Attribute(absentStart, true)) }
    if zipkin.isDebug { span.attributes.append(Attribute("zipkin.debug", true)) }
    if zipkin.isShared { span.attributes.append(Attribute("zipkin.shared", true)) }
    return (resource, scope, span)
  }

  private static func resource(_ endpoint: ZipkinSpan.Endpoint, _ tags: inout [V1Tag]) -> Resource {
    guard !endpoint.serviceName.isEmpty else { return Resource() }
    let source = tags.take(serviceNameSource) ?? ""
    let key = source.isEmpty ? V1Keys.serviceName : source
    return Resource(attributes: [Attribute(key, .string(endpoint.serviceName))])
  }

  /// A version without a name stays a tag.
  private static func scope(_ tags: inout [V1Tag]) -> InstrumentationScope {
    for (nameKey, versionKey) in [(V1Keys.scopeName, V1Keys.scopeVersion), (libraryName, libraryVersion)] {
      guard let name = tags.take(nameKey) else { continue }
      return InstrumentationScope(name: name, version: tags.take(versionKey) ?? "")
    }
    return InstrumentationScope()
  }

  private static func kind(_ tags: inout [V1Tag]) -> SpanKind {
    guard let word = tags.text(V1Keys.spanKind), let kind = SpanKind(word: word) else { return .unspecified }
    _ = tags.take(V1Keys.spanKind)
    return kind
  }

  private static func status(_ tags: inout [V1Tag]) -> SpanStatus? {
    var status: SpanStatus?
    if let text = tags.text(V1Keys.statusCode) {
      let prefix = "STATUS_CODE_"
      if let code = SpanStatus.Code(word: text.hasPrefix(prefix) ? text.dropFirst(prefix.count) : text[...]) {
        _ = tags.take(V1Keys.statusCode)
        status = SpanStatus(code: code)
      }
    }
    var message = ""
    if let error = tags.text(V1Keys.error), !error.isExactly("false") {
      _ = tags.take(V1Keys.error)
      status = SpanStatus(code: .error)
      if !error.isExactly("true") { message = error }
    }
    if status != nil, let description = tags.text(V1Keys.statusDescription) {
      if message.isEmpty || message.isExactly(description) {
        _ = tags.take(V1Keys.statusDescription)
        message = description
      }
    }
    status?.message = message
    return status
  }

  private static func links(_ tags: inout [V1Tag], _ valuesLeft: inout Int) -> [SpanLink] {
    guard tags.contains(where: { $0.key.hasPrefix(linkPrefix) }) else { return [] }
    var links: [SpanLink] = []
    for index in 0..<maximumLinkCount {
      let key = "\(linkPrefix)\(index)"
      guard let text = tags.text(key) else { break }
      guard let link = Self.link(text, &valuesLeft) else { continue }
      _ = tags.take(key)
      links.append(link)
    }
    return links
  }

  /// `trace id|span id|trace state|{attributes}|dropped count`.
  private static func link(_ text: String, _ valuesLeft: inout Int) -> SpanLink? {
    let parts = text.split(separator: "|", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 4, let traceID = TraceID(hex: parts[0]), let spanID = SpanID(hex: parts[1]),
      let tail = EmbeddedAttributes(parts[3], &valuesLeft)
    else { return nil }
    return SpanLink(
      traceID: traceID, spanID: spanID, traceState: String(parts[2]), attributes: tail.attributes,
      droppedAttributeCount: tail.droppedCount)
  }

  /// `name`, or `name|{attributes}|dropped count`.
  private static func event(_ time: Timestamp, _ value: String, _ valuesLeft: inout Int) -> SpanEvent {
    let parts = value.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let tail = EmbeddedAttributes(parts[1], &valuesLeft) else {
      return SpanEvent(time: time, name: value)
    }
    return SpanEvent(
      time: time, name: String(parts[0]), attributes: tail.attributes, droppedAttributeCount: tail.droppedCount)
  }

  private static func add(
    _ endpoint: ZipkinSpan.Endpoint, _ name: String, service: String?, ip: String, port: String,
    to span: inout SpanRecord
  ) {
    /// Under the key, or where that says something else already, under the field's own path.
    func add(_ key: String, _ field: String, _ value: AttributeValue) {
      let present = span.attributes.value(of: key)
      if present == nil {
        span.attributes.append(Attribute(key, value))
      } else if present?.text != value.text {
        span.attributes.append(Attribute("zipkin.\(name).\(field)", value))
      }
    }
    if let service, !endpoint.serviceName.isEmpty { add(service, "serviceName", .string(endpoint.serviceName)) }
    if !endpoint.ipv4.isEmpty { add(ip, "ipv4", .string(endpoint.ipv4)) }
    if !endpoint.ipv6.isEmpty { add(ip, "ipv6", .string(endpoint.ipv6)) }
    if endpoint.port > 0 { add(port, "port", .int(Int64(endpoint.port))) }
  }
}

extension [V1Tag] {
  /// The text that a map would have under the key.
  fileprivate func text(_ key: String) -> String? {
    if case .string(let text)? = last(where: { $0.key.isExactly(key) })?.value { text } else { nil }
  }

  /// Takes the text under a key away.
  fileprivate mutating func take(_ key: String) -> String? {
    guard let text = text(key) else { return nil }
    removeAll { $0.key.isExactly(key) && $0.value == .string(text) }
    return text
  }
}
