import TraceColumns
package import TraceGraph

/// Told when a memtable is about to become a segment.
package protocol MemtableFollower: AnyObject, Sendable {
  /// All rows of the memtable are visible, and it is the last moment to read them. Called on the sealer's thread.
  func takeLast(of memtable: Memtable)
}

/// Reads the rows of a writer's memtables as they become visible, each once. Nothing is decoded again: rows are what the
/// writer has made of requests anyway. For one thread at a time.
///
/// Holds no memtable: whoever owns the tail reads the last of each when `MemtableFollower` says so.
package struct MemtableTail {
  private struct Position {
    weak var memtable: Memtable?
    var row: Int
    var reader = CallRowReader()
  }

  private var positions: [Position] = []

  package init() {}

  /// Passes over what is visible.
  package mutating func skipToEnd(of memtables: [Memtable]) {
    positions = memtables.map { Position(memtable: $0, row: $0.source().rowCount) }
  }

  /// Calls `body` with the final rows that have become visible, some at a time. Memtables that have not been there before
  /// are read from their first row on.
  ///
  /// - Parameter code: gives a text its code.
  package mutating func read(
    _ memtables: [Memtable], code: ([UInt8]) -> UInt32, _ body: (UnsafeBufferPointer<StreamedSpan>) -> Void
  ) {
    positions.removeAll { $0.memtable == nil }
    for memtable in memtables {
      var place = positions.firstIndex { $0.memtable === memtable }
      if place == nil {
        place = positions.count
        positions.append(Position(memtable: memtable, row: 0))
      }
      guard let place else { continue }
      let view = memtable.view()
      let rows = positions[place].row..<max(positions[place].row, view.rows.count)
      positions[place].reader.read(rows, of: view, code: code, body)
      positions[place].row = rows.upperBound
    }
  }

  /// To be called when texts have other codes.
  package mutating func forgetNames() {
    for place in positions.indices { positions[place].reader.forgetNames() }
  }
}
