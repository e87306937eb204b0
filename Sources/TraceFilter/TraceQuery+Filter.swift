import TraceModel
public import TracestoreV2

extension TraceQuery {
  /// The query with its flat conditions said as a filter: Jaeger's conversion, for readers that take only filters.
  ///
  /// One condition becomes its bare call, several an `and` in the order service, operation, attributes, shortest and
  /// longest duration, kind, status; none makes no filter. A query that has a filter comes back unchanged.
  ///
  /// The filter is what Jaeger makes of such a query, and that is not always what the flat condition finds here:
  ///
  /// - An attribute becomes `.key = text`. Flat, it is looked for on the span, its resource, its scope, its events and
  ///   its links, and keys such as `error` or `span.kind` mean fields; the filter looks for that very key on the span
  ///   and the resource only.
  /// - An attribute condition of a type other than text matches that type only; the filter matches by its text.
  /// - Durations beyond 292 years are taken as 292 years.
  ///
  /// - Throws: `unsupported` for a kind or a status without a word, of which no filter can speak.
  public func convertedToFilter() throws -> TraceQuery {
    guard filter == nil else { return self }
    var conditions: [FilterExpression] = []
    if !serviceName.isEmpty { conditions.append(.call(.equal, .field(.resource, "service"), .string(serviceName))) }
    if !operationName.isEmpty { conditions.append(.call(.equal, .field(.span, "name"), .string(operationName))) }
    for attribute in attributes {
      conditions.append(.call(.equal, .attribute(attribute.key), .untyped(attribute.value.text)))
    }
    let duration = FilterExpression.field(.span, "duration")
    func bound(_ nanoseconds: UInt64) -> FilterExpression { .duration(nanoseconds: Int64(clamping: nanoseconds)) }
    if let minimum = durationMinimumNanoseconds { conditions.append(.call(.greaterOrEqual, duration, bound(minimum))) }
    if let maximum = durationMaximumNanoseconds { conditions.append(.call(.lessOrEqual, duration, bound(maximum))) }
    if let spanKind { conditions.append(try Self.condition(on: "kind", word: spanKind.word)) }
    if let statusCode { conditions.append(try Self.condition(on: "status", word: statusCode.word)) }

    var query = withoutFlatConditions
    query.filter = conditions.count > 1 ? .call(FilterCall(.and, conditions)) : conditions.first
    return query
  }

  private static func condition(on name: String, word: String) throws -> FilterExpression {
    guard let field = FilterField(.span, name), field.words?.contains(word) == true else {
      throw TracestoreError(.unsupported, "Filters have no word for the \(name) \(word); use one that has a word.")
    }
    return .call(.equal, .field(field.level, field.name), .string(word))
  }

  /// Times, limit, order, page token and options are left.
  private var withoutFlatConditions: TraceQuery {
    var query = self
    query.serviceName = ""
    query.operationName = ""
    query.attributes = []
    query.spanKind = nil
    query.statusCode = nil
    query.durationMinimumNanoseconds = nil
    query.durationMaximumNanoseconds = nil
    return query
  }

  /// The query with its filter said as flat conditions: Jaeger's conversion, for readers without filters. The filter
  /// has to be finalized. A query without a filter comes back unchanged.
  ///
  /// Said can be: `and` of equalities of attributes with text, of `resource.service`, `span.name`, `span.kind` and
  /// `span.status`, and inclusive bounds of `span.duration`; each attribute, field and bound once. The level of an
  /// attribute is widened to all levels, as Jaeger widens it; attributes of scopes and links can't be said.
  ///
  /// - Throws: `unsupported`, or `invalidArgument` for a bound that was never resolved; the message begins with the path
  ///   of the condition that can't be said.
  public func convertedToFlatConditions() throws -> TraceQuery {
    guard let filter else { return self }
    try validate()
    var query = self
    query.filter = nil
    try query.add(filter, at: .root, depth: 1)
    return query
  }

