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
  /// The quantile that latencies are asked for.
  var quantile: Double?
  /// Whether quantiles of many calls are exact as well.
  var isExact: Bool

  /// Whether what cells know of calls is enough.
  var fitsCells: Bool {
    attributes.isEmpty && groupCount <= 1 && !needsExamples && bucketNanoseconds % CallCells.nanoseconds == 0
  }

  /// The quantile, where it is asked of cells as they are: each is a point, and they tell apart the series that are asked
  /// for. Others are brought together.
  func cellQuantile(_ shape: CellShape) -> Double? {
    bucketNanoseconds == CallCells.nanoseconds && (shape.labelCount > 0) == isByOperation ? quantile : nil
  }

  /// The coarsest cells that say what is asked for.
  var shape: CellShape {
    isByOperation || selection.needsDurations && isExact ? .operations : .services(kinds: selection.kinds)
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
    case cells(CallCells.Calls)
  }

  /// The place of the series among the part's.
  var series: UInt32
  var callCount: Int
  var calls: Calls

  /// At least as many as there are chunks.
  var cellCount: Int {
    switch calls {
    case .chunks(let places): places.count
    case .cells(let calls): calls.count
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
  var durations: CallDurations?
  /// Among the examples of a part.
  var firstExample: UInt32 = 0
  var exampleCount: UInt32 = 0
  /// Where there are any.
  var part: UInt32 = 0
}
