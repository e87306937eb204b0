/// The cells of a stripe, and the durations of their calls.
package protocol MeasuredCells: AnyObject, Sendable {
  var cells: CallCells { get }

  /// Fills `output` with the durations (`max(0, end − start)`, nanoseconds) of the rows of one range after the other;
  /// ranges ascend. Its memory need not have been written.
  func readDurations(of ranges: [Range<Int>], into output: UnsafeMutableBufferPointer<UInt64>) throws
}

/// The calls of a stripe by run and by the minute they start in: all that metrics of whole minutes ask of them but their
/// durations. Eight bytes a cell and sixteen a run.
package final class CallCells: Sendable {
  /// The width of a cell.
  package static let nanoseconds: UInt64 = 60_000_000_000

  /// Rows that share service, name and kind.
  package struct Run: Hashable, Sendable {
    /// Codes of the stripe's texts.
    package var service: UInt32
    package var name: UInt32
    package var kind: Int32
    /// Its cells reach to those of the next run.
    package var firstCell: UInt32

    package init(service: UInt32, name: UInt32, kind: Int32, firstCell: Int) {
      self.service = service
      self.name = name
      self.kind = kind
      self.firstCell = UInt32(truncatingIfNeeded: firstCell)
    }
  }

  package let runs: [Run]
  private let firstMinute: UInt64
  /// Of each cell, since `firstMinute`; ascending within a run.
  private let minutes: [UInt16]
  private let errorCounts: [UInt16]
  /// Of each cell, then the row count: a cell's rows reach to those of the next.
  private let firstRows: [UInt32]

  /// - Parameter firstRows: of each cell, then the row count; never decreases.
  package init(runs: [Run], firstMinute: UInt64, minutes: [UInt16], errorCounts: [UInt16], firstRows: [UInt32]) {
    precondition(firstRows.count == minutes.count + 1 && errorCounts.count == minutes.count, "cells of several counts")
    self.runs = runs
    self.firstMinute = firstMinute
    self.minutes = minutes
    self.errorCounts = errorCounts
    self.firstRows = firstRows
  }

  package var byteCount: Int { runs.count * MemoryLayout<Run>.stride + minutes.count * 8 }

  package func cells(of run: Int) -> Range<Int> {
    Int(runs[run].firstCell)..<(run + 1 < runs.count ? Int(runs[run + 1].firstCell) : minutes.count)
  }

  /// Since the epoch.
  package func minute(_ cell: Int) -> UInt64 { firstMinute &+ UInt64(minutes[cell]) }
  package func callCount(_ cell: Int) -> UInt32 { firstRows[cell + 1] &- firstRows[cell] }
  package func errorCount(_ cell: Int) -> UInt32 { UInt32(errorCounts[cell]) }

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