  private mutating func add(_ node: FilterExpression, at path: FilterPath, depth: Int) throws {
    guard case .call(let call) = node else { throw path.unsaid("\(node.noun) as a condition") }
    guard depth <= FilterExpression.maximumDepth else { throw path.tooDeep }
    guard call.operation != .and else {
      for (index, argument) in call.arguments.enumerated() {
        try add(argument, at: path.argument(index), depth: depth + 1)
      }
      return
    }
    guard [.equal, .greaterOrEqual, .lessOrEqual].contains(call.operation), call.arguments.count == 2 else {
      throw path.unsaid("`\(call.operation.rawValue)`")
    }
    switch call.arguments[0] {
    case .attribute(let reference): try add(reference, call, at: path)
    case .field(let reference): try add(reference, call, at: path)
    default: throw path.unsaid("a comparison that does not begin with an attribute or a field")
    }
  }

  private mutating func add(_ reference: AttributeReference, _ call: FilterCall, at path: FilterPath) throws {
    guard call.operation == .equal else { throw path.unsaid("`\(call.operation.rawValue)` of an attribute") }
    guard [.unqualified, .span, .resource, .event].contains(reference.level) else {
      throw path.unsaid("an attribute of the level \(reference.level.rawValue)")
    }
    guard !attributes.contains(where: { $0.key.utf8.elementsEqual(reference.key.utf8) }) else {
      throw path.unsaid("a second condition on \"\(reference.key)\"")
    }
    attributes.append(Attribute(reference.key, .string(try text(call, "an attribute", at: path))))
  }

  private mutating func add(_ reference: FieldReference, _ call: FilterCall, at path: FilterPath) throws {
    guard let field = FilterField(reference) else {
      throw path.unsaid("\(reference.level.rawValue).\(reference.name)")
    }
    switch (field.level, field.name, call.operation) {
    case (.resource, "service", .equal): try set(\.serviceName, text(call, "\(field)", at: path), field, path)
    case (.span, "name", .equal): try set(\.operationName, text(call, "\(field)", at: path), field, path)
    case (.span, "kind", .equal): try set(\.spanKind, SpanKind(word: text(call, "\(field)", at: path)), field, path)
    case (.span, "status", .equal):
      try set(\.statusCode, SpanStatus.Code(word: text(call, "\(field)", at: path)), field, path)
    case (.span, "duration", .greaterOrEqual):
      try set(\.durationMinimumNanoseconds, duration(call, at: path), field, path)
    case (.span, "duration", .lessOrEqual):
      try set(\.durationMaximumNanoseconds, duration(call, at: path), field, path)
    default: throw path.unsaid("`\(call.operation.rawValue)` of \(field)")
    }
  }

  /// Fills an empty place with a text that is not empty: flat, an empty text means any.
  private mutating func set(
    _ place: WritableKeyPath<TraceQuery, String>, _ text: String, _ field: FilterField, _ path: FilterPath
  ) throws {
    guard self[keyPath: place].isEmpty else { throw path.unsaid("a second condition on \(field)") }
    guard !text.isEmpty else { throw path.unsaid("an empty \(field)") }
    self[keyPath: place] = text
  }

  private mutating func set<Value>(
    _ place: WritableKeyPath<TraceQuery, Value?>, _ value: Value?, _ field: FilterField, _ path: FilterPath
  ) throws {
    guard self[keyPath: place] == nil else { throw path.unsaid("a second condition of its kind on \(field)") }
    guard let value else { throw path.refusal("\(field) is compared with a word that it never is; correct it.") }
    self[keyPath: place] = value
  }

  private func text(_ call: FilterCall, _ subject: String, at path: FilterPath) throws -> String {
    switch call.arguments[1] {
    case .untyped(let text), .string(let text): return text
    default: throw path.unsaid("a comparison of \(subject) with anything but text")
    }
  }

  private func duration(_ call: FilterCall, at path: FilterPath) throws -> UInt64 {
    switch call.arguments[1] {
    case .duration(let nanoseconds):
      guard let bound = UInt64(exactly: nanoseconds) else { throw path.unsaid("a negative duration") }
      return bound
    case .untyped: throw path.refusal("The bound was never read as a duration; finalize the filter first.")
    default: throw path.unsaid("a comparison of span.duration with anything but a duration")
    }
  }
}

extension FilterPath {
  fileprivate func unsaid(_ what: String) -> TracestoreError {
    refusal("Flat conditions can't say \(what); ask a store that serves filters.", .unsupported)
  }
}
