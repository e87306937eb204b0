package import TracestoreV2

extension FilterExpression {
  /// The filter checked and resolved: what a store answers.
  ///
  /// Every rule of the specification holds of the result; constants beside fields have the fields' types, and
  /// references stand before constants. A finalized filter comes back unchanged.
  ///
  /// - Parameter checkPattern: Throws for a pattern of `regex` that is not served.
  /// - Throws: `invalidArgument`, whose message begins with the path of the offending node.
  package func finalized(checkingPatterns checkPattern: (String) throws -> Void) throws -> FilterExpression {
    var validation = FilterValidation()
    try validation.check(self)
    for (path, pattern) in validation.patterns {
      do { try checkPattern(pattern) } catch { throw path.refusal(pattern: pattern, error) }
    }
    return try FilterResolution.resolved(self)
  }
}
