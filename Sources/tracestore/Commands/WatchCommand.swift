import ArgumentParser
import TraceAnalysis
import TraceEngine
import TraceInspect
import TraceModel
import TracestoreV2

struct WatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Show spans as they finish and what services do by the minute, until Ctrl-C.",
    discussion: """
      Works beside the process that writes the store. Every minute the figures of each service follow (calls, errors, \
      latency), with a mark on what is far from the minutes before; minutes that more spans have come of follow again. \
      What could not be shown is counted.
      """)

  @OptionGroup var location: StoreLocation
  @Option(help: "Only spans of this service.") var service: String?
  @Option(
    help: ArgumentHelp(
      "Only spans that satisfy a condition, such as 'span.duration > 2s', or @FILE.", valueName: "filter"))
  var filter: String?
  @Flag(help: "Only the figures, no single spans.") var figures = false
  @Flag(help: "Also each trace once its root has ended and nothing has come for 5 seconds.") var traces = false
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if service != nil, filter != nil {
      throw ValidationError("--filter says all conditions: move --service into it (resource.service = \"…\")")
    }
  }

  private func expression() throws -> FilterExpression? {
    if let filter { return try SearchFlags.parsed(filter) }
    return service.map { .call(.equal, .field(.resource, "service"), .string($0)) }
  }

  func run() async throws {
    Interruption.watch()
    let filter = try expression()
    try await withReader(location) { store in
      let show: @Sendable () async throws -> Void
      if figures, !traces, filter == nil {
        // No span has to be made where all of them only count.
        let stream = try await store.liveFigures()
        show = { try await self.show(stream) }
      } else {
        let events = try await store.events(matching: filter, options: EventOptions(includesTraces: true))
        show = { try await self.show(events) }
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await show() }
        group.addTask {
          while !Interruption.isRequested { try await Task.sleep(nanoseconds: 100_000_000) }
        }
        // Whichever ends first ends the other: Ctrl-C, or what went wrong with the store.
        _ = try await group.next()
        group.cancelAll()
      }
    }
  }

  private func show(_ stream: LiveFigureStream) async throws {
    var shown = ShownMinutes()
    var losses = LiveFigures.Losses()
    var last: LiveFigures?
    // What is known when it ends is shown as well.
    defer { if let last { showMinutes(of: last, &shown, isLast: true) } }
    for try await live in stream {
      let lostCount = live.losses.requestCount - losses.requestCount
      if lostCount > 0 { write(LostEvents(requestCount: lostCount, traceCount: 0)) }
      losses = live.losses
      last = live
      showMinutes(of: live, &shown)
    }
  }

  private func show(_ events: TraceEvents) async throws {
    var live = LiveFigures()
    var shown = ShownMinutes()
    defer { showMinutes(of: live, &shown, isLast: true) }
    for try await event in events {
      live.advance(to: Timestamp(nanoseconds: SystemClock.nowNanoseconds()))
      switch event {
      case .span(let found):
        live.add(found)
        if !figures { write(found) }
      case .trace(let trace):
        live.add(trace: trace.spans)
        if traces { write(trace) }
      case .lost(let lost): write(lost)
      }
      showMinutes(of: live, &shown)
    }
  }

  /// Writes the minutes that have ended, when another one has begun; at the end all of them.
  private func showMinutes(of live: LiveFigures, _ shown: inout ShownMinutes, isLast: Bool = false) {
    defer { StandardOutput.shared.flush() }
    let minute = SystemClock.nowNanoseconds() / LiveFigures.minuteNanoseconds
    guard let due = shown.due(live, inMinute: minute, isLast: isLast) else { return }
    for minute in due.minutes { write(live, minute: minute) }
    if due.ignoredCount > 0 { writeIgnored(due.ignoredCount) }
    if output.json { line("graph", [("links", .array(live.links.map(\.json)))]) }
  }

  // MARK: Lines

  private func write(_ found: FoundSpan) {
    let span = found.span
    guard !output.json else {
      return line(
        "span",
        [
          ("traceID", .string(span.traceID.hex)), ("spanID", .string(span.spanID.hex)),
          ("service", .string(found.resource.serviceName)), ("operation", .string(span.name)),
          ("spanKind", .string(span.kind.word)), ("start", .string(span.start.rfc3339)),
          ("durationNanoseconds", .number(span.durationNanoseconds)), ("error", .bool(span.isError)),
        ])
    }
    let duration = DisplayWidth.padded(Figure.duration(span.durationNanoseconds), to: 8, isRight: true)
    let service = Style.named(found.resource.serviceName, Sanitized.line(found.resource.serviceName))
    let text = "\(Figure.time(span.start)) \(duration) \(service) \(Sanitized.line(span.name))"
    StandardOutput.shared.writeLine(
      text + (span.isError ? Style.red(" error") : "") + Style.dim(" \(span.traceID.hex)"))
  }

  private func write(_ trace: CompletedTrace) {
    let errors = trace.spans.count { $0.span.isError }
    guard !output.json else {
      return line(
        "trace",
        [
          ("traceID", .string(trace.traceID.hex)), ("spans", .count(trace.spans.count)), ("errors", .count(errors)),
        ])
    }
    StandardOutput.shared.writeLine(
      "trace \(trace.traceID.hex): \(Figure.count(trace.spans.count, "span")), \(Figure.count(errors, "error"))")
  }

  private func write(_ lost: LostEvents) {
    guard !output.json else {
      return line("lost", [("requests", .number(lost.requestCount)), ("traces", .count(lost.traceCount))])
    }
    StandardOutput.shared.writeLine(
      Style.yellow(
        "missed: \(Figure.count(lost.requestCount)) requests, \(Figure.count(lost.traceCount, "incomplete trace"))"))
  }

  private func write(_ live: LiveFigures, minute: UInt64) {
    let marks = live.marks(inMinute: minute)
    for (service, cell) in live.cells(ofMinute: minute) {
      let own = marks.filter { $0.service.utf8.elementsEqual(service.utf8) }
      guard !output.json else {
        line(
          "figures",
          [
            ("minute", .string(Timestamp(nanoseconds: minute * LiveFigures.minuteNanoseconds).rfc3339)),
            ("service", .string(service)), ("callCount", .number(cell.callCount)),
            ("errorCount", .number(cell.errorCount)),
            ("p50Nanoseconds", .number(cell.nanoseconds(quantile: 0.5))),
            ("p95Nanoseconds", .number(cell.nanoseconds(quantile: 0.95))),
            (
              "marks",
              .array(
                own.map {
                  .object([
                    ("figure", .string($0.figure.rawValue)), ("value", .double($0.value)), ("usual", .double($0.usual)),
                    ("score", .double($0.score)),
                  ])
                })
            ),
          ])
        continue
      }
      let figures =
        "\(Figure.count(cell.callCount)) calls, \(Figure.count(cell.errorCount)) failed, "
        + "p50 \(Figure.duration(cell.nanoseconds(quantile: 0.5))), p95 \(Figure.duration(cell.nanoseconds(quantile: 0.95)))"
      let unusual = own.map { "\($0.figure.rawValue) \($0.score > 0 ? "above" : "below") usual" }.joined(
        separator: ", ")
      StandardOutput.shared.writeLine(
        "─ \(Figure.time(Timestamp(nanoseconds: minute * LiveFigures.minuteNanoseconds))) "
          + "\(Style.named(service, Sanitized.line(service))): \(figures)"
          + (unusual.isEmpty ? "" : Style.yellow("  ! \(unusual)")))
    }
  }

  private func writeIgnored(_ count: UInt64) {
    guard !output.json else { return line("ignored", [("spans", .number(count))]) }
    StandardOutput.shared.writeLine(
      Style.yellow("not shown: \(Figure.count(count)) spans that started before the last hour, or have yet to"))
  }

  private func line(_ type: String, _ members: [(key: String, value: JSONValue)]) {
    StandardOutput.shared.writeLine(JSONValue.object([("type", .string(type))] + members).text)
  }
}

/// Which minutes have figures that were not shown.
private struct ShownMinutes {
  private var minute: UInt64?
  /// Of the minutes that were shown; spans may come later.
  private var callCounts: [UInt64: UInt64] = [:]
  private var ignoredCount: UInt64 = 0

  /// What is to be shown; nil as long as no minute has ended.
  mutating func due(
    _ live: LiveFigures, inMinute now: UInt64, isLast: Bool
  ) -> (minutes: [UInt64], ignoredCount: UInt64)? {
    let before = minute ?? now
    minute = now
    guard isLast || before < now else { return nil }
    var counts: [UInt64: UInt64] = [:]
    for minute in live.minutes where isLast || minute < now {
      counts[minute] = live.cells(ofMinute: minute).reduce(0) { $0 + $1.cell.callCount }
    }
    let due = counts.filter { callCounts[$0.key] != $0.value }.keys.sorted()
    defer { (callCounts, ignoredCount) = (counts, live.ignoredSpanCount) }
    return (due, live.ignoredSpanCount - ignoredCount)
  }
}
