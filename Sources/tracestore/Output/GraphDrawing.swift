import TracestoreV2

/// A service graph as indented text: services that nobody calls first, below each what it calls, most often first. A
/// service that was drawn before is not unfolded again.
struct GraphDrawing {
  private var calls: [String: [String: (count: UInt64, errors: UInt64)]] = [:]
  private var callers: [String: Set<String>] = [:]

  init(_ links: [DependencyLink]) {
    for link in links {
      var sum = calls[link.parent, default: [:]][link.child] ?? (0, 0)
      sum.count &+= link.callCount
      sum.errors &+= link.errorCount ?? 0
      calls[link.parent, default: [:]][link.child] = sum
      if link.parent != link.child { callers[link.child, default: []].insert(link.parent) }
    }
  }

  var lines: [String] {
    var lines: [String] = []
    var drawn: Set<String> = []
    let parents = calls.keys.sorted()
    // Circles that nobody enters come last.
    for root in parents.filter({ callers[$0] == nil }) + parents where !drawn.contains(root) {
      lines.append(Style.named(root, name(root)))
      draw(root, "", &drawn, &lines)
    }
    return lines
  }

  private func name(_ service: String) -> String { service.isEmpty ? "(no name)" : Sanitized.line(service) }

  private func draw(_ service: String, _ indent: String, _ drawn: inout Set<String>, _ lines: inout [String]) {
    drawn.insert(service)
    let children = calls[service, default: [:]].sorted { left, right in
      left.value.count != right.value.count ? left.value.count > right.value.count : left.key < right.key
    }
    for (index, child) in children.enumerated() {
      let isLast = index == children.count - 1
      let isKnown = drawn.contains(child.key)
      var line = indent + (isLast ? "└─ " : "├─ ") + Style.named(child.key, name(child.key))
      line += Style.dim("  \(Figure.count(child.value.count))")
      if child.value.errors > 0 { line += Style.red("  \(Figure.count(child.value.errors)) failed") }
      if isKnown, calls[child.key] != nil { line += Style.dim("  (above)") }
      lines.append(line)
      if !isKnown { draw(child.key, indent + (isLast ? "   " : "│  "), &drawn, &lines) }
    }
  }
}
