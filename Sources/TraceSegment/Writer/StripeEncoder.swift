import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

/// What all stripes of a segment are encoded from. Immutable while they are.
struct StripeContext: @unchecked Sendable {
  let plan: SegmentPlan
  let keys: SegmentKeys
  let strings: SegmentStrings
  let resources: SegmentEnvelopes
  let scopes: SegmentEnvelopes
  let options: SegmentOptions
  let view: SpanTable.View

  init(
    plan: SegmentPlan, keys: SegmentKeys, strings: SegmentStrings, resources: SegmentEnvelopes,
    scopes: SegmentEnvelopes, options: SegmentOptions
  ) {
    self.plan = plan
    self.keys = keys
    self.strings = strings
    self.resources = resources
    self.scopes = scopes
    self.options = options
    view = plan.view
  }
}

/// Encodes stripes, one after another, with memory that it keeps. The result depends on the stripe alone.
final class StripeEncoder {
  /// A row before its columns are made.
  struct Place {
    var start: UInt64
    var row: UInt32
    var ordinal: UInt32
  }

  let context: StripeContext
  let scratch: ColumnScratch
  let compressor: ZstdCompressor
  @exclusivity(unchecked) var stamps: StampTable
  var doubles = DoubleChunkEncoder()
  /// The column that is being made.
  let column = WordBuffer()
  /// The columns of rows, side by side.
  private let rowColumns = WordBuffer()
  /// The values of all attribute columns, side by side.
  let attributes = WordBuffer()
  let sortedCodes = WordBuffer()
  private let placeMemory = ReusedBuffer<Place>()

  // The stripe that is being encoded. One thread has the encoder: see `SegmentPlan`.
  @exclusivity(unchecked) var result = EncodedStripe()
  @exclusivity(unchecked) var writer = ByteWriter()
  @exclusivity(unchecked) var rows: StripeColumns
  /// Where the rows come from.
  @exclusivity(unchecked) var places: UnsafeMutableBufferPointer<Place>
  @exclusivity(unchecked) var bases: [UInt64] = []
  @exclusivity(unchecked) var eventRows: [EventRow] = []
  @exclusivity(unchecked) var linkRows: [LinkRow] = []
  /// The start of the span of each event.
  @exclusivity(unchecked) var eventStarts: [UInt64] = []
  @exclusivity(unchecked) private var operationCounts: [UInt32]

  init(_ context: StripeContext) {
    self.context = context
    scratch = ColumnScratch(level: context.options.compressionLevel)
    compressor = ZstdCompressor(level: context.options.compressionLevel)
    stamps = StampTable(count: max(context.view.strings.count, context.keys.shapeCount, 1))
    operationCounts = [UInt32](repeating: 0, count: context.plan.operations.count + 1)
    rows = StripeColumns(0, in: rowColumns)
    places = UnsafeMutableBufferPointer(start: placeMemory.reserve(0), count: 0)
  }

  func encode(_ fragments: [SegmentPlan.Fragment]) -> EncodedStripe {
    result = EncodedStripe()
    writer = ByteWriter(reserving: fragments.reduce(0) { $0 + $1.rows.count } * 40)
    sortRows(fragments)
    encodeTraces(fragments)
    encodeFixedColumns()
    encodeParents(traceCount: fragments.count)
    encodeEnvelopes()
    encodeEvents()
    encodeLinks()
    encodeAttributes()
    result.head.rowCount = rows.count
    result.head.eventCount = eventRows.count
    result.head.linkCount = linkRows.count
    result.head.traceCount = fragments.count
    result.head.runCount = result.runServices.count
    result.summary.rowCount = rows.count
    result.summary.eventCount = eventRows.count
    result.summary.linkCount = linkRows.count
    result.summary.traceCount = fragments.count
    result.summary.runCount = result.runServices.count
    result.summary.texts.sort { $0.chunk < $1.chunk }
    result.summary.numbers.sort { $0.chunk < $1.chunk }
    result.bytes = writer.bytes
    writer = ByteWriter()
    return result
  }

