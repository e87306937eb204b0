/// Results that are there all at once, with what is to be said about them as a whole.
///
/// A list that had to leave something out, because bytes on disk are damaged, has what remains, and its summary names
/// what is missing.
public struct ResultList<Element: Sendable>: Sendable {
  public var elements: [Element]
  public var summary: ResultSummary

  public init(_ elements: [Element], summary: ResultSummary = ResultSummary()) {
    self.elements = elements
    self.summary = summary
  }
}

extension ResultList: RandomAccessCollection {
  public var startIndex: Int { elements.startIndex }
  public var endIndex: Int { elements.endIndex }
  public subscript(index: Int) -> Element { elements[index] }
}

/// Equal with equal elements and equal summaries.
extension ResultList: Equatable where Element: Equatable {}

/// A literal is a list of which nothing is to be said.
extension ResultList: ExpressibleByArrayLiteral {
  public init(arrayLiteral elements: Element...) { self.init(elements) }
}
