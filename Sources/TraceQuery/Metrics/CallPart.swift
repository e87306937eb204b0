import TraceAggregate
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
  /// Of the texts of its labels, where it is known.
  var key: CallKey?
}

/// Calls of one series that stand side by side in a part, which is kept as long.
struct CallPiece: @unchecked Sendable {
  enum Calls {
    /// Places of chunks.
    case chunks(Range<Int>)
    /// So many cells, and the durations of their calls.
    case cells(UnsafePointer<CallCells.Cell>, count: Int, PackedDurations)
  }

  /// The place of the series among the part's.
  var series: UInt32
  var callCount: Int
  var calls: Calls

  /// At least as many as there are chunks.
  var cellCount: Int {
    switch calls {
    case .chunks(let places): places.count
    case .cells(_, let count, _): count
    }
  }
}

/// A piece of one of several parts.
struct LocatedPiece: Sendable {
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
    let isWhole =
      minutes.lowerBound <= group.bounds.minimumStart / CallCells.nanoseconds
      && group.bounds.maximumStart / CallCells.nanoseconds < minutes.upperBound
    var service: (code: UInt32, isWanted: Bool, key: CallKey)?
    for (index, run) in cells.runs.enumerated() where scan.selection.kinds?.contains(run.kind) ?? true {
      if service?.code != run.service {
        let text = try group.text(run.service)
        service = (run.service, scan.selection.services?.contains(text) ?? true, CallKey(of: [text]))
      }
      guard let service, service.isWanted else { continue }
      let (own, durations) = cells.calls(of: index)
      var places = 0..<(own.count - 1)
      if !isWhole {
        let low = places.partition { UInt64(own[$0].minute) >= minutes.lowerBound }
        places = low..<(low..<places.upperBound).partition { UInt64(own[$0].minute) >= minutes.upperBound }
      }
      guard !places.isEmpty, let first = own.baseAddress else { continue }
      let firstCall = own[places.lowerBound].firstCall
      let callCount = own[places.upperBound].firstCall - firstCall
      // Runs of one series follow each other, or it may come twice.
      let code = SeriesCode(
        service: run.service, name: scan.isByOperation ? run.name : 0, attributes: 0,
        key: scan.isByOperation ? run.key : service.key)
      if series.last != code { series.append(code) }
      pieces.append(
        CallPiece(
          series: UInt32(series.count - 1), callCount: Int(callCount),
          calls: .cells(
            first + places.lowerBound, count: places.count,
            durations.part(from: Int(firstCall - own[0].firstCall), count: callCount))))
    }
    self.series = series
    self.pieces = pieces
  }

  func text(_ code: UInt32) throws -> [UInt8] { try group.text(code) }
  func attributeTexts(of code: SeriesCode) -> [[UInt8]] { [] }
  func slowest(of chunk: CallChunk) -> [SlowestSpans.Entry] { [] }

  func appendChunks(of located: LocatedPiece, to chunks: inout [CallChunk]) {
    guard case .cells(let cells, let count, let durations) = located.piece.calls else { return }
    for place in 0..<count {
      let cell = cells[place]
      let callCount = cells[place &+ 1].firstCall &- cell.firstCall
      let minute = UInt64(cell.minute)
      chunks.append(
        CallChunk(
          bucket: width == 1 ? minute : minute / width, callCount: callCount, errorCount: cell.errorCount,
          durations: needsDurations
            ? durations.part(from: Int(cell.firstCall &- cells[0].firstCall), count: callCount) : nil))
    }
  }
}
