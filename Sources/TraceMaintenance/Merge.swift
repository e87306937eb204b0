import TraceColumns
import TraceManifest
import TraceModel
import TraceSegment

/// What a merge has read and written so far.
package struct MergeProgress: Hashable, Sendable {
  package var recordCount = 0
  package var totalRecordCount = 0
}

/// An input that cannot be merged, because bytes of it are damaged.
struct DamagedInput: Error {
  var number: UInt64
  var cause: any Error
}

/// Merges segments: every distinct record of the inputs goes into one of the outputs, in the order of `MergePlan`.
///
/// The inputs are streamed, a stripe of each at a time and some partial records of all; one output's rows are in memory,
/// and some bytes for each trace of each input. Outputs are cut between traces, by row count, by what the rows hold and
/// along windows of time, all of which depend on the records alone: so do the outputs.
struct Merge {
  private let files: SegmentFiles
  private let parallel: SegmentParallelism
  private let policy: CompactionPolicy
  private let windowNanoseconds: UInt64?
  private let excluded: Set<TraceID>
  private let isCancelled: () -> Bool
  private let report: (MergeProgress) -> Void
  private var transfers: [SegmentTransfer] = []
  private var numbers: [UInt64] = []
  private var plan = MergePlan(inputCount: 0)
  private var held: HeldStripes
  /// Partial records that are to be in memory at a time.
  private var unpackedCount = Self.maximumUnpackedCount
  private var output: MergeOutput
  private(set) var written: [ManifestFile] = []
  private(set) var droppedCount = 0
  /// The excluded traces that inputs held, and their records.
  private(set) var excludedTraces: Set<TraceID> = []
  private(set) var excludedRecordCount = 0
  private var progress = MergeProgress()

  /// Partial records stand by trace id in the inputs and are merged by time, so that nearly all of an input is
  /// decompressed for each batch: fewer cost time, more cost memory.
  private static let maximumUnpackedCount = 1 << 16
  /// - Parameters:
  ///   - windowNanoseconds: aligned windows of this length get segments of their own.
  ///   - excluded: traces that go into no output.
  init(
    files: SegmentFiles, policy: CompactionPolicy, windowNanoseconds: UInt64? = nil,
    excluding excluded: Set<TraceID> = [], parallel: @escaping SegmentParallelism,
    isCancelled: @escaping () -> Bool, report: @escaping (MergeProgress) -> Void
  ) {
    self.files = files
    self.policy = policy
    self.excluded = excluded
    self.windowNanoseconds = windowNanoseconds
    output = MergeOutput(maximumStringCount: policy.maximumStringCount)
    held = HeldStripes(maximumRowCount: policy.maximumHeldRowCount)
    self.parallel = parallel
    self.isCancelled = isCancelled
    self.report = report
  }

  /// Runs the merge. On any error the files in `written` are nobody's yet.
  mutating func run(_ inputs: [ManifestFile]) throws {
    try open(inputs)
    if inputs.count > 2, plan.isScattered(holding: policy.maximumHeldRowCount) {
      try mergeHalvesFirst(inputs)
    } else {
      try merge()
    }
  }

  /// Writes one segment anew without the excluded traces. False, and nothing is written, when it holds none of them.
  mutating func rewrite(_ input: ManifestFile) throws -> Bool {
    try open([input])
    if excludedRecordCount == 0 { return false }
    try merge()
    return true
  }

