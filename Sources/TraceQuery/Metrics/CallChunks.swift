import TraceAggregate
import TraceColumns
import TraceModel
import TraceSource

/// Durations in memory that does not move, so that chunks can point into it; 8 bytes each.
private final class DurationList: @unchecked Sendable {
  private let memory: UnsafeMutableBufferPointer<UInt64>
  private var count = 0

  init(capacity: Int) { memory = .allocate(capacity: capacity) }

  deinit { memory.deallocate() }

  /// Where the durations stand now; nil when there are none.
  ///
  /// - Precondition: there is room for them.
  func append(_ durations: UnsafeBufferPointer<UInt64>) -> UnsafePointer<UInt64>? {
    if durations.isEmpty { return nil }
    precondition(count + durations.count <= memory.count, "more durations than there is room for")
    let room = UnsafeMutableBufferPointer(rebasing: memory[count..<(count + durations.count)])
    _ = room.initialize(from: durations)
    count += durations.count
    return UnsafePointer(room.baseAddress)
  }
}

/// Those calls of a stripe that a scan asks for, found by scanning its rows. Memory: 8 bytes a call and 64 a chunk.
final class ScannedCalls: CallPart {
  let source: Int
  private let stripe: any SpanStripe
  private let chunks: CallChunks
  private let examples: [SlowestSpans.Entry?]

  /// - Parameter mask: the rows that count; nil for all.
  init(_ stripe: any SpanStripe, in rows: Range<Int>, _ mask: RowMask?, source: Int, _ scan: CallScan) throws {
    self.source = source
    self.stripe = stripe
    chunks = try CallChunks(stripe, in: rows, mask, scan)
    examples = scan.needsExamples ? try Self.entries(of: chunks.examples.map(\.row), in: stripe) : []
  }

  private static func entries(of rows: [Int], in stripe: any SpanStripe) throws -> [SlowestSpans.Entry?] {
    var mask = RowMask(count: stripe.rowCount)
    for row in rows { mask.set(row) }
    let distinct = mask.rows
    let spans = Dictionary(uniqueKeysWithValues: zip(distinct, try stripe.spanIDs(distinct)))
    var entries: [Int: SlowestSpans.Entry] = [:]
    try stripe.forEachMatch(mask) { match in
      entries[match.row] = SlowestSpans.Entry(
        duration: match.duration, trace: match.trace, span: spans[match.row] ?? 0)
    }
    return rows.map { entries[$0] }
  }

  var series: [SeriesCode] { chunks.series }
  var pieces: [CallPiece] { chunks.pieces }
  func text(_ code: UInt32) throws -> [UInt8] { try stripe.text(code) }
  func attributeTexts(of code: SeriesCode) -> [[UInt8]] { chunks.attributeTexts[Int(code.attributes)] }

  func appendChunks(of located: LocatedPiece, to chunks: inout [CallChunk]) {
    guard case .chunks(let places) = located.piece.calls else { return }
    let first = chunks.count
    chunks += self.chunks.chunks[places]
    if examples.isEmpty { return }
    for place in first..<chunks.count { chunks[place].part = located.part }
  }

  func slowest(of chunk: CallChunk) -> [SlowestSpans.Entry] {
    examples[Int(chunk.firstExample)..<Int(chunk.firstExample + chunk.exampleCount)].compactMap(\.self)
  }
}

/// What a scan finds, run by run.
private struct CallChunks {
  private(set) var series: [SeriesCode] = []
  private(set) var pieces: [CallPiece] = []
  private(set) var chunks: [CallChunk] = []
  private let durations: DurationList
  /// The rows among which the slowest of each chunk are, with their durations.
  private(set) var examples: [(duration: UInt64, row: Int)] = []
  /// The texts of attribute groups; the only one is empty when there are none.
  private(set) var attributeTexts: [[[UInt8]]] = [[]]
  private var places: [SeriesCode: UInt32] = [:]
  /// By row.
  private var attributeCodes: [UInt32] = []