  // MARK: Columns

  /// Encodes the column of `count` values, unless all are zero.
  @inline(__always)
  func encodeColumn(_ id: UInt32, count: Int, _ value: (Int) -> UInt64) {
    let words = column.reserve(count)
    var bits: UInt64 = 0
    var index = 0
    while index < count {
      let word = value(index)
      words[index] = word
      bits |= word
      index &+= 1
    }
    if bits != 0 { encodeWords(id, UnsafeBufferPointer(start: words, count: count)) }
  }

  /// Encodes the column, unless all are zero.
  func encodeColumn(_ id: UInt32, _ words: UnsafeMutableBufferPointer<UInt64>) {
    var bits: UInt64 = 0
    var index = 0
    while index < words.count {
      bits |= words[index]
      index &+= 1
    }
    if bits != 0 { encodeWords(id, UnsafeBufferPointer(words)) }
  }

  func encodeWords(_ id: UInt32, _ words: UnsafeBufferPointer<UInt64>) {
    let start = writer.count
    IntegerColumn.encode(words, into: &writer, scratch: scratch)
    result.chunks.append(EncodedStripe.Chunk(id: id, range: start..<writer.count))
  }

  // MARK: Rows and runs

  /// Puts the stripe's rows in order, and finds the runs.
  private func sortRows(_ fragments: [SegmentPlan.Fragment]) {
    let table = context.view.rows
    let plan = context.plan
    let rowNumbers = plan.rowNumbers
    let rowOperations = plan.rowOperations
    let count = fragments.reduce(0) { $0 + $1.rows.count }
    // A stripe has few of a large segment's operations: only those are touched and cleared again.
    var used: [UInt32] = []
    for fragment in fragments {
      for index in fragment.rows {
        let operation = rowOperations[index]
        if operationCounts[Int(operation)] == 0 { used.append(operation) }
        operationCounts[Int(operation)] += 1
      }
    }
    used.sort()
    var runs: [Range<Int>] = []
    var offset: UInt32 = 0
    for operation in used {
      let next = offset + operationCounts[Int(operation)]
      runs.append(Int(offset)..<Int(next))
      operationCounts[Int(operation)] = offset
      offset = next
    }
    let places = UnsafeMutableBufferPointer(start: placeMemory.reserve(count), count: count)
    for (ordinal, fragment) in fragments.enumerated() {
      for index in fragment.rows {
        let operation = Int(rowOperations[index])
        let row = rowNumbers[index]
        places[Int(operationCounts[operation])] = Place(
          start: table.pointer(at: Int(row)).pointee.start, row: row, ordinal: UInt32(ordinal))
        operationCounts[operation] += 1
      }
    }
    for operation in used { operationCounts[Int(operation)] = 0 }
    for run in runs {
      var slice = UnsafeMutableBufferPointer(rebasing: places[run])
      slice.sort { left, right in
        left.start != right.start ? left.start < right.start : Self.precedes(left, right, table)
      }
    }
    self.places = places
    rows = StripeColumns(count, in: rowColumns)
    rows.fill(places, context)
    encodeRuns(runs, operations: used)
  }

  /// The order of rows with equal operation and start.
  private static func precedes(_ left: Place, _ right: Place, _ table: SlabVector<SpanRow>) -> Bool {
    let a = table.pointer(at: Int(left.row))
    let b = table.pointer(at: Int(right.row))
    if a.pointee.traceHigh != b.pointee.traceHigh { return a.pointee.traceHigh < b.pointee.traceHigh }
    if a.pointee.traceLow != b.pointee.traceLow { return a.pointee.traceLow < b.pointee.traceLow }
    if a.pointee.spanID != b.pointee.spanID { return a.pointee.spanID < b.pointee.spanID }
    return left.row < right.row
  }

