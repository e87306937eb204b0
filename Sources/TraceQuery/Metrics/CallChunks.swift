import TraceAggregate
import TraceColumns
import TraceModel
import TraceSource

/// What a scan looks for in every stripe.
struct CallScan: Sendable {
  var selection: CallSelection
  /// The steps that calls are gathered in begin at multiples of it, in nanoseconds.
  var bucketNanoseconds: UInt64
  /// Whether the operation tells series apart.
  var isByOperation: Bool
  /// The attributes that tell series apart.
  var attributes: [(key: [UInt8], levels: [ColumnLevel])]
  var needsExamples: Bool
  /// Whether examples have to be errors.
  var isAboutErrors: Bool

  /// Whether what cells know of calls is enough.
  var fitsCells: Bool {
    attributes.isEmpty && !needsExamples && bucketNanoseconds % CallCells.nanoseconds == 0
  }
}

/// Calls of one series that start in one bucket, next to each other in a stripe.
struct CallChunk {
  /// `start / bucketNanoseconds`.
  var bucket: UInt64
  var callCount: UInt32
  var errorCount: UInt32
  /// Where its durations begin, if any were asked for.
  var firstDuration: UInt32
  var firstExample: UInt32 = 0
  var exampleCount: UInt32 = 0
}

/// Calls of one series that stand side by side in a stripe.
struct CallPiece {
  /// The place of the series among the stripe's.
  var series: UInt32
  /// Of its chunks, or of the cells that they are made of.
  var chunks: Range<Int>
  var callCount: Int
  /// Where its durations begin, if any were asked for.
  var firstDuration: Int
}

/// What tells a series from others of one stripe: codes of its texts.
struct SeriesCode: Hashable {
  var service: UInt32
  var name: UInt32
  /// The place of its attribute texts among the stripe's.
  var attributes: UInt32
}

/// Durations in memory that does not move, so that chunks can point into it; 8 bytes each.
final class DurationList: @unchecked Sendable {
  private let memory: UnsafeMutableBufferPointer<UInt64>
  private(set) var count = 0

  init(capacity: Int) { memory = .allocate(capacity: capacity) }

  deinit { memory.deallocate() }

  var values: UnsafeBufferPointer<UInt64> { UnsafeBufferPointer(rebasing: memory[..<count]) }

  /// - Precondition: there is room for them.
  func append(_ durations: UnsafeBufferPointer<UInt64>) {
    precondition(count + durations.count <= memory.count, "more durations than there is room for")
    _ = UnsafeMutableBufferPointer(rebasing: memory[count...]).initialize(from: durations)
    count += durations.count
  }

  /// Has `body` write so many more into memory that was not written yet.
  func append(count added: Int, _ body: (UnsafeMutableBufferPointer<UInt64>) throws -> Void) rethrows {
    precondition(count + added <= memory.count, "more durations than there is room for")
    let room = UnsafeMutableBufferPointer(rebasing: memory[count..<(count + added)])
    try body(room)
    count += added
  }
}

/// All calls of a stripe that a scan asked for. Memory: 8 bytes a call, and where there are no cells 32 a chunk.
struct CallChunks {
  private(set) var series: [SeriesCode] = []
  private(set) var pieces: [CallPiece] = []
  /// Made by scanning.
  private var chunks: [CallChunk] = []
  /// What chunks are made of where nothing was scanned, and how many minutes go into one.
  private var cells: (all: CallCells, width: UInt64)?
  private(set) var durations = DurationList(capacity: 0)
  /// The rows among which the slowest of each chunk are, with their durations.
  private(set) var examples: [(duration: UInt64, row: Int)] = []
  /// The texts of attribute groups; the only one is empty when there are none.
  private(set) var attributeTexts: [[[UInt8]]] = [[]]
  private var places: [SeriesCode: UInt32] = [:]
  /// By row.
  private var attributeCodes: [UInt32] = []

  /// Scans rows.
  ///
  /// - Parameter mask: the rows that count; nil for all.
  init(_ stripe: any SpanStripe, in rows: Range<Int>, _ mask: RowMask?, _ scan: CallScan) throws {
    durations = DurationList(capacity: scan.selection.needsDurations ? rows.count : 0)
    if !scan.attributes.isEmpty { try readAttributes(stripe, rows, mask, scan) }
    let attributeCodes = attributeCodes
    try stripe.forEachCallRun(scan.selection, in: rows, mask) { run in
      if attributeCodes.isEmpty { return add(run, attributes: 0, scan) }
      // Not a method of the value that grows: it would hold a copy, and every run would copy all that is there.
      Self.forEachGroup(of: run, attributeCodes) { part, attributes in add(part, attributes: attributes, scan) }
    }
  }

