package import TraceAggregate
package import TraceModel

/// The calls of some stripes by run and by the minute they start in: all that metrics of whole minutes ask of them.
///
/// The durations of a cell ascend, so that a quantile is found without looking at the others. Twelve bytes a cell, 56 a
/// run, and a call takes as many bits as the longest of its run.
package final class CallCells: CachedBlock, @unchecked Sendable {
  /// The width of a cell.
  package static let nanoseconds: UInt64 = 60_000_000_000

  /// Calls that share service, name and kind.
  package struct Run {
    /// Codes of the segment's texts.
    package var service: UInt32
    package var name: UInt32
    package var kind: Int32
    /// Of the texts of service and name.
    package var key: CallKey
    /// Its cells reach to those of the next run.
    var firstCell: Int
    var layout: PackedDurations.Layout
    /// Where its durations begin.
    var firstByte: Int
  }

  package struct Cell {
    /// Since the epoch: all of 64 bits of nanoseconds fit. They ascend within a run.
    package var minute: UInt32
    package var errorCount: UInt32
    /// Its calls reach to those of the next cell.
    package var firstCall: UInt32
  }

  package let runs: [Run]
  /// Why there are none: stripes that cannot be read are not read again for each question.
  package let damage: TracestoreError?
  /// Ends with one that has no calls.
  private let cells: UnsafeMutableBufferPointer<Cell>
  private let durations: UnsafeMutableRawBufferPointer

  /// - Parameters:
  ///   - cells: of all runs, then one that has no calls.
  ///   - durations: of all cells, one after the other.
  ///   - byteCount: what they take, packed.
  init(runs: [Run], cells: [Cell], durations: [UInt64], byteCount: Int, damage: TracestoreError? = nil) {
    self.runs = runs
    self.damage = damage
    self.cells = .allocate(capacity: cells.count)
    _ = self.cells.initialize(from: cells)
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: byteCount + PackedDurations.slackByteCount, alignment: MemoryLayout<UInt64>.alignment)
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    self.durations = memory
    durations.withUnsafeBufferPointer { durations in
      for (index, run) in runs.enumerated() {
        let own = places(of: index)
        let calls = Int(cells[own.lowerBound].firstCall)..<Int(cells[own.upperBound].firstCall)
        PackedDurations.write(
          UnsafeBufferPointer(rebasing: durations[calls]), run.layout, to: memory, at: run.firstByte)
      }
    }
  }

  /// In place of cells that cannot be made.
  convenience init(damage: TracestoreError) {
    self.init(
      runs: [], cells: [Cell(minute: 0, errorCount: 0, firstCall: 0)], durations: [], byteCount: 0, damage: damage)
  }

  deinit {
    cells.deallocate()
    durations.deallocate()
  }

  private func places(of run: Int) -> Range<Int> {
    runs[run].firstCell..<(run + 1 < runs.count ? runs[run + 1].firstCell : cells.count - 1)
  }

  /// The cells of a run, then the one behind them, and the durations of all, `max(0, end − start)` in nanoseconds: cell by
  /// cell, and those of a cell ascend. Valid as long as this object.
  package func calls(of run: Int) -> (cells: UnsafeBufferPointer<Cell>, durations: PackedDurations) {
    let own = UnsafeBufferPointer(
      rebasing: UnsafeBufferPointer(cells)[places(of: run).lowerBound...places(of: run).upperBound])
    let memory = UnsafeRawPointer(durations.baseAddress.unsafelyUnwrapped) + runs[run].firstByte
    return (
      own, PackedDurations(memory, runs[run].layout, count: own[own.count - 1].firstCall &- own[0].firstCall)
    )
  }

  package var residentByteCount: Int {
    256 + runs.count * MemoryLayout<Run>.stride + cells.count * MemoryLayout<Cell>.stride + durations.count
  }

  /// They are made of columns of many stripes.
  package static let passCount = 256
}
