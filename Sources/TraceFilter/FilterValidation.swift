import TraceModel
import TracestoreV2

/// The rules that a tree has to keep whatever the spans are: structure, vocabulary and what may be compared with what.
struct FilterValidation {
  /// The patterns that were met, for whoever knows their grammar.
  private(set) var patterns: [(path: FilterPath, pattern: String)] = []

  mutating func check(_ root: FilterExpression) throws {
    guard case .call(let call) = root else {
      throw FilterPath.root.refusal("The filter is \(root.noun); begin it with an operator, such as `exists`.")
    }
    try check(call, at: .root, depth: 1, bound: [])
  }

  /// - Parameter bound: The collections of which an enclosing `some` binds an element.
  private mutating func check(
    _ call: FilterCall, at path: FilterPath, depth: Int, bound: [AttributeLevel]
  ) throws {
    guard depth <= FilterExpression.maximumDepth else { throw path.tooDeep }
    let operation = call.operation
    let arguments = call.arguments
    try checkArity(call, at: path)
    switch operation {
    case .and, .or, .not:
      for (index, argument) in arguments.enumerated() {
        let place = path.argument(index)
        guard case .call(let inner) = argument else {
          throw place.refusal("`\(operation.rawValue)` joins conditions; here is \(argument.noun). Make it a call.")
        }
        try check(inner, at: place, depth: depth + 1, bound: bound)
      }
    case .some:
      try checkSome(arguments, at: path, depth: depth, bound: bound)
    case .exists:
      try checkReference(arguments[0], at: path.argument(0), of: operation)
    case .in, .notIn:
      try checkReference(arguments[0], at: path.argument(0), of: operation)
      try checkList(arguments[1], beside: arguments[0], at: path.argument(1), of: operation)
    case .regex:
      try checkRegex(arguments, at: path)
    default:
      try checkComparison(operation, arguments, at: path)
    }
  }

  private func checkArity(_ call: FilterCall, at path: FilterPath) throws {
    let name = call.operation.rawValue
    let count = call.arguments.count
    let expected: Int
    switch call.operation {
    case .and, .or:
      guard count >= 2 else {
        throw path.refusal("`\(name)` has \(count) of at least 2 arguments; a single condition stands without it.")
      }
      return
    case .not, .exists: expected = 1
    default:
      guard FilterOperator.all.contains(call.operation) else {
        let known = FilterOperator.all.map(\.rawValue).joined(separator: ", ")
        throw path.refusal("The operator `\(name)` is unknown; use one of \(known).")
      }
      expected = 2
    }
    guard count == expected else {
      throw path.refusal("`\(name)` takes \(expected) argument\(expected == 1 ? "" : "s"), not \(count).")
    }
  }

  private mutating func checkSome(
    _ arguments: [FilterExpression], at path: FilterPath, depth: Int, bound: [AttributeLevel]
  ) throws {
    guard case .nested(let collection) = arguments[0] else {
      throw path.argument(0).refusal(
        "`some` needs the collection of events or links; here is \(arguments[0].noun). Name the level.")
    }
    guard collection.level == .event || collection.level == .link else {
      throw path.argument(0).refusal(
        "`some` goes over the levels event and link, not over \"\(collection.level.rawValue)\".")
    }
    guard !bound.contains(collection.level) else {
      throw path.refusal(
        "A `some` over \(collection.level.rawValue) stands inside another one; both would mean the same element. "
          + "Join their conditions.")
    }
    guard case .call(let inner) = arguments[1] else {
      throw path.argument(1).refusal("`some` needs a condition; here is \(arguments[1].noun). Make it a call.")
    }
    try check(inner, at: path.argument(1), depth: depth + 1, bound: bound + [collection.level])
  }

  private func checkReference(
    _ argument: FilterExpression, at path: FilterPath, of operation: FilterOperator
  ) throws {
    switch argument {
    case .attribute(let reference): try check(reference, at: path)
    case .field(let reference): try check(reference, at: path)
    case .nested: throw misplacedCollection(path)
    default:
      throw path.refusal(
        "`\(operation.rawValue)` asks about an attribute or a field; here is \(argument.noun). Put the reference first."
      )
    }
  }

  private func misplacedCollection(_ path: FilterPath) -> TracestoreError {
    path.refusal("A collection stands only as the first argument of `some`; name an attribute or a field.")
  }

  private func check(_ reference: AttributeReference, at path: FilterPath) throws {
    guard reference.level == .unqualified || AttributeLevel.all.contains(reference.level) else {
      throw unknownLevel(reference.level, "; or leave it out for span or resource", path)
    }
    guard !reference.key.isEmpty else { throw path.refusal("The attribute has no key; name it.") }
  }

