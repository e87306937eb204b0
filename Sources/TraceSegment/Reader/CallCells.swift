import Synchronization
import TraceAggregate
package import TraceModel

/// The calls of some stripes by series and by the minute they start in: all that metrics of whole minutes ask of them.
///
/// The durations of a cell ascend, so that a quantile is found without looking at the others. Twelve bytes a cell, 56 a
/// run, and a call takes as many bits as the longest of its run.
package final class CallCells: CachedBlock, @unchecked Sendable {
  /// The width of a cell.
  package static let nanoseconds: UInt64 = 60_000_000_000

  /// A group of stripes whose calls are all here.
  package struct Part: Hashable, Sendable {
    /// Where its own cells would stand.
    var key: BlockCache.Key
    var starts: ClosedRange<UInt64>
    var rowCount: Int
  }

  /// Calls that share their labels and their kind.
  package struct Run {
    /// A code of its text.
    package var service: UInt32
    /// Of the first of its other labels; each has the code behind the one before.
    package var firstLabel: UInt32
    /// 0 where kinds are not told apart.
    package var kind: Int32
    /// Of the texts of its labels.
    package var key: CallKey
    /// Its cells reach to those of the next run.
    var firstCell: Int
    var layout: PackedDurations.Layout
    /// Where its durations begin.
    var firstByte: Int
  }

  typealias Cell = CallMinute

  package let shape: CellShape
  /// At least one. Together they are all that is counted, each once.
  let parts: [Part]
  /// By their labels, then by kind.
  package let runs: [Run]
  /// Why there are none: stripes that cannot be read are not read again for each question.
  package let damage: TracestoreError?
  private let texts: LabelTexts
  /// Ends with one that has no calls.
  private let cells: UnsafeMutableBufferPointer<Cell>
  private let durations: UnsafeMutableRawBufferPointer
  /// Where the calls of each cell stand, where not all have their durations one after the other: among the durations of
  /// its run, or, of many calls, among `buckets`.
  private let places: UnsafeMutableBufferPointer<UInt32>
  private let buckets: UnsafeMutableBufferPointer<UInt8>
  let quantiles = Mutex(KeptQuantiles())

  init(_ content: CallCellsWriter.Content, _ shape: CellShape, of parts: [Part], damage: TracestoreError? = nil) {
    self.shape = shape
    self.parts = parts
    self.damage = damage
    runs = content.runs
    texts = content.texts
    func copy<Element>(_ list: [Element]) -> UnsafeMutableBufferPointer<Element> {
      let memory = UnsafeMutableBufferPointer<Element>.allocate(capacity: list.count)
      _ = memory.initialize(from: list)
      return memory
    }
    cells = copy(content.cells)
    places = copy(content.places)
    buckets = copy(content.buckets)
    let byteCount = content.words.count * MemoryLayout<UInt64>.size
    durations = .allocate(
      byteCount: byteCount + PackedDurations.slackByteCount, alignment: MemoryLayout<UInt64>.alignment)
    durations.initializeMemory(as: UInt8.self, repeating: 0)
    content.words.withUnsafeBytes { durations.copyMemory(from: $0) }
  }

  deinit {
    cells.deallocate()
    durations.deallocate()
    places.deallocate()
    buckets.deallocate()
  }

  var cellCount: Int { cells.count - 1 }
  var durationByteCount: Int { durations.count }

  package func text(_ code: UInt32) -> [UInt8] { texts[code] }

  /// The labels of a run: its service, then what else tells series apart.
  package func labels(of run: Run) -> [[UInt8]] {
    [texts[run.service]] + (0..<UInt32(shape.labelCount)).map { texts[run.firstLabel + $0] }
  }

  /// When its calls start.
  package var starts: ClosedRange<UInt64> {
    let first = parts.lazy.map(\.starts.lowerBound).min() ?? 0
    return first...max(first, parts.lazy.map(\.starts.upperBound).max() ?? 0)
  }

  /// All calls of a run. Valid as long as this object.
  package func calls(of run: Int) -> Calls {
    let end = run + 1 < runs.count ? runs[run + 1].firstCell : cells.count - 1
    let own = runs[run].firstCell...end
    return Calls(
      cells: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(cells)[own]),
      durations: PackedDurations(
        UnsafeRawPointer(durations.baseAddress.unsafelyUnwrapped) + runs[run].firstByte, runs[run].layout,
        count: cells[own.upperBound].firstCall &- cells[own.lowerBound].firstCall),
      firstCall: cells[own.lowerBound].firstCall,
      places: places.isEmpty ? nil : places.baseAddress.map { UnsafePointer($0 + own.lowerBound) },
      buckets: buckets.baseAddress.map { UnsafePointer($0) })
  }

  /// Some of its calls, of whose cells a quantile is known, which is to stay as long.
  ///
  /// - Precondition: both are of these cells.
  package func calls(_ calls: Calls, knowing quantiles: CellQuantiles) -> Calls {
    guard let first = cells.baseAddress, let own = calls.cells.baseAddress, let values = quantiles.values.baseAddress
    else { return calls }
    return calls.knowing(quantiles.quantile, values + (own - UnsafePointer(first)))
  }

  package var residentByteCount: Int {
    byteCountBesideQuantiles + quantileByteCount
  }

  var quantileByteCount: Int { quantiles.withLock { $0.byteCount } }

  var byteCountBesideQuantiles: Int {
    256 + parts.count * MemoryLayout<Part>.stride + runs.count * MemoryLayout<Run>.stride + texts.byteCount
      + cells.count * MemoryLayout<Cell>.stride + durations.count + places.count * MemoryLayout<UInt32>.stride
      + buckets.count
  }

  /// They are made of columns of many stripes.
  package static let passCount = 256
}

/// What tells the series of cells apart, and what they hold of their calls.
package enum CellShape: Hashable, Sendable {
  /// Service, operation and kind. All durations are there.
  case operations
  /// Services alone, over calls of some kinds; nil: of all. Of cells of so many calls that they are estimated, only how
  /// many fall into each bucket of the scale.
  case services(kinds: Set<Int32>?)

  /// Labels besides the service.
  package var labelCount: Int {
    switch self {
    case .operations: 1
    case .services: 0
    }
  }

  /// Whether calls of many runs, or of many kinds, go together.
  var isFolded: Bool { self != .operations }

  /// Tells blocks of different shapes apart; where two agree, one takes the place of the other.
  var variant: UInt64 {
    if !isFolded { return 0 }
    var hasher = Hasher()
    hasher.combine(self)
    return UInt64(bitPattern: Int64(hasher.finalize())) | 1
  }
}

/// Texts by code, side by side.
struct LabelTexts: Sendable {
  private var bytes: [UInt8] = []
  private var ends: [UInt32] = []

  var count: UInt32 { UInt32(truncatingIfNeeded: ends.count) }
  var byteCount: Int { bytes.count + ends.count * MemoryLayout<UInt32>.stride }

  subscript(code: UInt32) -> [UInt8] {
    let place = Int(code)
    return Array(bytes[(place == 0 ? 0 : Int(ends[place - 1]))..<Int(ends[place])])
  }

  mutating func append(_ text: [UInt8]) {
    bytes += text
    ends.append(UInt32(truncatingIfNeeded: bytes.count))
  }
}
