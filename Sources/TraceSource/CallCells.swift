/// The calls of a stripe by run and by the minute they start in: all that metrics of whole minutes ask of them but their
/// durations, in some twelve bytes a cell.
package final class CallCells: Sendable {
  /// The width of a cell.
  package static let nanoseconds: UInt64 = 60_000_000_000

  /// Rows that share service, name and kind.
  package struct Run: Hashable, Sendable {
    /// Codes of the stripe's texts.
    package var service: UInt32
    package var name: UInt32
    package var kind: Int32
    /// Ascending by minute.
    package var cells: Range<Int>

    package init(service: UInt32, name: UInt32, kind: Int32, cells: Range<Int>) {
      self.service = service
      self.name = name
      self.kind = kind
      self.cells = cells
    }
  }

  package let runs: [Run]
  /// Of each cell, since the epoch.
  package let minutes: [UInt32]
  package let errorCounts: [UInt32]
  /// Of each cell, then the row count: a cell's rows reach to those of the next.
  package let firstRows: [UInt32]

  /// - Precondition: `firstRows` has one element more than there are cells, and never decreases.
  package init(runs: [Run], minutes: [UInt32], errorCounts: [UInt32], firstRows: [UInt32]) {
    self.runs = runs
    self.minutes = minutes
    self.errorCounts = errorCounts
    self.firstRows = firstRows
  }

  /// The rows of neighbouring cells.
  package func rows(of cells: Range<Int>) -> Range<Int> {
    Int(firstRows[cells.lowerBound])..<Int(firstRows[cells.upperBound])
  }

  /// Whether cells tell which calls of a stripe start in the window: it cuts no minute that the stripe has calls in.
  package static func decide(_ window: ClosedRange<UInt64>, for bounds: StripeBounds) -> Bool {
    (window.lowerBound % nanoseconds == 0 || window.lowerBound <= bounds.minimumStart)
      && ((window.upperBound &+ 1) % nanoseconds == 0 || window.upperBound >= bounds.maximumStart)
  }
}