  init(_ stripe: any SpanStripe, in rows: Range<Int>, _ mask: RowMask?, _ scan: CallScan) throws {
    durations = DurationList(capacity: scan.selection.needsDurations ? rows.count : 0)
    if !scan.attributes.isEmpty { try readAttributes(stripe, rows, mask, scan) }
    let groups = attributeCodes.isEmpty ? nil : GroupedRows(attributeCodes)
    try stripe.forEachCallRun(scan.selection, in: rows, mask) { run in
      guard let groups else { return add(run, attributes: 0, scan) }
      groups.forEachGroup(of: run) { part, attributes in add(part, attributes: attributes, scan) }
    }
  }

  private mutating func add(_ run: CallRun, attributes: UInt32, _ scan: CallScan) {
    let firstChunk = chunks.count
    let own = durations.append(run.durations)
    run.forEachBucket(of: scan.bucketNanoseconds) { bucket, places, errorCount in
      let firstExample = examples.count
      if scan.needsExamples { addExamples(of: run, places, scan) }
      let callCount = UInt32(truncatingIfNeeded: places.count)
      chunks.append(
        CallChunk(
          bucket: bucket, callCount: callCount, errorCount: errorCount,
          durations: own.map { .each(PackedDurations($0 + places.lowerBound, count: callCount)) },
          firstExample: UInt32(truncatingIfNeeded: firstExample),
          exampleCount: UInt32(truncatingIfNeeded: examples.count &- firstExample)))
    }
    pieces.append(
      CallPiece(
        series: place(
          of: SeriesCode(service: run.service, name: scan.isByOperation ? run.name : 0, attributes: attributes)),
        callCount: run.starts.count, calls: .chunks(firstChunk..<chunks.count)))
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
}

/// Tells the rows of runs apart by the group of their attributes. Holds memory for the rows of one run; for one thread.
private final class GroupedRows {
  /// By row.
  private let codes: [UInt32]
  /// Code and place in the run.
  private var order: [UInt64] = []
  private var rows: [UInt32] = []
  private var starts: [UInt64] = []
  private var durations: [UInt64] = []
  private var errors: [UInt8] = []

  init(_ codes: [UInt32]) { self.codes = codes }

  func forEachGroup(of run: CallRun, _ body: (CallRun, UInt32) -> Void) {
    let places = run.starts.indices
    guard let first = places.first.map({ codes[run.rows[$0]] }) else { return }
    if places.allSatisfy({ codes[run.rows[$0]] == first }) { return body(run, first) }
    order.removeAll(keepingCapacity: true)
    for place in places { order.append(UInt64(codes[run.rows[place]]) << 32 | UInt64(place)) }
    // By place in a group, so that its starts still ascend.
    order.sort()
    gather(run)
    rows.withUnsafeBufferPointer { rows in
      starts.withUnsafeBufferPointer { starts in
        durations.withUnsafeBufferPointer { durations in
          errors.withUnsafeBufferPointer { errors in
            var from = 0
            while from < order.count {
              let code = order[from] >> 32
              var to = from + 1
              while to < order.count, order[to] >> 32 == code { to += 1 }
              var part = run
              part.rows = .list(UnsafeBufferPointer(rebasing: rows[from..<to]))
              part.starts = UnsafeBufferPointer(rebasing: starts[from..<to])
              part.durations = UnsafeBufferPointer(rebasing: durations[durations.isEmpty ? 0..<0 : from..<to])
              part.errors = UnsafeBufferPointer(rebasing: errors[errors.isEmpty ? 0..<0 : from..<to])
              body(part, UInt32(truncatingIfNeeded: code))
              from = to
            }
          }
        }
      }
    }
  }

  private func gather(_ run: CallRun) {
    func gather<Value>(_ values: inout [Value], _ value: (Int) -> Value) {
      for own in order { values.append(value(Int(truncatingIfNeeded: own & 0xffff_ffff))) }
    }
    rows.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
    durations.removeAll(keepingCapacity: true)
    errors.removeAll(keepingCapacity: true)
    gather(&rows) { UInt32(truncatingIfNeeded: run.rows[$0]) }
    gather(&starts) { run.starts[$0] }
    if !run.durations.isEmpty { gather(&durations) { run.durations[$0] } }
    if !run.errors.isEmpty { gather(&errors) { run.errors[$0] } }
  }
}
