public import TraceModel

/// The spans of a foreign document in the order in which they stand there, each with its place, to be stored as
/// requests of bounded size.
public struct DecodedSpans: Sendable {
  struct Element: Sendable {
    var resource: Resource
    var scope: InstrumentationScope
    var span: SpanRecord
    /// Where the span begins in the document.
    var offset: Int
  }

  var elements: [Element] = []
  let documentByteCount: Int

  init(documentByteCount: Int) { self.documentByteCount = documentByteCount }

  public var count: Int { elements.count }

  /// All of them as one batch.
  public var data: TraceData {
    var groups = SpanGroups()
    for element in elements { groups.add(element.resource, element.scope, element.span) }
    return groups.data
  }

  /// A part of the document.
  public struct Request: Sendable {
    public var data: TraceData
    /// For each span in the order of `data`: which span of the document it is.
    public var spanIndexes: [Int]
    /// For each span in the order of `data`: the byte of the document where it begins.
    public var spanOffsets: [Int]
  }

  /// How many spans a request has at most, and how many bytes of the document it stands for, unless one span is larger
  /// alone: a request is decoded and appended whole, and a receipt counts for all of it.
  public static let maximumRequestSpanCount = 512
  public static let maximumRequestByteCount = 4 << 20

  /// The document as requests. None is made before it is asked for.
  public var requests: Requests { Requests(spans: self) }

  /// Makes requests one after another.
  public struct Requests: Sequence, IteratorProtocol, Sendable {
    let spans: DecodedSpans
    private var place = 0

    init(spans: DecodedSpans) { self.spans = spans }

    public mutating func next() -> Request? {
      let elements = spans.elements
      guard place < elements.count else { return nil }
      let start = place
      place += 1
      while place < elements.count, place - start < DecodedSpans.maximumRequestSpanCount,
        end(of: place) - elements[start].offset <= DecodedSpans.maximumRequestByteCount
      {
        place += 1
      }
      let part = start..<place
      var groups = SpanGroups()
      var order: [[[Int]]] = []
      for index in part {
        let (group, scoped) = groups.add(elements[index].resource, elements[index].scope, elements[index].span)
        if group == order.count { order.append([]) }
        if scoped == order[group].count { order[group].append([]) }
        order[group][scoped].append(index)
      }
      let indexes = order.flatMap { $0.flatMap { $0 } }
      return Request(data: groups.data, spanIndexes: indexes, spanOffsets: indexes.map { elements[$0].offset })
    }

    /// Where the span at `index` ends at the latest: where the next one begins, or the document ends.
    private func end(of index: Int) -> Int {
      let elements = spans.elements
      return index + 1 < elements.count ? elements[index + 1].offset : spans.documentByteCount
    }
  }
}
