import TraceAggregate
import TraceSource

/// Brings calls together in cells. For one thread.
struct CallCellsBuilder {
  private struct RunKey: Hashable, Comparable {
    var service: UInt32
    var name: UInt32
    var kind: Int32

    static func < (left: RunKey, right: RunKey) -> Bool {
      (left.service, left.name, left.kind) < (right.service, right.name, right.kind)
    }
  }

  /// Calls of a run in one minute, side by side in `durations`.
  private struct Piece {
    var minute: UInt32
    var errorCount: UInt32
    var durations: Range<Int>
  }

  private var runs: [RunKey: [Piece]] = [:]
  private var durations: [UInt64] = []

  /// - Parameter callCount: how many will come, about.
  init(callCount: Int) { durations.reserveCapacity(callCount) }

  /// Adds calls with their durations.
  mutating func update(_ run: CallRun) {
    let first = durations.count
    durations.append(contentsOf: run.durations)
    var pieces: [Piece] = []
    run.forEachBucket(of: CallCells.nanoseconds) { minute, calls, errorCount in
      pieces.append(
        Piece(
          minute: UInt32(truncatingIfNeeded: minute), errorCount: errorCount,
          durations: (first + calls.lowerBound)..<(first + calls.upperBound)))
    }
    runs[RunKey(service: run.service, name: run.name, kind: run.kind), default: []] += pieces
  }

  /// - Parameter text: what a code of services and names stands for.
  consuming func finish(text: (UInt32) throws -> [UInt8]) rethrows -> CallCells {
    var made: [CallCells.Run] = []
    var cells: [CallCells.Cell] = []
    // Cell by cell, ascending in each.
    var ordered: [UInt64] = []
    ordered.reserveCapacity(durations.count)
    var byteCount = 0
    for (key, pieces) in runs.sorted(by: { $0.key < $1.key }) {
      let (firstCell, firstCall) = (cells.count, ordered.count)
      // Stripes follow each other in time mostly.
      for piece in pieces.sorted(by: { $0.minute < $1.minute }) {
        if cells.count == firstCell || cells[cells.count - 1].minute != piece.minute {
          cells.append(
            CallCells.Cell(
              minute: piece.minute, errorCount: 0, firstCall: UInt32(truncatingIfNeeded: ordered.count)))
        }
        cells[cells.count - 1].errorCount &+= piece.errorCount
        ordered += durations[piece.durations]
      }
      for cell in firstCell..<cells.count {
        let end = cell + 1 < cells.count ? Int(cells[cell + 1].firstCall) : ordered.count
        ordered[Int(cells[cell].firstCall)..<end].sort()
      }
      let layout = ordered.withUnsafeBufferPointer {
        PackedDurations.Layout(for: UnsafeBufferPointer(rebasing: $0[firstCall...]))
      }
      made.append(
        CallCells.Run(
          service: key.service, name: key.name, kind: key.kind,
          key: CallKey(of: [try text(key.service), try text(key.name)]), firstCell: firstCell, layout: layout,
          firstByte: byteCount))
      byteCount += ((ordered.count - firstCall) * Int(layout.bitCount) + 7) / 8
    }
    cells.append(CallCells.Cell(minute: 0, errorCount: 0, firstCall: UInt32(truncatingIfNeeded: ordered.count)))
    return CallCells(runs: made, cells: cells, durations: ordered, byteCount: byteCount)
  }
}