  private static let errorStatus = zigzag(2)

  private func encodeRuns(_ runs: [Range<Int>], operations: [UInt32]) {
    var minimumStarts: [UInt64] = []
    var maximumStarts: [UInt64] = []
    var maximumDurations: [UInt64] = []
    var errorCounts: [UInt64] = []
    var kinds: [UInt64] = []
    let (starts, durations, statusCodes) = (rows.starts, rows.durations, rows.statusCodes)
    for (run, number) in zip(runs, operations) {
      let operation = context.plan.operations[Int(number)]
      result.runServices.append(operation.service)
      result.runNames.append(operation.name)
      kinds.append(zigzag(Int64(operation.kind)))
      var errorCount: UInt64 = 0
      var maximumDuration: UInt64 = 0
      for index in run {
        let start = starts[index]
        let end = start &+ durations[index]
        if statusCodes[index] == Self.errorStatus { errorCount += 1 }
        if end > start { maximumDuration = max(maximumDuration, end &- start) }
        result.summary.bounds.include(start: start, end: end)
      }
      result.summary.errorCount += Int(errorCount)
      errorCounts.append(errorCount)
      maximumDurations.append(maximumDuration)
      minimumStarts.append(starts[run.lowerBound])
      maximumStarts.append(starts[run.upperBound - 1])
    }
    result.summary.kinds = EncodedStripe.ascending(kinds.map { UInt32(truncatingIfNeeded: $0) })
      .map { Int32(truncatingIfNeeded: unzigzag(UInt64($0))) }
    let base = result.summary.bounds.minimumStart
    encodeColumn(ChunkID.runFirstRow, count: runs.count) { UInt64(runs[$0].lowerBound) }
    encodeColumn(ChunkID.runKind, count: runs.count) { kinds[$0] }
    encodeColumn(ChunkID.runErrorCount, count: runs.count) { errorCounts[$0] }
    encodeColumn(ChunkID.runMinimumStart, count: runs.count) { minimumStarts[$0] - base }
    encodeColumn(ChunkID.runMaximumStart, count: runs.count) { maximumStarts[$0] - base }
    encodeColumn(ChunkID.runMaximumDuration, count: runs.count) { maximumDurations[$0] }
  }

  // MARK: Traces

  private func encodeTraces(_ fragments: [SegmentPlan.Fragment]) {
    let count = fragments.count
    var ends = [UInt64](repeating: 0, count: count)
    bases.removeAll(keepingCapacity: true)
    bases.append(contentsOf: repeatElement(.max, count: count))
    let (ordinals, starts, durations) = (rows.ordinals, rows.starts, rows.durations)
    for index in 0..<rows.count {
      let ordinal = Int(truncatingIfNeeded: ordinals[index])
      bases[ordinal] = min(bases[ordinal], starts[index])
      ends[ordinal] = max(ends[ordinal], starts[index] &+ durations[index])
    }
    let distances = bases.map { $0 % SegmentFormat.baseGranuleNanoseconds }
    for ordinal in 0..<count { bases[ordinal] -= distances[ordinal] }
    let traces = context.plan.traces
    encodeColumn(ChunkID.traceHigh, count: count) { traces[fragments[$0].trace].id.high }
    encodeColumn(ChunkID.traceLow, count: count) { traces[fragments[$0].trace].id.low }
    encodeColumn(ChunkID.traceBase, count: count) { bases[$0] }
    encodeColumn(ChunkID.traceSpanCount, count: count) { UInt64(fragments[$0].rows.count) }
    encodeColumn(ChunkID.traceEnd, count: count) { ends[$0] &- bases[$0] }
    encodeColumn(ChunkID.traceFlags, count: count) { fragments[$0].isWholeTrace ? 0 : 1 }
    encodeColumn(ChunkID.traceStart, count: count) { distances[$0] }
  }
}
