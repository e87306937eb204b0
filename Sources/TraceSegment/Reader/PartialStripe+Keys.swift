import TraceColumns
package import TraceModel
package import TraceSource

// Whose records a segment holds. Ids ascend, and a page of them is decoded at a time.
extension PartialStripe {
  /// Calls `body` with the ids of every record from `first` on, until it returns false. Ids ascend; those of a span with
  /// several records come several times.
  package func forEachKey(from first: SpanKey, _ body: (SpanKey) throws -> Bool) throws {
    var cursor = PartialKeyCursor(try table())
    guard var key = try cursor.seek(first) else { return }
    while try body(key), let next = try cursor.advance() { key = next }
  }

  /// The records of spans, ascending, each with the place of its span among `keys`.
  ///
  /// - Parameter keys: distinct, ascending.
  package func rows(of keys: [SpanKey]) throws -> [(place: Int, row: Int)] {
    var found: [(place: Int, row: Int)] = []
    var cursor = PartialKeyCursor(try table())
    for (place, key) in keys.enumerated() {
      guard var next = try cursor.seek(key) else { return found }
      while next == key {
        found.append((place, cursor.row))
        guard let following = try cursor.advance() else { return found }
        next = following
      }
    }
    return found
  }

  /// Traces that cut the records into ranges of about `rowCount`, ascending.
  package func cuts(every rowCount: Int) throws -> [TraceID] { try table().cuts(every: rowCount) }

  /// The starts of rows, which ascend.
  package func starts(_ rows: [Int]) throws -> [UInt64] { try table().times(rows).map(\.start) }

  /// About how many bytes the records of rows have, which ascend.
  package func byteCounts(_ rows: [Int]) throws -> [Int] { try table().byteCounts(rows) }
}

/// Walks the ids of partial records, forwards only.
private struct PartialKeyCursor {
  private let table: PartialTable
  /// Of the page that stands in `keys`; the one before the first at the beginning.
  private var page = -1
  private var keys: [SpanKey] = []
  private var offset = 0

  init(_ table: PartialTable) { self.table = table }

  /// The record that `seek` or `advance` came to.
  var row: Int { table.firstRow(ofPage: page) + offset }

  /// Goes to the first record, from the current one on, whose ids are not below `key`; nil behind the last.
  mutating func seek(_ key: SpanKey) throws -> SpanKey? {
    if page < 0 || keys.last.map({ $0 < key }) ?? true {
      // Pages in between that end below the key are passed over.
      let start = table.page(before: key.trace)
      if start > page { try open(start) }
    }
    while page < table.pageCount {
      offset = (offset..<keys.count).partition { keys[$0] >= key }
      if offset < keys.count { return keys[offset] }
      try open(page + 1)
    }
    return nil
  }

  mutating func advance() throws -> SpanKey? {
    offset += 1
    if offset == keys.count { try open(page + 1) }
    return offset < keys.count ? keys[offset] : nil
  }

  private mutating func open(_ next: Int) throws {
    (page, offset) = (next, 0)
    keys = next < table.pageCount ? try table.keys(ofPage: next) : []
  }
}
