public import TraceModel
public import TracestoreV2

extension FilterCapabilities {
  /// Every operator at every level.
  public static let complete = FilterCapabilities(levels: AttributeLevel.all, operators: FilterOperator.all)

  /// What a store with these capabilities answers instead of serving the filter; nil when it serves it.
  ///
  /// Served is a filter of which every operator and every named level is listed. References without a level and
  /// constants need nothing.
  public func refusal(of filter: FilterExpression) -> TracestoreError? {
    refusal(of: filter, at: .root, depth: 1)
  }

  private func refusal(of node: FilterExpression, at path: FilterPath, depth: Int) -> TracestoreError? {
    let level: AttributeLevel
    switch node {
    case .attribute(let reference): level = reference.level
    case .field(let reference): level = reference.level
    case .nested(let reference): level = reference.level
    case .call(let call):
      guard depth <= FilterExpression.maximumDepth else { return path.tooDeep }
      guard operators.contains(call.operation) else {
        return path.refusal(
          "This store does not serve the operator `\(call.operation.rawValue)`; \(Self.known(operators.map(\.rawValue))).",
          .unsupported)
      }
      for (index, argument) in call.arguments.enumerated() {
        if let refusal = refusal(of: argument, at: path.argument(index), depth: depth + 1) { return refusal }
      }
      return nil
    case .untyped, .string, .int, .double, .bool, .duration, .timestamp, .list: return nil
    }
    guard level == .unqualified || levels.contains(level) else {
      return path.refusal(
        "This store does not serve the level \(level.rawValue); \(Self.known(levels.map(\.rawValue))).", .unsupported)
    }
    return nil
  }

  private static func known(_ names: [String]) -> String {
    names.isEmpty ? "it serves none" : "use one of \(names.joined(separator: ", "))"
  }
}
