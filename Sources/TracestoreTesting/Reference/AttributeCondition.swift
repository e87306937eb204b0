public import TraceModel

/// Whether a span satisfies one entry of `TraceQuery.attributes`. This is the definition that stores are tested against.
///
/// **By value.** A text condition matches a stored value whose text (`AttributeText`) it is, byte by byte; a stored
/// truth value that it reads as (1, t, T, TRUE, true, True, 0, f, F, FALSE, false, False); a stored number that it reads
/// as (sign, digits, fraction, exponent; an integer compares exactly, a double by value). A condition of another type
/// matches only an equal stored value of that type, doubles by their bits.
///
/// **By place.** The value may stand at any occurrence of the key on the span, its resource, its scope, any of its
/// events or any of its links.
///
/// **Keys that mean a field.** The first three are decided by the field alone, when the condition's text is one of the
/// words (in any case for status and kind); with any other text they are ordinary keys. The rest match by the field
/// *or* as ordinary keys; an empty field is absent and matches nothing.
///
/// | Key | Means |
/// |---|---|
/// | `error` with a text that reads as a truth value, or a truth value | true: status error; false: any other status, or none |
/// | `span.status` = `unset`, `ok`, `error` | the status code |
/// | `span.kind` = `unspecified`, `internal`, `server`, `client`, `producer`, `consumer` | the kind |
/// | `scope.name`, `otel.scope.name` | the scope's name |
/// | `scope.version`, `otel.scope.version` | the scope's version |
/// | `otel.status_code` = `OK`, `ERROR` in any case | the status code |
/// | `otel.status_description` | the status message |
/// | `w3c.tracestate` | the trace state |
/// | `resource.` and more | the resource attribute of the key behind the prefix |
public enum AttributeCondition {
  /// Whether the condition holds for a span with its context.
  public static func matches(
    _ condition: Attribute, _ resource: Resource, _ scope: InstrumentationScope, _ span: SpanRecord
  ) -> Bool {
    if let decided = decidedByField(condition, span) { return decided }
    if matchesField(condition, scope, span) { return true }
    let prefix = "resource."
    if condition.key.utf8.starts(with: prefix.utf8), condition.key.utf8.count > prefix.utf8.count {
      let key = String(decoding: condition.key.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
      if matches(Attribute(key, condition.value), anyOf: resource.attributes) { return true }
    }
    return matches(condition, anyOf: span.attributes) || matches(condition, anyOf: resource.attributes)
      || matches(condition, anyOf: scope.attributes)
      || span.events.contains { matches(condition, anyOf: $0.attributes) }
      || span.links.contains { matches(condition, anyOf: $0.attributes) }
  }

  /// Whether a condition's value matches a stored value.
  public static func matches(_ condition: AttributeValue, stored: AttributeValue) -> Bool {
    guard case .string(let text) = condition else { return condition == stored }
    if let storedText = AttributeText.text(of: stored), storedText.utf8.elementsEqual(text.utf8) { return true }
    switch stored {
    case .bool(let flag): return truthValue(text) == flag
    case .int(let number):
      guard isNumber(text) else { return false }
      if let exact = Int64(text) { return exact == number }
      return Double(text).flatMap { Int64(exactly: $0) } == number
    case .double(let number): return isNumber(text) && number.isFinite && Double(text) == number
    default: return false
    }
  }

  /// Reads a truth value in one of the twelve spellings.
  public static func truthValue(_ text: String) -> Bool? {
    switch text {
    case "1", "t", "T", "TRUE", "true", "True": true
    case "0", "f", "F", "FALSE", "false", "False": false
    default: nil
    }
  }

  /// Whether a text is a decimal number: sign, digits, then perhaps a point with digits and an exponent with digits.
  public static func isNumber(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    func digits() -> Bool {
      let tail = rest.drop { (48...57).contains($0) }
      defer { rest = tail }
      return tail.startIndex > rest.startIndex
    }
    if rest.first == 43 || rest.first == 45 { rest.removeFirst() }
    guard digits() else { return false }
    if rest.first == 46 {
      rest.removeFirst()
      guard digits() else { return false }
    }
    if rest.first == 101 || rest.first == 69 {
      rest.removeFirst()
      if rest.first == 43 || rest.first == 45 { rest.removeFirst() }
      guard digits() else { return false }
    }
    return rest.isEmpty
  }

  private static func matches(_ condition: Attribute, anyOf attributes: [Attribute]) -> Bool {
    attributes.contains {
      $0.key.utf8.elementsEqual(condition.key.utf8) && matches(condition.value, stored: $0.value)
    }
  }

  private static func decidedByField(_ condition: Attribute, _ span: SpanRecord) -> Bool? {
    switch (condition.key, condition.value) {
    case ("error", .bool(let flag)): span.isError == flag
    case ("error", .string(let text)): truthValue(text).map { span.isError == $0 }
    case ("span.status", .string(let text)): SpanStatus.Code(word: text).map { (span.status?.code ?? .unset) == $0 }
    case ("span.kind", .string(let text)): SpanKind(word: text).map { span.kind == $0 }
    default: nil
    }
  }

  private static func matchesField(_ condition: Attribute, _ scope: InstrumentationScope, _ span: SpanRecord) -> Bool {
    guard case .string(let text) = condition.value, !text.isEmpty else { return false }
    func isText(_ field: String) -> Bool { field.utf8.elementsEqual(text.utf8) }
    switch condition.key {
    case "scope.name", "otel.scope.name": return isText(scope.name)
    case "scope.version", "otel.scope.version": return isText(scope.version)
    case "otel.status_code":
      guard let code = SpanStatus.Code(word: text), code != .unset else { return false }
      return span.status?.code == code
    case "otel.status_description": return isText(span.status?.message ?? "")
    case "w3c.tracestate": return isText(span.traceState)
    default: return false
    }
  }
}
