import Synchronization
import TraceBytes
package import TraceColumns
package import TraceFiles
import TraceModel
import TraceSource

/// Writes rows of a table as one segment.
///
/// The bytes are a function of the records and the options alone: not of the table's codes, of how the stripes were
/// spread over threads, or of the order in which rows were appended, apart from equal rows.
package enum SegmentWriter {
  /// Encodes stripes one after another.
  package static let serial: SegmentParallelism = { count, body in for index in 0..<count { body(index) } }

  /// Appends the segment to `file`, which must be empty; the caller syncs it.
  ///
  /// - Parameters:
  ///   - rows: the rows that become columns, without repetition.
  ///   - partialRows: the rows that are stored as whole records, without repetition.
  ///   - parallel: stripes are encoded through it; each call holds one stripe's columns.
  /// - Throws: what the file throws; `limitExceeded` when a stripe exceeds 4 GiB.
  package static func write(
    _ view: SpanTable.View, rows: [UInt32], partialRows: [UInt32] = [], options: SegmentOptions = SegmentOptions(),
    to file: any File, parallel: SegmentParallelism = serial
  ) throws -> SegmentStatistics {
    let plan = SegmentPlan(view, rows: rows, options: options)
    let keys = SegmentKeys(plan)
    let envelopes = usedEnvelopes(plan, partialRows: partialRows)
    let services = envelopes.resources.sources.map { view.resources[$0].service }
    let strings = SegmentStrings(plan, keys, services: services)
    let context = StripeContext(
      plan: plan, keys: keys, strings: strings, resources: envelopes.resources, scopes: envelopes.scopes,
      options: options)
    let stripes = encodeStripes(context, parallel)
    for stripe in stripes {
      for text in stripe.summary.texts { for code in text.shared { strings.require(code) } }
    }
    strings.assignCodes()
    var output = SegmentOutput(file: file)
    try output.writeHeader()
    let index = try writeStripes(stripes, context, &output)
    var sections = SegmentSections(context: context, options: options)
    var totals = plan.totals
    let partials = try PartialRecords(
      view, partialRows, resources: envelopes.resources, scopes: envelopes.scopes)
    partials.include(in: &totals)
    try sections.write(
      stripes: index.stripes, filters: index.filters, textHashes: index.textHashes, services: services,
      partials: partials, to: &output)
    return try output.finish(totals, keys: keys, envelopes.resources.records.count, envelopes.scopes.records.count)
  }

  private static func usedEnvelopes(
    _ plan: SegmentPlan, partialRows: [UInt32]
  ) -> (resources: SegmentEnvelopes, scopes: SegmentEnvelopes) {
    let view = plan.view
    var resources = [Bool](repeating: false, count: view.resources.count)
    var scopes = [Bool](repeating: false, count: view.scopes.count)
    for row in partialRows {
      let row = view.rows.pointer(at: Int(row))
      resources[Int(row.pointee.resource)] = true
      scopes[Int(row.pointee.scope)] = true
    }
    return (
      SegmentEnvelopes(counts: plan.resourceCounts, isUsed: resources) {
        SegmentEnvelopes.record(view.resources[$0].resource)
      },
      SegmentEnvelopes(counts: plan.scopeCounts, isUsed: scopes) { SegmentEnvelopes.record(view.scopes[$0].scope) }
    )
  }

  /// Encoders are kept for the next stripe: there are as many as calls run at once.
  private static func encodeStripes(_ context: StripeContext, _ parallel: SegmentParallelism) -> [EncodedStripe] {
    let pool = EncoderPool(context)
    parallel(context.plan.stripes.count) { index in
      let encoder = pool.take()
      pool.giveBack(encoder, encoder.encode(context.plan.stripes[index]), of: index)
    }
    return pool.takeResults()
  }

  private static func writeStripes(
    _ stripes: consuming [EncodedStripe], _ context: StripeContext, _ output: inout SegmentOutput
  ) throws -> (stripes: [StripeSummary], filters: [UInt8], textHashes: [UInt64]) {
    let scratch = ColumnScratch(level: context.options.compressionLevel)
    var summaries: [StripeSummary] = []
    var filters: [UInt8] = []
    var textHashes: [UInt64] = []
    for index in stripes.indices {
      // Taken out, so that memory is given back as the file grows.
      var stripe = EncodedStripe()
      swap(&stripe, &stripes[index])
      guard stripe.bytes.count < SegmentFormat.maximumStripeByteCount - 1 << 28,
        filters.count + stripe.filters.count < Int(UInt32.max)
      else {
        throw TracestoreError(
          .limitExceeded, "a stripe of \(stripe.bytes.count) bytes exceeds 4 GiB; write fewer rows to a stripe")
      }
      filters.append(contentsOf: stripe.filters)
      textHashes += stripe.textHashes
      let filterBase = filters.count - stripe.filters.count
      let bytes = stripe.finish(context.strings, filterBase: filterBase, scratch: scratch) { id, byteCount in
        output.count(byteCount, asChunk: id)
      }
      try output.align(to: SegmentFormat.stripeAlignment)
      stripe.summary.offset = output.offset
      stripe.summary.byteCount = UInt64(bytes.count)
      try output.append(bytes)
      summaries.append(stripe.summary)
    }
    let arranged = arrange(filters, of: &summaries)
    return (summaries, arranged, textHashes)
  }

  /// Puts the filters of a column of all stripes side by side: whoever asks is after one column.
  private static func arrange(_ filters: [UInt8], of stripes: inout [StripeSummary]) -> [UInt8] {
    var places: [(chunk: UInt32, stripe: Int, text: Int)] = []
    for (stripe, summary) in stripes.enumerated() {
      for (text, column) in summary.texts.enumerated() where column.filterByteCount > 0 {
        places.append((column.chunk, stripe, text))
      }
    }
    places.sort { ($0.chunk, $0.stripe) < ($1.chunk, $1.stripe) }
    var arranged: [UInt8] = []
    arranged.reserveCapacity(filters.count)
    for place in places {
      let text = stripes[place.stripe].texts[place.text]
      stripes[place.stripe].texts[place.text].filterOffset = UInt32(arranged.count)
      arranged += filters[Int(text.filterOffset)..<Int(text.filterOffset) + Int(text.filterByteCount)]
    }
    return arranged
  }
}

/// Encoders that wait for a stripe, and the stripes that are done.
private final class EncoderPool: Sendable {
  private struct State: @unchecked Sendable {
    var encoders: [StripeEncoder] = []
    var results: [EncodedStripe?]
  }

  private let context: StripeContext
  private let state: Mutex<State>

  init(_ context: StripeContext) {
    self.context = context
    state = Mutex(State(results: [EncodedStripe?](repeating: nil, count: context.plan.stripes.count)))
  }

  func take() -> Encoder {
    Encoder(value: state.withLock { $0.encoders.popLast().map(Encoder.init) }?.value ?? StripeEncoder(context))
  }

  func giveBack(_ encoder: Encoder, _ result: EncodedStripe, of index: Int) {
    state.withLock {
      $0.encoders.append(encoder.value)
      $0.results[index] = result
    }
  }

  func takeResults() -> [EncodedStripe] {
    state.withLock { state in
      let results = state.results.compactMap { $0 }
      precondition(results.count == state.results.count, "a parallel closure must run its body for every index")
      state.results = []
      return results
    }
  }

  /// An encoder on its way between threads: only its holder uses it.
  struct Encoder: @unchecked Sendable {
    let value: StripeEncoder

    func encode(_ fragments: [SegmentPlan.Fragment]) -> EncodedStripe { value.encode(fragments) }
  }
}
