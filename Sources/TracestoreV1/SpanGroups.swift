public import TraceModel

/// Puts spans that come one by one into groups of equal resources and scopes, in the order in which these first occur.
struct SpanGroups {
  private(set) var data = TraceData()
  private var resources: [Resource: Int] = [:]
  private var scopes: [[InstrumentationScope: Int]] = []

  init() {}

  /// - Returns: the places of the span's resource and of its scope there.
  @discardableResult
  mutating func add(
    _ resource: Resource, _ scope: InstrumentationScope, _ span: SpanRecord
  ) -> (group: Int, scoped: Int) {
    let group = resources[resource] ?? data.resourceSpans.count
    if group == data.resourceSpans.count {
      resources[resource] = group
      scopes.append([:])
      data.resourceSpans.append(ResourceSpans(resource: resource))
    }
    let scoped = scopes[group][scope] ?? data.resourceSpans[group].scopeSpans.count
    if scoped == data.resourceSpans[group].scopeSpans.count {
      scopes[group][scope] = scoped
      data.resourceSpans[group].scopeSpans.append(ScopeSpans(scope: scope))
    }
    data.resourceSpans[group].scopeSpans[scoped].spans.append(span)
    return (group, scoped)
  }
}

extension TraceData {
  /// The spans as v2 has them, regrouped so that each distinct process is one resource.
  public init(_ spans: some Sequence<V1Span>) {
    var groups = SpanGroups()
    for span in spans {
      let (record, scope) = span.record
      groups.add(Resource(span.process), scope, record)
    }
    self = groups.data
  }
}
