import TraceModel
import TracestoreV2

/// Gives constants beside fields the types of the fields, checks the elements of lists, and puts references first.
/// Works on validated trees only, whose depth is bounded.
enum FilterResolution {
  static func resolved(_ root: FilterExpression) throws -> FilterExpression {
    guard case .call(let call) = root else { return root }
    return .call(try resolved(call, at: .root))
  }

  private static func resolved(_ call: FilterCall, at path: FilterPath) throws -> FilterCall {
    var call = call
    switch call.operation {
    case .and, .or, .not, .some:
      for (index, argument) in call.arguments.enumerated() {
        guard case .call(let inner) = argument else { continue }
        call.arguments[index] = .call(try resolved(inner, at: path.argument(index)))
      }
    case .in, .notIn:
      if case .list(let list) = call.arguments[1] {
        try check(list, beside: call.arguments[0], at: path.argument(1))
      }
    case .regex, .exists: break
    default:
      let isSwapped = call.arguments[0].isConstant && call.arguments[1].isReference
      if isSwapped {
        call.arguments.swapAt(0, 1)
        call.operation = call.operation.mirrored
      }
      if case .field(let reference) = call.arguments[0], let field = FilterField(reference) {
        // The path is the one of the tree that the caller knows.
        let place = path.argument(isSwapped ? 0 : 1)
        call.arguments[1] = try resolved(call.arguments[1], beside: field, at: place)
      }
    }
    return call
  }

  private static func resolved(
    _ constant: FilterExpression, beside field: FilterField, at path: FilterPath
  ) throws -> FilterExpression {
    switch constant {
    case .untyped(let text): return try value(of: text, for: field, at: path)
    case .string(let text):
      if let words = field.words { try check(text, isOneOf: words, of: field, at: path) }
      return constant
    default: return constant
    }
  }

  private static func value(
    of text: String, for field: FilterField, at path: FilterPath
  ) throws -> FilterExpression {
    switch field.type {
    case .text: return .string(text)
    case .kind, .status:
      try check(text, isOneOf: field.words ?? [], of: field, at: path)
      return .string(text)
    case .timestamp:
      guard let value = FilterConstant.timestamp(text) else {
        throw path.refusal(
          "\(field) is an instant, and \"\(text)\" is none between 1970 and 2554; write it as 2026-01-07T10:00:00Z.")
      }
      return .timestamp(value)
    case .duration:
      guard let value = FilterConstant.duration(text) else {
        throw path.refusal(
          "\(field) is a duration, and \"\(text)\" is none; write a number with its unit, as in 250ms.")
      }
      return .duration(nanoseconds: value)
    }
  }

  private static func check(
    _ text: String, isOneOf words: [String], of field: FilterField, at path: FilterPath
  ) throws {
    guard words.contains(where: { $0.utf8.elementsEqual(text.utf8) }) else {
      throw path.refusal("\(field) is never \"\(text)\"; it is one of \(words.joined(separator: ", ")).")
    }
  }

  private static func check(
    _ list: FilterList, beside reference: FilterExpression, at path: FilterPath
  ) throws {
    if case .field(let reference) = reference, let field = FilterField(reference) {
      guard list.type == .untyped || list.type.domain == field.domain else {
        throw path.refusal(
          "\(field) is \(field.domain.name), and the list is of type \(list.type.rawValue); leave the type out.")
      }
      for (index, text) in list.values.enumerated() { _ = try value(of: text, for: field, at: path.value(index)) }
      return
    }
    for (index, text) in list.values.enumerated() where FilterConstant.value(of: text, type: list.type) == nil {
      throw path.value(index).refusal(
        "\"\(text)\" is not of the list's type \(list.type.rawValue); write it so, or change the type.")
    }
  }
}