  private mutating func add(_ run: CallRun, attributes: UInt32, _ scan: CallScan) {
    let width = scan.bucketNanoseconds
    let starts = run.starts
    let firstChunk = chunks.count
    var first = 0
    while first < starts.count {
      let bucket = starts[first] / width
      let begin = bucket &* width
      var end = first &+ 1
      // A start before the bucket wraps around to a distance that no bucket is wide.
      while end < starts.count, starts[end] &- begin < width { end &+= 1 }
      var errorCount: UInt32 = 0
      if !run.errors.isEmpty { for place in first..<end { errorCount &+= UInt32(run.errors[place]) } }
      let firstExample = examples.count
      if scan.needsExamples { addExamples(of: run, first..<end, scan) }
      chunks.append(
        CallChunk(
          bucket: bucket, callCount: UInt32(truncatingIfNeeded: end &- first), errorCount: errorCount,
          firstDuration: UInt32(truncatingIfNeeded: durations.count &+ first),
          firstExample: UInt32(truncatingIfNeeded: firstExample),
          exampleCount: UInt32(truncatingIfNeeded: examples.count &- firstExample)))
      first = end
    }
    pieces.append(
      CallPiece(
        series: place(
          of: SeriesCode(service: run.service, name: scan.isByOperation ? run.name : 0, attributes: attributes)),
        chunks: firstChunk..<chunks.count, callCount: starts.count, firstDuration: durations.count))
    durations.append(run.durations)
  }

  /// Takes cells, where a scan asks for no more than they know; durations are read besides.
  ///
  /// - Precondition: the scan is for cells (`CallScan.fitsCells`), and its window cuts none of the stripe's.
  init(_ measured: any MeasuredCells, of stripe: any SpanStripe, _ scan: CallScan) throws {
    let cells = measured.cells
    self.cells = (cells, scan.bucketNanoseconds / CallCells.nanoseconds)
    let window = scan.selection.starts
    let minutes = window.lowerBound / CallCells.nanoseconds...window.upperBound / CallCells.nanoseconds
    var rows: [Range<Int>] = []
    var durationCount = 0
    var service: (code: UInt32, isWanted: Bool)?
    for (index, run) in cells.runs.enumerated() where scan.selection.kinds?.contains(run.kind) ?? true {
      if service?.code != run.service {
        service = (run.service, try scan.selection.services?.contains(stripe.text(run.service)) ?? true)
      }
      guard service?.isWanted == true else { continue }
      let all = cells.cells(of: index)
      let low = all.partition { cells.minute($0) >= minutes.lowerBound }
      let high = (low..<all.upperBound).partition { cells.minute($0) > minutes.upperBound }
      if low == high { continue }
      let own = cells.rows(of: low..<high)
      // Runs of one series follow each other, or it may come twice.
      let code = SeriesCode(service: run.service, name: scan.isByOperation ? run.name : 0, attributes: 0)
      if series.last != code { series.append(code) }
      pieces.append(
        CallPiece(
          series: UInt32(series.count - 1), chunks: low..<high, callCount: own.count, firstDuration: durationCount))
      guard scan.selection.needsDurations else { continue }
      durationCount += own.count
      if let last = rows.last, last.upperBound == own.lowerBound {
        rows[rows.count - 1] = last.lowerBound..<own.upperBound
      } else {
        rows.append(own)
      }
    }
    guard durationCount > 0 else { return }
    durations = DurationList(capacity: durationCount)
    try durations.append(count: durationCount) { try measured.readDurations(of: rows, into: $0) }
  }

  /// The chunks of a piece, ascending by bucket where the stripe's starts ascend.
  func forEachChunk(of piece: CallPiece, _ body: (CallChunk) -> Void) {
    guard let (cells, width) = cells else { return chunks[piece.chunks].forEach(body) }
    var firstDuration = UInt32(truncatingIfNeeded: piece.firstDuration)
    var cell = piece.chunks.lowerBound
    while cell < piece.chunks.upperBound {
      let bucket = width == 1 ? cells.minute(cell) : cells.minute(cell) / width
      var chunk = CallChunk(bucket: bucket, callCount: 0, errorCount: 0, firstDuration: firstDuration)
      repeat {
        chunk.callCount &+= cells.callCount(cell)
        chunk.errorCount &+= cells.errorCount(cell)
        cell &+= 1
      } while width > 1 && cell < piece.chunks.upperBound && cells.minute(cell) / width == bucket
      firstDuration &+= chunk.callCount
      body(chunk)
    }
  }

