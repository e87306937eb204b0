/// Keys that stand for fields when spans change between v1, Zipkin and OTLP.
enum V1Keys {
  static let serviceName = "service.name"
  static let scopeName = "otel.scope.name"
  static let scopeVersion = "otel.scope.version"
  static let spanKind = "span.kind"
  static let statusCode = "otel.status_code"
  static let statusDescription = "otel.status_description"
  static let error = "error"
  static let traceState = "w3c.tracestate"
  static let httpStatusCode = "http.status_code"
  static let httpStatusMessage = "http.status_message"
  /// The field of a log that is an event's name.
  static let event = "event"
  /// The attribute of a link that is a reference's type.
  static let referenceType = "opentracing.ref_type"
  static let childOf = "child_of"
  static let followsFrom = "follows_from"
  /// The attribute that carries warnings: an array of texts.
  static let warnings = "@jaeger@warnings"
}

extension String {
  /// Equality by UTF-8 bytes.
  func isExactly(_ other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
