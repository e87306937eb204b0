import TraceAggregate
import TraceModel
import TraceSource

/// Brings calls together in cells. For one thread.
struct CallCellsBuilder {
  private struct RunKey: Hashable {
    var service: UInt32
    var name: UInt32
    var kind: Int32
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

  /// Names of a group that are kept, in bytes: of longer ones, as of statements that are used as names, its calls are
  /// scanned.
  private static let maximumTextByteCount = 8 << 20

  /// - Parameter text: what a code of services and names stands for.
  /// - Throws: `limitExceeded` when the texts take too much memory.
  consuming func finish(text: (UInt32) throws -> [UInt8]) throws -> CallCellsWriter.Content {
    var texts: [UInt32: [UInt8]] = [:]
    var byteCount = 0
    for key in runs.keys {
      for code in [key.service, key.name] where texts[code] == nil {
        let text = try text(code)
        byteCount += text.count
        guard byteCount <= Self.maximumTextByteCount else {
          throw TracestoreError(
            .limitExceeded, "names of services and operations take more than \(Self.maximumTextByteCount) bytes")
        }
        texts[code] = text
      }
    }
    // Several codes may stand for equal texts.
    var labelled: [(labels: [[UInt8]], kind: Int32, pieces: [Piece])] = []
    for (key, pieces) in runs {
      labelled.append(([texts[key.service] ?? [], texts[key.name] ?? []], key.kind, pieces))
    }
    labelled.sort { $0.labels == $1.labels ? $0.kind < $1.kind : $0.labels.precedes($1.labels) }
    var writer = CallCellsWriter(.operations)
    // Of one run, cell by cell, ascending in each.
    var ordered: [UInt64] = []
    var cells: [(minute: UInt32, errorCount: UInt32, first: Int)] = []
    var first = 0
    while first < labelled.count {
      let (labels, kind, _) = labelled[first]
      var pieces: [Piece] = []
      while first < labelled.count, labelled[first].labels == labels, labelled[first].kind == kind {
        pieces += labelled[first].pieces
        first += 1
      }
      ordered.removeAll(keepingCapacity: true)
      cells.removeAll(keepingCapacity: true)
      // Stripes follow each other in time mostly.
      for piece in pieces.sorted(by: { $0.minute < $1.minute }) {
        if cells.last?.minute != piece.minute { cells.append((piece.minute, 0, ordered.count)) }
        cells[cells.count - 1].errorCount &+= piece.errorCount
        ordered += durations[piece.durations]
      }
      let layout = ordered.withUnsafeBufferPointer { PackedDurations.Layout(for: $0) }
      writer.beginRun(labels, kind: kind, layout)
      for (index, cell) in cells.enumerated() {
        let own = cell.first..<(index + 1 < cells.count ? cells[index + 1].first : ordered.count)
        // In place: a slice of the array would be sorted as a copy.
        ordered.withUnsafeMutableBufferPointer {
          var durations = UnsafeMutableBufferPointer(rebasing: $0[own])
          durations.sort()
          writer.addCell(cell.minute, errorCount: cell.errorCount, UnsafeBufferPointer(durations))
        }
      }
    }
    return writer.finish()
  }
}
