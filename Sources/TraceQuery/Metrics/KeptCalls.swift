import TraceAggregate
import TraceColumns
import TraceModel
import TraceSegment
import TraceSource

/// Those of the calls kept in a block of cells that a scan asks for.
final class KeptCalls: CallPart {
  /// Of several, whichever.
  let source = 0
  let series: [SeriesCode]
  let pieces: [CallPiece]
  private let cells: CallCells
  /// The calls point to them.
  private let quantiles: CellQuantiles?
  /// The minutes of a bucket.
  private let width: UInt64
  private let needsDurations: Bool

  /// - Parameter quantiles: what is known of so many cells.
  /// - Precondition: the scan is for cells (`CallScan.fitsCells`).
  init(
    _ cells: CallCells, _ minutes: Range<UInt64>, _ scan: CallScan, quantiles: (_ cellCount: Int) -> CellQuantiles?
  ) {
    self.cells = cells
    width = scan.bucketNanoseconds / CallCells.nanoseconds
    needsDurations = scan.selection.needsDurations
    let isWhole =
      minutes.lowerBound <= cells.starts.lowerBound / CallCells.nanoseconds
      && cells.starts.upperBound / CallCells.nanoseconds < minutes.upperBound
    let kinds = cells.shape == .operations ? scan.selection.kinds : nil
    var series: [SeriesCode] = []
    var pieces: [CallPiece] = []
    series.reserveCapacity(cells.runs.count)
    pieces.reserveCapacity(cells.runs.count)
    var service: (code: UInt32, isWanted: Bool, key: CallKey)?
    for (index, run) in cells.runs.enumerated() where kinds?.contains(run.kind) ?? true {
      if service?.code != run.service {
        let text = cells.text(run.service)
        service = (run.service, scan.selection.services?.contains(text) ?? true, CallKey(of: [text]))
      }
      guard let service, service.isWanted else { continue }
      var calls = cells.calls(of: index)
      if !isWhole { calls = calls.part(of: minutes) }
      if calls.count == 0 { continue }
      // Runs of one series follow each other, or it may come twice.
      let code = SeriesCode(
        service: run.service, name: scan.isByOperation ? run.firstLabel : 0, attributes: 0,
        key: scan.isByOperation ? run.key : service.key)
      if series.last != code { series.append(code) }
      pieces.append(CallPiece(series: UInt32(series.count - 1), callCount: calls.callCount, calls: .cells(calls)))
    }
    let known = quantiles(pieces.reduce(0) { $0 + $1.cellCount })
    if let known {
      for place in pieces.indices {
        guard case .cells(let calls) = pieces[place].calls else { continue }
        pieces[place].calls = .cells(cells.calls(calls, knowing: known))
      }
    }
    self.quantiles = known
    self.series = series
    self.pieces = pieces
  }

  func text(_ code: UInt32) throws -> [UInt8] { cells.text(code) }
  func attributeTexts(of code: SeriesCode) -> [[UInt8]] { [] }
  func slowest(of chunk: CallChunk) -> [SlowestSpans.Entry] { [] }

  func appendChunks(of located: LocatedPiece, to chunks: inout [CallChunk]) {
    guard case .cells(let calls) = located.piece.calls else { return }
    for place in 0..<calls.count {
      let minute = UInt64(calls.cells[place].minute)
      chunks.append(
        CallChunk(
          bucket: width == 1 ? minute : minute / width, callCount: calls.callCount(at: place),
          errorCount: calls.cells[place].errorCount, durations: needsDurations ? calls.durations(at: place) : nil))
    }
  }
}

extension CallCells.Calls {
  /// Those that start in some minutes.
  fileprivate func part(of minutes: Range<UInt64>) -> CallCells.Calls {
    let all = 0..<count
    let low = all.partition { UInt64(cells[$0].minute) >= minutes.lowerBound }
    return part(low..<(low..<count).partition { UInt64(cells[$0].minute) >= minutes.upperBound })
  }
}
