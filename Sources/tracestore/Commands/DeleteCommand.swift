import ArgumentParser
import Synchronization
import TraceEngine
import TraceInspect
import TraceModel
import TracestoreV2

struct DeleteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete", abstract: "Delete traces for good.",
    discussion: """
      Deletes whole traces: those that --trace names, or every trace that holds a matching span. What is left of each \
      segment that held one is written anew, so that afterwards no file that counts has anything of them; that takes room \
      for the new segments beside the old ones. Hourly figures of spans that had expired stay, and so do snapshots and \
      what a repair has put into folders. A crash or Ctrl-C leaves all of the traces or none. A dry run counts spans, a \
      delete their stored records: an open span may have several.

      Exit status 5 when --trace names traces of which none is there. The store must not be open for writing elsewhere, \
      unless --dry-run only asks what would go; a program that has the store open deletes by itself.
      """)

  @OptionGroup var location: StoreLocation
  @Option(help: ArgumentHelp("A trace to delete; repeatable.", valueName: "id")) var trace: [TraceIDArgument] = []
  @OptionGroup var flags: SearchFlags
  @Flag(help: "Show what would go, and delete nothing.") var dryRun = false
  @OptionGroup var output: OutputOptions

  func validate() throws {
    let hasFlags = flags.hasConditions || flags.start != nil || flags.end != nil
    guard trace.isEmpty || !hasFlags else {
      throw ValidationError("--trace says which traces go: leave away the search flags, or --trace")
    }
    // Nobody means everything without saying so.
    guard !trace.isEmpty || hasFlags else {
      throw ValidationError("say which traces to delete: give --trace or search flags")
    }
  }

  func run() async throws {
    // What is not there must not be made, and a dry run needs no more.
    let planned = try await withReader(location) { try await dryRun ? plan($0) : TraceStore.DeletionReceipt() }
    let damage = DamageWatch()
    let receipt = dryRun ? planned : try await delete(damage)
    Terminal.clearProgress()
    let isUnknown = !trace.isEmpty && receipt.traceCount == 0
    if output.json {
      StandardOutput.shared.writeLine(receipt.json(isDryRun: dryRun).text)
    } else if !isUnknown {
      receipt.print(isDryRun: dryRun)
    }
    try reportDamage(receipt.damage + damage.places(besides: receipt.damage))
    if isUnknown {
      let names = trace.map(\.traceID.hex).joined(separator: ", ")
      throw CommandFailure(.noSuchTrace, code: "notFound", "the store holds no trace \(names); nothing was deleted")
    }
  }

  private var ids: Set<TraceID> { Set(trace.map(\.traceID)) }

  /// Counts what is there now.
  private func plan(_ store: TraceStore) async throws -> TraceStore.DeletionReceipt {
    var receipt = TraceStore.DeletionReceipt()
    if !trace.isEmpty {
      let stream = try await store.getTraces(ids.map { GetTraceParameters($0) }, options: ReadOptions(isRaw: true))
      var found: Set<TraceID> = []
      for try await chunk in stream {
        found.insert(chunk.traceID)
        receipt.recordCount += chunk.data.spanCount
      }
      receipt.traceCount = found.count
      receipt.damage = stream.summary?.damage ?? []
      return receipt
    }
    var query = try flags.query(limit: 1 << 12)
    repeat {
      let (summaries, summary) = try await store.findTraceSummaries(query).collect()
      receipt.traceCount += summaries.count
      receipt.recordCount += summaries.reduce(0) { $0 + $1.spanCount + $1.openSpanCount }
      receipt.damage += summary.damage.filter { !receipt.damage.contains($0) }
      query.pageToken = summary.continuation
    } while query.pageToken != nil
    return receipt
  }

  private func delete(_ damage: DamageWatch) async throws -> TraceStore.DeletionReceipt {
    var options = StoreOptions()
    options.isCompactionAutomatic = false
    options.observer = damage.observe
    let line = Mutex(ProgressLine?.none)
    let report = { @Sendable (done: TraceStore.CompactionProgress) in
      line.withLock { line in
        var shown = line ?? ProgressLine(total: UInt64(done.totalRecordCount))
        shown.update(done: UInt64(done.recordCount)) {
          "Writing \(Figure.count(done.totalRecordCount, "span")) anew \($0)"
        }
        line = shown
      }
    }
    return try await withTraceStore(at: location.path(), options: options) { store in
      trace.isEmpty
        ? try await store.deleteTraces(matching: flags.query(limit: 1), progress: report)
        : try await store.deleteTraces(ids, progress: report)
    }
  }
}

extension TraceStore.DeletionReceipt {
  private var byteCount: UInt64 { segments.reduce(0) { $0 + $1.byteCount } }
  private var newByteCount: UInt64 { segments.reduce(0) { $0 + $1.newByteCount } }

  fileprivate func json(isDryRun: Bool) -> JSONValue {
    .object([
      ("dryRun", .bool(isDryRun)), ("traces", .count(traceCount)), ("spans", .count(recordCount)),
      (
        "segments",
        .array(
          segments.map { segment in
            .object([
              ("number", .number(segment.number)), ("bytes", .number(segment.byteCount)),
              ("deletedSpans", .count(segment.deletedRecordCount)),
              ("newSegments", .array(segment.newNumbers.map { .number($0) })),
              ("newBytes", .number(segment.newByteCount)), ("remainingSpans", .count(segment.remainingRecordCount)),
            ])
          })
      ),
    ])
  }

  fileprivate func print(isDryRun: Bool) {
    let output = StandardOutput.shared
    let spans = Figure.count(recordCount, "span")
    let traces = Figure.count(traceCount, "trace")
    if traceCount == 0 { return output.writeLine("Nothing to delete: no trace matches.") }
    if isDryRun { return output.writeLine("Would delete \(spans) of \(traces).") }
    output.writeLine("Deleted \(spans) of \(traces).")
    let rewritten = Figure.count(segments.count, "segment")
    output.writeLine(
      "Wrote what is left of \(rewritten) anew: \(Figure.bytes(byteCount)) before, \(Figure.bytes(newByteCount)) now.")
  }
}