  /// Merges each half of the inputs, and then what came out of them: there, traces stand in the order of the merge. Otherwise
  /// the parts of each trace would be fetched from other stripes than those of the trace before, each decoded for it.
  private mutating func mergeHalvesFirst(_ inputs: [ManifestFile]) throws {
    let totalCount = progress.totalRecordCount
    (transfers, numbers, plan) = ([], [], MergePlan(inputCount: 0))
    var halves: [ManifestFile] = []
    defer { halves.forEach(files.discard) }
    var doneCount = 0
    let progressed = { [report] count in report(MergeProgress(recordCount: count / 2, totalRecordCount: totalCount)) }
    for half in [inputs.prefix(inputs.count / 2), inputs.dropFirst(inputs.count / 2)] {
      var merge = Merge(
        files: files, policy: policy, windowNanoseconds: nil, parallel: parallel, isCancelled: isCancelled,
        report: { [doneCount] in progressed(doneCount + $0.recordCount) })
      defer { halves += merge.written }
      try merge.run(Array(half))
      doneCount += half.reduce(0) { $0 + $1.recordCount }
      droppedCount += merge.droppedCount
    }
    var merge = Merge(
      files: files, policy: policy, windowNanoseconds: windowNanoseconds, parallel: parallel, isCancelled: isCancelled,
      report: { progressed(totalCount + $0.recordCount) })
    defer { written = merge.written }
    do {
      try merge.open(halves)
      try merge.merge()
    } catch let damage as DamagedInput {
      // No input of the caller's.
      throw damage.cause
    }
    // What the halves have dropped is not read again.
    progressed(2 * totalCount)
    droppedCount += merge.droppedCount
  }

  private mutating func merge() throws {
    let windowBounds = windowNanoseconds.map { plan.windowBounds($0) } ?? []
    begin()
    var unpackedEnd = 0
    for place in 0..<plan.traceCount {
      let trace = plan.parts(ofTrace: place)
      if place == unpackedEnd { unpackedEnd = try unpackPartials(from: place) }
      if windowBounds.contains(place), output.rowCount > 0 { try writeAll() }
      var fits = try append(trace)
      if !fits || output.isFull(policy), output.hasEarlierTraces {
        // The trace does not fit any more: it opens the next output.
        try write(output.earlierRows)
        droppedCount += output.earlierDroppedCount
        begin()
        fits = try append(trace)
      }
      guard fits else {
        let id = plan.parts[trace.lowerBound].fragment.trace
        throw TracestoreError(
          .limitExceeded, "Trace \(id) has more spans or texts than a segment holds; its segments stay apart.")
      }
      output.endTrace()
      for part in plan.parts[trace] {
        progress.recordCount += part.fragment.rowCount
        if plan.finish(part), let stripe = part.fragment.stripe {
          release(HeldStripes.Place(input: part.input, stripe: stripe))
        }
      }
      if progress.recordCount & 1023 < trace.count { report(progress) }
      try checkCancelled()
    }
    try writeAll()
    report(progress)
  }

  private mutating func open(_ inputs: [ManifestFile]) throws {
    // The inputs are read once, from front to back: the store's cache is left to queries.
    let cache = BlockCache(maximumByteCount: 8 << 20)
    var plan = MergePlan(inputCount: inputs.count)
    for (index, input) in inputs.enumerated() {
      try naming(input.key.number) {
        let transfer = try SegmentTransfer(try files.open(input, cache: cache), to: output.table)
        try transfer.forEachFragment { fragment in
          if excluded.contains(fragment.trace) {
            excludedTraces.insert(fragment.trace)
            excludedRecordCount += fragment.rowCount
          } else {
            plan.add(fragment, input: index)
          }
        }
        transfers.append(transfer)
      }
      numbers.append(input.key.number)
      progress.totalRecordCount += input.recordCount
      try checkCancelled()
    }
    progress.totalRecordCount -= excludedRecordCount
    plan.arrange()
    self.plan = plan
  }

  /// Writes what there is and begins anew.
  private mutating func writeAll() throws {
    droppedCount += output.droppedCount
    if output.rowCount > 0 { try write(output.rows) }
    begin()
  }

  /// Unpacks the partial records of traces from one on; returns the first trace whose records are not unpacked.
  private mutating func unpackPartials(from first: Int) throws -> Int {
    while true {
      try checkCancelled()
      var fragments = [[TraceFragment]](repeating: [], count: transfers.count)
      var (end, count, openTraceCount) = (first, 0, 0)
      while end < plan.traceCount, count < unpackedCount {
        let countBefore = count
        for part in plan.parts[plan.parts(ofTrace: end)] where part.fragment.stripe == nil {
          fragments[part.input].append(part.fragment)
          count += part.fragment.rowCount
        }
        if count > countBefore { openTraceCount += 1 }
        end += 1
      }
      // A trace is merged at once, whatever it has: with a count of 1 there is no other with partial records.
      let limit = openTraceCount <= 1 ? .max : policy.maximumUnpackedByteCount
      if try unpack(fragments, maximumByteCount: limit) {
        unpackedCount = min(2 * unpackedCount, Self.maximumUnpackedCount)
        return end
      }
      unpackedCount = max(1, unpackedCount / 2)
    }
  }

