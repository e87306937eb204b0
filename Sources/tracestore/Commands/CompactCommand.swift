import ArgumentParser
import Synchronization
import TraceEngine
import TraceInspect

struct CompactCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compact", abstract: "Merge small segments into larger ones.",
    discussion: """
      Without --all, the merges that a running store would make by itself. With --all, everything becomes as few \
      segments as can be, cut along time; their bytes then depend on the stored spans alone. Damaged segments are left as \
      they are and named. Where there are few spans, those of all times may come into one segment, which retention \
      drops as a whole. The store must not be open for writing elsewhere.
      """)

  @OptionGroup var location: StoreLocation
  @Flag(help: "Merge everything, not only what is due.") var all = false
  @OptionGroup var output: OutputOptions

  func run() async throws {
    Interruption.watch()
    var options = StoreOptions()
    options.isCompactionAutomatic = false
    let damage = DamageWatch()
    options.observer = damage.observe
    let directory = try location.path()
    // Compacting what is not there must not make it.
    try await TraceStore.openReadOnly(at: directory).close()
    let store = try await TraceStore.open(at: directory, options: options)
    let started = ContinuousClock.now
    let line = Mutex(ProgressLine?.none)
    let watcher = Task {
      while !Task.isCancelled, !Interruption.isRequested { try await Task.sleep(for: .milliseconds(50)) }
      // Gives the merge up; what it wrote is removed.
      if Interruption.isRequested { try await store.close() }
    }
    let outcome: Result<TraceStore.CompactionReport, any Error>
    do {
      outcome = .success(
        try await store.compact(all ? .all : .due) { done in
          line.withLock { line in
            var shown = line ?? ProgressLine(total: UInt64(done.totalRecordCount))
            shown.update(done: UInt64(done.recordCount)) {
              "Merging \(Figure.count(done.totalRecordCount, "span")) \($0)"
            }
            line = shown
          }
        })
    } catch {
      outcome = .failure(error)
    }
    watcher.cancel()
    try await store.close()
    Terminal.clearProgress()
    if Interruption.isRequested {
      StandardError.writeLine("tracestore: given up; the store is as it was")
      throw QuietExit(status: .interrupted)
    }
    let report = try outcome.get()
    let lost = damage.places(besides: report.damage)
    self.report(report, lost, seconds: ProgressLine.seconds(ContinuousClock.now - started))
    if !report.damage.isEmpty || !lost.isEmpty { throw QuietExit(status: .refused) }
  }

  /// - Parameter lost: what else was found damaged: places of the log.
  private func report(_ report: TraceStore.CompactionReport, _ lost: [String], seconds: Double) {
    for damage in report.damage { StandardError.writeLine(Sanitized.line("tracestore: left as it is: \(damage)")) }
    for damage in lost { StandardError.writeLine(Sanitized.line("tracestore: damaged: \(damage)")) }
    if output.json {
      StandardOutput.shared.writeLine(report.json(lost, seconds: seconds).text)
      return
    }
    guard report.segmentCount > 0 else {
      StandardOutput.shared.writeLine("Nothing to merge.")
      return
    }
    let spans = Figure.count(report.recordCount, "span")
    let before = Figure.count(report.segmentCount, "segment")
    let after = Figure.count(report.newSegmentCount, "segment")
    let perSpan = Figure.decimal(
      Double(report.byteCountAfter) / Double(max(1, report.recordCount)), fractionDigits: 1)
    StandardOutput.shared.writeLine(
      "Merged \(spans): \(before) of \(Figure.bytes(report.byteCountBefore)) became \(after) of \(Figure.bytes(report.byteCountAfter)), \(perSpan) bytes a span, in \(Figure.decimal(seconds, fractionDigits: 2)) s."
    )
    if report.droppedRecordCount > 0 {
      StandardOutput.shared.writeLine(
        "Dropped \(Figure.count(report.droppedRecordCount, "span")) that several segments held.")
    }
  }
}

extension TraceStore.CompactionReport {
  func json(_ lost: [String], seconds: Double) -> JSONValue {
    .object([
      ("segments", .count(segmentCount)), ("newSegments", .count(newSegmentCount)), ("spans", .count(recordCount)),
      ("droppedSpans", .count(droppedRecordCount)), ("bytesBefore", .number(byteCountBefore)),
      ("bytesAfter", .number(byteCountAfter)), ("damaged", .array((damage + lost).map { .string($0) })),
      ("seconds", .double((seconds * 1e4).rounded() / 1e4)),
    ])
  }
}
