import TraceModel
import TracestoreV2

extension RecordedSpans: CustomStringConvertible {
  /// Every trace as a tree of its spans, with what is known of each: kind, duration, state, status, attributes, events.
  public var description: String {
    var lines: [String] = []
    var drawn = [Bool](repeating: false, count: count)
    var trace: TraceID?
    func draw(_ index: Int, depth: Int) {
      // Spans may share an id, or be each other's parents.
      guard !drawn[index] else { return }
      drawn[index] = true
      let found = self[index]
      if found.span.traceID != trace { lines.append("trace \(found.span.traceID)") }
      trace = found.span.traceID
      let indent = String(repeating: "  ", count: depth)
      lines.append(indent + Self.line(found))
      for detail in Self.details(found.span) { lines.append("\(indent)    \(detail)") }
      for child in indices where isChild(self[child].span, of: found.span) { draw(child, depth: depth + 1) }
    }
    for index in indices where isRoot(self[index].span) { draw(index, depth: 1) }
    // Those that have only each other.
    for index in indices { draw(index, depth: 1) }
    return lines.joined(separator: "\n")
  }

  private static func line(_ found: FoundSpan) -> String {
    let span = found.span
    var words = [span.name.isEmpty ? "(no name)" : span.name, found.resource.serviceName]
    if span.kind != .unspecified { words.append(span.kind.word) }
    words.append(duration(span.durationNanoseconds))
    if found.state.phase != .final { words.append(found.state.phase.rawValue) }
    if found.state.isEnriched { words.append("enriched") }
    if let status = span.status, status.code != .unset {
      words.append(status.message.isEmpty ? status.code.word : "\(status.code.word): \(status.message)")
    }
    return words.filter { !$0.isEmpty }.joined(separator: "  ")
  }

  private static func details(_ span: SpanRecord) -> [String] {
    span.attributes.map { "\($0.key) = \($0.value.text)" }
      + span.events.map { event in
        let attributes = event.attributes.map { "  \($0.key) = \($0.value.text)" }.joined()
        return "event \(event.name)\(attributes)"
      }
  }

  private static func duration(_ nanoseconds: UInt64) -> String {
    for (unit, name) in [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")] as [(UInt64, String)]
    where nanoseconds >= unit {
      let tenths = nanoseconds % unit / (unit / 10)
      return "\(nanoseconds / unit)\(tenths == 0 ? "" : ".\(tenths)") \(name)"
    }
    return "\(nanoseconds) ns"
  }
}
