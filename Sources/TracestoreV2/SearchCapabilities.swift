/// What searches a store can answer. The default value is the least capable store.
public struct SearchCapabilities: Hashable, Sendable {
  /// True when a search may leave out the service name.
  public var isServiceNameOptional: Bool
  /// True when all conditions have to hold on one and the same span, not merely somewhere in the trace.
  public var isSameSpanConjunction: Bool
  /// The structured filters that are served; nil for none.
  public var filter: FilterCapabilities?
  /// True when searches can be continued by page tokens.
  public var isPaginated: Bool
  /// True when `findSpans` is served.
  public var hasSpanSearch: Bool
  /// True when `findTraceSummaries` is served.
  public var hasTraceSummaries: Bool
  /// True when records of open spans and enrichments are joined: readers see one span, with its state, and searches find
  /// what its records say together.
  public var hasPartialSpans: Bool
  /// True when spans are kept, searched and given back with every field of the model. False for a store with fewer words,
  /// such as one of Jaeger's first model: what it has no word for is lost, and not found.
  public var hasWholeModel: Bool
  /// True when `getAttributeKeys` and `getAttributeValues` are served.
  public var hasAttributeDiscovery: Bool
  /// The orders that are served.
  public var orders: [TraceOrder]
  /// The greatest limit of one search; nil for none.
  public var maximumLimit: Int?

  public init(
    isServiceNameOptional: Bool = false, isSameSpanConjunction: Bool = false, filter: FilterCapabilities? = nil,
    isPaginated: Bool = false, hasSpanSearch: Bool = false, hasTraceSummaries: Bool = false,
    hasPartialSpans: Bool = false, hasWholeModel: Bool = false, hasAttributeDiscovery: Bool = false,
    orders: [TraceOrder] = [], maximumLimit: Int? = nil
  ) {
    self.isServiceNameOptional = isServiceNameOptional
    self.isSameSpanConjunction = isSameSpanConjunction
    self.filter = filter
    self.isPaginated = isPaginated
    self.hasSpanSearch = hasSpanSearch
    self.hasTraceSummaries = hasTraceSummaries
    self.hasPartialSpans = hasPartialSpans
    self.hasWholeModel = hasWholeModel
    self.hasAttributeDiscovery = hasAttributeDiscovery
    self.orders = orders
    self.maximumLimit = maximumLimit
  }
}

/// The structured filters that a store serves: every operator and every named level of a filter has to be listed.
public struct FilterCapabilities: Hashable, Sendable {
  public var levels: [AttributeLevel]
  public var operators: [FilterOperator]

  public init(levels: [AttributeLevel] = [], operators: [FilterOperator] = []) {
    self.levels = levels
    self.operators = operators
  }
}