  private mutating func place(of code: SeriesCode) -> UInt32 {
    // Runs of one series mostly follow each other.
    if let last = series.last, last == code { return UInt32(series.count - 1) }
    if let known = places[code] { return known }
    let place = UInt32(series.count)
    series.append(code)
    places[code] = place
    return place
  }

  /// Keeps the slowest rows of a chunk, with all that last as long as the last of them: ids will decide.
  private mutating func addExamples(of run: CallRun, _ places: Range<Int>, _ scan: CallScan) {
    var best: [UInt64] = []
    func isCandidate(_ place: Int) -> Bool { !scan.isAboutErrors || !run.errors.isEmpty && run.errors[place] != 0 }
    for place in places where isCandidate(place) {
      let duration = run.durations[place]
      if best.count == SlowestSpans.maximumCount, duration <= best[best.count - 1] { continue }
      let index = best.firstIndex { $0 < duration } ?? best.count
      best.insert(duration, at: index)
      if best.count > SlowestSpans.maximumCount { best.removeLast() }
    }
    guard let least = best.last else { return }
    for place in places where isCandidate(place) && run.durations[place] >= least {
      examples.append((run.durations[place], run.rows[place]))
    }
  }

  // MARK: Attribute groups

  private mutating func readAttributes(
    _ stripe: any SpanStripe, _ rows: Range<Int>, _ mask: RowMask?, _ scan: CallScan
  ) throws {
    var wanted = mask ?? RowMask(count: stripe.rowCount, filled: true)
    if rows.count < stripe.rowCount {
      wanted.clear(0..<rows.lowerBound)
      wanted.clear(rows.upperBound..<stripe.rowCount)
    }
    let columns = try scan.attributes.map { try stripe.texts(of: $0.key, $0.levels, in: wanted) }
    attributeCodes = [UInt32](repeating: 0, count: stripe.rowCount)
    // By one column after the other: a group and a code make a new group.
    for column in columns {
      let texts = attributeTexts
      var groups: [[[UInt8]]] = []
      var places: [UInt64: UInt32] = [:]
      var last: (key: UInt64, place: UInt32)?
      wanted.forEachSet { row in
        let key = UInt64(attributeCodes[row]) << 32 | UInt64(column.codes[row])
        // Neighbouring rows are of one operation, which mostly has one text.
        if last?.key != key {
          let place = places[key] ?? UInt32(groups.count)
          if Int(place) == groups.count {
            places[key] = place
            groups.append(texts[Int(attributeCodes[row])] + [column.texts[Int(column.codes[row])]])
          }
          last = (key, place)
        }
        if let last { attributeCodes[row] = last.place }
      }
      attributeTexts = groups
    }
  }

  /// - Parameter attributeCodes: by row.
  private static func forEachGroup(
    of run: CallRun, _ attributeCodes: [UInt32], _ body: (CallRun, UInt32) -> Void
  ) {
    let codes = run.starts.indices.map { attributeCodes[run.rows[$0]] }
    guard let first = codes.first else { return }
    if codes.allSatisfy({ $0 == first }) { return body(run, first) }
    // Stable, so that the starts of a group still ascend.
    let order = codes.indices.map { UInt64(codes[$0]) << 32 | UInt64($0) }.sorted().map { Int($0 & 0xffff_ffff) }
    let rows = order.map { UInt32(truncatingIfNeeded: run.rows[$0]) }
    let starts = order.map { run.starts[$0] }
    let durations = run.durations.isEmpty ? [] : order.map { run.durations[$0] }
    let errors = run.errors.isEmpty ? [] : order.map { run.errors[$0] }
    rows.withUnsafeBufferPointer { rows in
      starts.withUnsafeBufferPointer { starts in
        durations.withUnsafeBufferPointer { durations in
          errors.withUnsafeBufferPointer { errors in
            var from = 0
            while from < order.count {
              let code = codes[order[from]]
              let to = order[from...].firstIndex { codes[$0] != code } ?? order.count
              var part = run
              part.rows = .list(UnsafeBufferPointer(rebasing: rows[from..<to]))
              part.starts = UnsafeBufferPointer(rebasing: starts[from..<to])
              part.durations = UnsafeBufferPointer(rebasing: durations[durations.isEmpty ? 0..<0 : from..<to])
              part.errors = UnsafeBufferPointer(rebasing: errors[errors.isEmpty ? 0..<0 : from..<to])
              body(part, code)
              from = to
            }
          }
        }
      }
    }
  }
}
