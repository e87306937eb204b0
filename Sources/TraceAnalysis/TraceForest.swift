import TraceModel
public import TracestoreV2

/// The final spans of one trace as trees: every span is a root or has one parent.
///
/// A span's parent is the client or producer half that shares its id, when it is a server or consumer; else the span
/// whose id its parent id names. Of several the called half comes first, then the earliest start, then service and name.
/// A span without a parent that is there is a root; so is the earliest span of a circle. Spans that are not final have no
/// end and are left out; equal records count once.
public struct TraceForest: Sendable {
  public let spans: [FoundSpan]
  /// The index of each span's parent; nil for roots.
  public private(set) var parents: [Int?]
  /// The indices of each span's children, by start, then id.
  public private(set) var children: [[Int]]
  /// Ascending by start, then id.
  public private(set) var roots: [Int]

  /// - Parameter spans: of one trace, in any order. O(n log n).
  public init(_ spans: some Sequence<FoundSpan>) {
    let finals = Set(spans.filter { $0.state.phase == .final }).sorted(by: Self.precedes)
    self.spans = finals
    // Indices ascend in the order of ties.
    var namesakes: [SpanID: Namesakes] = [:]
    for index in finals.indices { namesakes[finals[index].span.spanID, default: Namesakes()].add(finals, index) }
    parents = finals.map { Self.parent(of: $0.span, namesakes) }
    children = [[Int]](repeating: [], count: finals.count)
    roots = []
    cutCircles()
    for index in finals.indices {
      if let parent = parents[index] { children[parent].append(index) } else { roots.append(index) }
    }
  }

  public var isEmpty: Bool { spans.isEmpty }

  private static func precedes(_ left: FoundSpan, _ right: FoundSpan) -> Bool {
    if left.span.start != right.span.start { return left.span.start < right.span.start }
    if left.span.spanID != right.span.spanID { return left.span.spanID < right.span.spanID }
    if left.span.end != right.span.end { return left.span.end < right.span.end }
    let names = (Array(left.resource.serviceName.utf8), Array(right.resource.serviceName.utf8))
    if names.0 != names.1 { return names.0.lexicographicallyPrecedes(names.1) }
    return left.span.name.utf8.lexicographicallyPrecedes(right.span.name.utf8)
  }

  /// The first ones of the spans that share an id.
  private struct Namesakes {
    var first: Int?
    var calling: Int?
    var called: Int?

    mutating func add(_ spans: [FoundSpan], _ index: Int) {
      first = first ?? index
      switch spans[index].span.kind {
      case .client, .producer: calling = calling ?? index
      case .server, .consumer: called = called ?? index
      default: break
      }
    }
  }

  private static func parent(of span: SpanRecord, _ namesakes: [SpanID: Namesakes]) -> Int? {
    if span.kind == .server || span.kind == .consumer, let half = namesakes[span.spanID]?.calling { return half }
    guard let id = span.parentSpanID, !id.isZero, id != span.spanID, let parents = namesakes[id] else { return nil }
    return parents.called ?? parents.first
  }

  /// Makes the earliest span of every circle a root.
  private mutating func cutCircles() {
    // 0 not seen, otherwise the walk that saw it.
    var seen = [Int](repeating: 0, count: spans.count)
    for start in spans.indices where seen[start] == 0 {
      var index = start
      while seen[index] == 0 {
        seen[index] = start + 1
        guard let parent = parents[index] else { break }
        index = parent
      }
      // Only a walk that meets itself has found a circle.
      guard parents[index] != nil, seen[index] == start + 1 else { continue }
      var earliest = index
      var next = index
      var isClosed = false
      while !isClosed, let parent = parents[next] {
        next = parent
        earliest = min(earliest, next)
        isClosed = next == index
      }
      if isClosed { parents[earliest] = nil }
    }
  }
}