  private func check(_ reference: FieldReference, at path: FilterPath) throws {
    guard AttributeLevel.all.contains(reference.level) else {
      guard reference.level != .unqualified else {
        throw path.refusal("The field \"\(reference.name)\" has no level; name one of \(levels).")
      }
      throw unknownLevel(reference.level, "", path)
    }
    guard FilterField(reference) == nil else { return }
    let level = reference.level.rawValue
    let known = FilterField.all.filter { $0.level == reference.level }.map(\.name).joined(separator: ", ")
    guard !reference.name.isEmpty else { throw path.refusal("The field has no name; \(level) has \(known).") }
    let meant = FilterField.meant(by: reference.name, at: reference.level).map { "; was \($0) meant?" } ?? "."
    throw path.refusal(
      "\(level) has no field \"\(reference.name)\"\(meant) Its fields are \(known). "
        + "An attribute of that name is an attribute reference, not a field.")
  }

  private var levels: String { AttributeLevel.all.map(\.rawValue).joined(separator: ", ") }

  private func unknownLevel(_ level: AttributeLevel, _ more: String, _ path: FilterPath) -> TracestoreError {
    path.refusal("The level \"\(level.rawValue)\" is unknown; use one of \(levels)\(more).")
  }
}

extension FilterValidation {
  private func checkList(
    _ argument: FilterExpression, beside reference: FilterExpression, at path: FilterPath,
    of operation: FilterOperator
  ) throws {
    guard case .list(let list) = argument else {
      throw path.refusal("`\(operation.rawValue)` needs a list; here is \(argument.noun). Use `eq` for one constant.")
    }
    guard !list.values.isEmpty else { throw path.refusal("The list is empty; name at least one constant.") }
    guard list.type.domain != nil else {
      throw path.refusal("The type \"\(list.type.rawValue)\" is unknown; use string, int, double or bool.")
    }
    if case .attribute = reference, list.type == .untyped {
      throw path.refusal("A list beside an attribute needs a type; use string, int, double or bool.")
    }
  }

  private mutating func checkRegex(_ arguments: [FilterExpression], at path: FilterPath) throws {
    try checkReference(arguments[0], at: path.argument(0), of: .regex)
    if case .field(let reference) = arguments[0], let field = FilterField(reference), field.domain != .text {
      throw path.argument(0).refusal("\(field) is \(field.domain.name), and `regex` reads text; compare it instead.")
    }
    switch arguments[1] {
    case .untyped(let pattern), .string(let pattern): patterns.append((path.argument(1), pattern))
    default:
      throw path.argument(1).refusal(
        "The pattern has to be text; here is \(arguments[1].noun) that is none. Use a constant of type string.")
    }
  }

  private func checkComparison(
    _ operation: FilterOperator, _ arguments: [FilterExpression], at path: FilterPath
  ) throws {
    for (index, argument) in arguments.enumerated() {
      try checkOperand(argument, at: path.argument(index), of: operation)
    }
    for (index, argument) in arguments.enumerated() {
      switch (argument, arguments[1 - index]) {
      case (.duration, .attribute), (.timestamp, .attribute):
        throw path.argument(index).refusal(
          "Attributes hold no \(argument.domain == .duration ? "durations" : "instants"); use a constant that they can hold."
        )
      default: break
      }
      if operation.isOrdering { try checkOrder(argument, at: path.argument(index), of: operation) }
    }
    let (left, right) = (arguments[0].domain, arguments[1].domain)
    guard left == right || left == .unknown || right == .unknown else {
      throw path.refusal(
        "`\(operation.rawValue)` compares \(left.name) with \(right.name); both sides have to be of one kind.")
    }
  }

  private func checkOperand(
    _ argument: FilterExpression, at path: FilterPath, of operation: FilterOperator
  ) throws {
    switch argument {
    case .attribute(let reference): try check(reference, at: path)
    case .field(let reference): try check(reference, at: path)
    case .nested: throw misplacedCollection(path)
    case .list: throw path.refusal("`\(operation.rawValue)` takes no list; use `in` or `not_in`.")
    case .call:
      throw path.refusal(
        "`\(operation.rawValue)` compares attributes, fields and constants; here is a call. Join calls by `and` or `or`."
      )
    case .untyped, .string, .int, .double, .bool, .duration, .timestamp: break
    }
  }

  private func checkOrder(
    _ argument: FilterExpression, at path: FilterPath, of operation: FilterOperator
  ) throws {
    if case .bool = argument {
      throw path.refusal("Truth values have no order, so `\(operation.rawValue)` can't compare them; use `eq`.")
    }
    if case .field(let reference) = argument, let field = FilterField(reference), field.words != nil {
      throw path.refusal("\(field) has no order, so `\(operation.rawValue)` can't compare it; use `eq` or `in`.")
    }
  }
}

extension FilterPath {
  /// A pattern that its grammar refuses.
  func refusal(pattern: String, _ error: any Error) -> TracestoreError {
    if var known = error as? TracestoreError {
      known.message = "\(text): \(known.message)"
      return known
    }
    // The reason says at which byte it is wrong, so that the beginning of a long one is enough to know it by.
    let shown = pattern.count > 60 ? "\(pattern.prefix(60))\u{2026}" : pattern
    return refusal("\"\(shown)\" can't be used: \(error)")
  }
}