  /// False when the records have more bytes than that.
  private func unpack(_ fragments: [[TraceFragment]], maximumByteCount: Int) throws -> Bool {
    var rest = maximumByteCount
    for (input, transfer) in transfers.enumerated() {
      let byteCount = try naming(numbers[input]) {
        try transfer.unpackPartials(of: fragments[input], maximumByteCount: rest)
      }
      guard let byteCount else { return false }
      rest -= byteCount
    }
    return true
  }

  private mutating func begin() {
    output = MergeOutput(maximumStringCount: policy.maximumStringCount)
    for transfer in transfers { transfer.begin(output.table) }
  }

  /// False when the table had no room for all of the trace: then it has to be written without it.
  private mutating func append(_ trace: Range<Int>) throws -> Bool {
    for part in plan.parts[trace] {
      guard let stripe = part.fragment.stripe else { continue }
      guard output.hasRoom else { return false }
      hold(stripe, of: part.input)
      try naming(numbers[part.input]) {
        try output.append(ordinal: part.fragment.place, ofStripe: stripe, from: transfers[part.input])
      }
    }
    try output.takeUpFinals(mayRepeat: plan.parts[trace.lowerBound].input != plan.parts[trace.upperBound - 1].input)
    return try appendPartials(trace)
  }

  /// Joins the partial records of a trace, span by span. False as above.
  private mutating func appendPartials(_ trace: Range<Int>) throws -> Bool {
    var places: [(spanID: UInt64, input: Int, row: Int)] = []
    for part in plan.parts[trace] where part.fragment.stripe == nil {
      let spanIDs = transfers[part.input].spanIDs(ofPartials: part.fragment)
      places += zip(spanIDs, part.fragment.rows).map { ($0, part.input, $1) }
    }
    places.sort { ($0.spanID, $0.input, $0.row) < ($1.spanID, $1.input, $1.row) }
    var rest = places[...]
    while let first = rest.first {
      guard output.hasRoom else { return false }
      let span = rest.prefix { $0.spanID == first.spanID }
      rest = rest[span.endIndex...]
      output.takeUpPartials(
        try span.map { place in
          try naming(numbers[place.input]) { try transfers[place.input].partialRecord(at: place.row) }
        })
    }
    return true
  }

  /// Keeps the decoded stripes within their bound.
  private mutating func hold(_ stripe: Int, of input: Int) {
    let rowCount = plan.rowCount(ofStripe: stripe, input: input)
    for other in held.hold(HeldStripes.Place(input: input, stripe: stripe), rowCount: rowCount) ?? [] { release(other) }
  }

  private mutating func release(_ place: HeldStripes.Place) {
    held.release(place)
    transfers[place.input].release(stripe: place.stripe)
  }

  private mutating func write(_ rows: MergeOutput.Rows) throws {
    var file = try files.write(
      output.table.view(rowCount: output.table.rowCount), rows: rows.finals, partialRows: rows.partials,
      parallel: parallel)
    if file.rowCount > 0,
      let window = CompactionPolicy.window(of: file.minimumStartNanoseconds...file.maximumStartNanoseconds)
    {
      file.windowStartNanoseconds = window.start
      file.windowLengthNanoseconds = window.length
    }
    written.append(file)
  }

  private func checkCancelled() throws {
    if isCancelled() { throw TracestoreError(.closed, "The merge was given up because the store is being closed.") }
  }

  /// Tells apart what is wrong with an input from what is wrong with the machine.
  private func naming<Result>(_ number: UInt64, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as TracestoreError where error.code == .corrupt {
      throw DamagedInput(number: number, cause: error)
    }
  }
}
