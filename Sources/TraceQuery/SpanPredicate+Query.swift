import TraceModel
package import TraceSource
package import TracestoreV2

extension SpanPredicate {
  /// The flat conditions of a query as one predicate, the cheapest parts first: the directory of runs decides of services,
  /// names and kinds, and what it leaves is looked at by time.
  package init(_ query: TraceQuery) {
    var parts: [SpanPredicate] = []
    if !query.serviceName.isEmpty { parts.append(.leaf(.service(Array(query.serviceName.utf8)))) }
    if !query.operationName.isEmpty { parts.append(.leaf(.name(Array(query.operationName.utf8)))) }
    if let kind = query.spanKind { parts.append(.leaf(.kind(kind.rawValue))) }
    if let range = Self.range(query.startMinimum?.nanoseconds, query.startMaximum?.nanoseconds, &parts) {
      parts.append(.leaf(.start(range)))
    }
    if let code = query.statusCode { parts.append(.leaf(.statusCode(code.rawValue))) }
    let durations = (query.durationMinimumNanoseconds, query.durationMaximumNanoseconds)
    if let range = Self.range(durations.0, durations.1, &parts) { parts.append(.leaf(.duration(range))) }
    for attribute in query.attributes { parts.append(Self.condition(attribute)) }
    self = .all(parts)
  }

  /// The closed range of two optional bounds; nil when there is nothing to check. A range that runs backwards adds a
  /// part that nothing passes.
  private static func range(
    _ minimum: UInt64?, _ maximum: UInt64?, _ parts: inout [SpanPredicate]
  ) -> ClosedRange<UInt64>? {
    if minimum == nil, maximum == nil { return nil }
    let (low, high) = (minimum ?? 0, maximum ?? .max)
    guard low <= high else {
      parts.append(.any([]))
      return nil
    }
    return low...high
  }

  /// One attribute condition: at any of the five levels, or one of the keys that mean a field.
  static func condition(_ attribute: Attribute) -> SpanPredicate {
    if let decided = decidedByField(attribute) { return decided }
    let test = ValueTest(attribute.value)
    var parts = field(attribute)
    let key = Array(attribute.key.utf8)
    let prefix = Array("resource.".utf8)
    if key.starts(with: prefix), key.count > prefix.count {
      parts.append(.leaf(.attribute(level: .resource, key: Array(key.dropFirst(prefix.count)), test)))
    }
    for level in [ColumnLevel.resource, .scope, .span, .event, .link] {
      parts.append(.leaf(.attribute(level: level, key: key, test)))
    }
    return .any(parts)
  }

  private static let errorCode = SpanStatus.Code.error.rawValue

  /// Keys that the field alone decides, when the text is one of its words.
  private static func decidedByField(_ attribute: Attribute) -> SpanPredicate? {
    switch (attribute.key, attribute.value) {
    case ("error", .bool(let flag)): return isError(flag)
    case ("error", .string(let text)):
      if ["1", "t", "T", "TRUE", "true", "True"].contains(text) { return isError(true) }
      if ["0", "f", "F", "FALSE", "false", "False"].contains(text) { return isError(false) }
      return nil
    case ("span.status", .string(let text)): return SpanStatus.Code(word: text).map { .leaf(.statusCode($0.rawValue)) }
    case ("span.kind", .string(let text)): return SpanKind(word: text).map { .leaf(.kind($0.rawValue)) }
    default: return nil
    }
  }

  private static func isError(_ flag: Bool) -> SpanPredicate {
    flag ? .leaf(.statusCode(errorCode)) : .not(.leaf(.statusCode(errorCode)))
  }

  /// Keys that match a field as well as attributes; an empty field is absent.
  private static func field(_ attribute: Attribute) -> [SpanPredicate] {
    guard case .string(let text) = attribute.value, !text.isEmpty else { return [] }
    let bytes = Array(text.utf8)
    switch attribute.key {
    case "scope.name", "otel.scope.name": return [.leaf(.scopeName(bytes))]
    case "scope.version", "otel.scope.version": return [.leaf(.scopeVersion(bytes))]
    case "otel.status_code":
      guard let code = SpanStatus.Code(word: text), code != .unset else { return [] }
      return [.leaf(.statusCode(code.rawValue))]
    case "otel.status_description": return [.leaf(.statusMessage(bytes))]
    case "w3c.tracestate": return [.leaf(.traceState(bytes))]
    default: return []
    }
  }
}
