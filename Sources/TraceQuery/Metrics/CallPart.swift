import TraceAggregate
import TraceBytes
import TraceColumns
import TraceModel
import TraceSegment
import TraceSource

/// What a scan looks for in every stripe.
struct CallScan: Sendable {
  var selection: CallSelection
  /// The steps that calls are gathered in begin at multiples of it, in nanoseconds.
  var bucketNanoseconds: UInt64
  /// How many labels tell series of a service apart.
  var groupCount: Int
  /// Whether the operation does.
  var isByOperation: Bool
  /// The attributes that do.
  var attributes: [(key: [UInt8], levels: [ColumnLevel])]
  var needsExamples: Bool
  /// Whether examples have to be errors.
  var isAboutErrors: Bool

  /// Whether what cells know of calls is enough.
  var fitsCells: Bool {
    attributes.isEmpty && groupCount <= 1 && !needsExamples && bucketNanoseconds % CallCells.nanoseconds == 0
  }
}

/// The calls of a reading, series by series.
protocol CallPart: AnyObject, Sendable {
  /// The place of their source in the snapshot.
  var source: Int { get }
  var series: [SeriesCode] { get }
  /// Together all calls; a series may have several.
  var pieces: [CallPiece] { get }

  /// The text that a code of a series stands for.
  func text(_ code: UInt32) throws -> [UInt8]

  /// The texts of the attributes of a series; none when it is not told apart by any.
  func attributeTexts(of code: SeriesCode) -> [[UInt8]]

  /// Appends the chunks of a piece, ascending by bucket where the starts of the source ascend. What they point to stays
  /// as long as the part.
  func appendChunks(of located: LocatedPiece, to chunks: inout [CallChunk])

  /// The slowest calls of a chunk, as examples of it.
  func slowest(of chunk: CallChunk) -> [SlowestSpans.Entry]
}

/// What tells a series from others of one part: codes of its texts.
struct SeriesCode: Hashable {
  var service: UInt32
  var name: UInt32
  /// The place of its attribute texts among the part's.
  var attributes: UInt32
  /// Of the texts of its labels, where it is known (`CallCells.key(of:)`).
  var key: Hash128?
}

/// Calls of one series that stand side by side in a part.
struct CallPiece {
  /// The place of the series among the part's.
  var series: UInt32
  /// The run of its cells, where it has any.
  var run = 0
  /// Of its cells or chunks.
  var places: Range<Int>
  var callCount: Int
}

/// A piece of one of several parts.
struct LocatedPiece {
  var part: UInt32
  var piece: CallPiece
}

/// Calls of one series that start in one bucket.
struct CallChunk {
  /// `start / bucketNanoseconds`.
  var bucket: UInt64
  var callCount: UInt32
  var errorCount: UInt32
  /// Nil unless asked for.
  var durations: PackedDurations?
  /// Among the examples of a part.
  var firstExample: UInt32 = 0
  var exampleCount: UInt32 = 0
  /// Where there are any.
  var part: UInt32 = 0
}

/// Those of the calls kept of a group that a scan asks for.
final class KeptCalls: CallPart {
  let source: Int
  let series: [SeriesCode]
  let pieces: [CallPiece]
  private let group: CallGroup
  private let cells: CallCells
  /// The minutes of a bucket.
  private let width: UInt64
  private let needsDurations: Bool

  /// - Precondition: the scan is for cells (`CallScan.fitsCells`).
  init(_ group: CallGroup, _ minutes: Range<UInt64>, source: Int, _ scan: CallScan) throws {
    self.source = source
    self.group = group
    cells = try group.cells()
    width = scan.bucketNanoseconds / CallCells.nanoseconds
    needsDurations = scan.selection.needsDurations
    var series: [SeriesCode] = []
    var pieces: [CallPiece] = []
    let all = cells.cells
    let isWhole =
      minutes.lowerBound <= group.bounds.minimumStart / CallCells.nanoseconds
      && group.bounds.maximumStart / CallCells.nanoseconds < minutes.upperBound
    var service: (code: UInt32, isWanted: Bool, key: Hash128)?
    for (index, run) in cells.runs.enumerated() where scan.selection.kinds?.contains(run.kind) ?? true {
      if service?.code != run.service {
        let text = try group.text(run.service)
        service = (run.service, scan.selection.services?.contains(text) ?? true, CallCells.key(of: [text]))
      }
      guard let service, service.isWanted else { continue }
      var places = cells.cells(of: index)
      if !isWhole {
        let low = places.partition { UInt64(all[$0].minute) >= minutes.lowerBound }
        places = low..<(low..<places.upperBound).partition { UInt64(all[$0].minute) >= minutes.upperBound }
        if places.isEmpty { continue }
      }
      // Runs of one series follow each other, or it may come twice.
      let code = SeriesCode(
        service: run.service, name: scan.isByOperation ? run.name : 0, attributes: 0,
        key: scan.isByOperation ? run.key : service.key)
      if series.last != code { series.append(code) }
      pieces.append(
        CallPiece(
          series: UInt32(series.count - 1), run: index, places: places,
          callCount: Int(all[places.upperBound].firstCall - all[places.lowerBound].firstCall)))
    }
    self.series = series
    self.pieces = pieces
  }

  func text(_ code: UInt32) throws -> [UInt8] { try group.text(code) }
  func attributeTexts(of code: SeriesCode) -> [[UInt8]] { [] }
  func slowest(of chunk: CallChunk) -> [SlowestSpans.Entry] { [] }

  func appendChunks(of located: LocatedPiece, to chunks: inout [CallChunk]) {
    let piece = located.piece
    let all = cells.cells
    let durations = needsDurations ? cells.durations(of: piece.run) : nil
    let firstCall = all[cells.cells(of: piece.run).lowerBound].firstCall
    for index in piece.places {
      let cell = all[index]
      let callCount = all[index &+ 1].firstCall &- cell.firstCall
      let minute = UInt64(cell.minute)
      chunks.append(
        CallChunk(
          bucket: width == 1 ? minute : minute / width, callCount: callCount, errorCount: cell.errorCount,
          durations: durations?.part(from: Int(cell.firstCall &- firstCall), count: callCount)))
    }
  }
}
