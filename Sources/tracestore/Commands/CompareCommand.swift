import ArgumentParser
import TraceAnalysis
import TraceEngine
import TraceInspect
import TraceModel
import TracestoreV2

struct CompareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Compare two sets of traces, such as those before and after a deploy.",
    discussion: """
      The sets differ by time (--deploy with --window), by condition (--before and --after), or by both; the other flags \
      hold for both. A change is called clear when the ranges that the true figures lie in, 19 times out of 20, do not meet; \
      a median needs 8 spans for that, a 95th percentile 110.
      """)

  @OptionGroup var location: StoreLocation
  @OptionGroup var flags: SearchFlags
  @Option(help: ArgumentHelp("The time that divides before from after.", valueName: "time")) var deploy: TimeArgument?
  @Option(help: ArgumentHelp("How far the sets reach from --deploy. Default: 1h.", valueName: "duration"))
  var window: DurationArgument?
  @Option(help: ArgumentHelp("A condition on the spans before.", valueName: "filter")) var before: String?
  @Option(help: ArgumentHelp("A condition on the spans after.", valueName: "filter")) var after: String?
  @Option(help: ArgumentHelp("At most this many traces in each set.", valueName: "count")) var limit = 1000
  @Option(help: ArgumentHelp("At most this many operations in the table.", valueName: "count")) var top = 30
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard limit >= 1, top >= 1 else { throw ValidationError("--limit and --top must be at least 1") }
    if deploy == nil, before == nil, after == nil {
      throw ValidationError("nothing tells the sets apart: give --deploy TIME, or --before and --after filters")
    }
    if window != nil, deploy == nil { throw ValidationError("--window goes with --deploy") }
    if deploy != nil, flags.start != nil || flags.end != nil {
      throw ValidationError("--deploy says the times: leave --start and --end away")
    }
    if before != nil || after != nil, flags.hasConditions {
      throw ValidationError("--before and --after say all conditions: move the other flags into them")
    }
  }

  func run() async throws {
    let (old, new) = (try query(isBefore: true), try query(isBefore: false))
    let (before, after) = try await withReader(location) { store in
      (try await TraceProfiling.profile(old, in: store), try await TraceProfiling.profile(new, in: store))
    }
    let comparison = ProfileComparison(before: before.0, after: after.0)
    if output.json {
      StandardOutput.shared.writeLine(comparison.json(isTruncated: (before.1.isTruncated, after.1.isTruncated)).text)
    } else {
      ComparisonTable(comparison, top: top).write()
    }
    TraceProfiling.note(before.1, before.0.traceCount, "traces before")
    TraceProfiling.note(after.1, after.0.traceCount, "traces after")
    try reportDamage(before.1.damage + after.1.damage.filter { !before.1.damage.contains($0) })
  }

  private func query(isBefore: Bool) throws -> TraceQuery {
    var query = try flags.query(limit: limit)
    if let own = isBefore ? before : after {
      query.filter = try SearchFlags.parsed(own, isBefore ? "--before" : "--after")
    }
    if let deploy {
      let (time, length) = (deploy.time.nanoseconds, window?.nanoseconds ?? 3_600_000_000_000)
      let (end, isEndless) = time.addingReportingOverflow(length)
      // Both ends of a search belong to it; the instant of the deploy is after.
      query.startMinimum = Timestamp(nanoseconds: isBefore ? time - min(time, length) : time)
      query.startMaximum = Timestamp(nanoseconds: isBefore ? time - min(time, 1) : isEndless ? .max : end - min(end, 1))
    }
    return query
  }
}

/// A comparison for people.
private struct ComparisonTable {
  private let comparison: ProfileComparison
  private let top: Int

  init(_ comparison: ProfileComparison, top: Int) {
    self.comparison = comparison
    self.top = top
  }

  func write() {
    StandardOutput.shared.writeLine(
      "before: \(Figure.count(comparison.beforeTraceCount, "trace")), "
        + "after: \(Figure.count(comparison.afterTraceCount, "trace"))")
    guard !comparison.rows.isEmpty else { return }
    StandardOutput.shared.writeLine("")
    var table = TextTable(
      ["SPANS", "P50", "P95", "ERRORS", "SELF A TRACE", "", "SERVICE", "OPERATION"], right: [0])
    let greatest = comparison.rows.map { abs($0.selfPerTrace.after - $0.selfPerTrace.before) }.max() ?? 0
    for row in comparison.rows.prefix(top) {
      table.add([
        "\(Figure.count(row.before?.spanCount ?? 0)) → \(Figure.count(row.after?.spanCount ?? 0))",
        shift(row.median, row, 0.5), shift(row.percentile95, row, 0.95), errors(row), ownTime(row),
        Figure.bar(abs(row.selfPerTrace.after - row.selfPerTrace.before) / max(1, greatest), width: 8),
        row.key.service, row.key.operation + note(row.presence),
      ])
    }
    table.print()
    if comparison.rows.count > top {
      StandardOutput.shared.writeLine("and \(Figure.count(comparison.rows.count - top, "further operation"))")
    }
    for edge in comparison.edges where edge.presence == .appeared || edge.presence == .vanished {
      let (parent, child) = (edge.edge.parent, edge.edge.child)
      StandardOutput.shared.writeLine(
        Sanitized.line(
          "\(edge.presence == .appeared ? "new" : "gone"): \(parent.service) \(parent.operation) → "
            + "\(child.service) \(child.operation) (\(Figure.count(max(edge.beforeCount, edge.afterCount))))"))
    }
    StandardOutput.shared.writeLine("")
    StandardOutput.shared.writeLine("! a clear change   ? too few spans to say   (rare) too rare to call gone or new")
  }

  private func note(_ presence: ProfileComparison.Presence) -> String {
    switch presence {
    case .both: ""
    case .appeared: " (new)"
    case .vanished: " (gone)"
    case .rare: " (rare)"
    }
  }

  private func mark(_ shift: ProfileComparison.Shift) -> String {
    shift.isClear ? " !" : shift.before == nil || shift.after == nil ? " ?" : ""
  }

  private func shift(_ shift: ProfileComparison.Shift, _ row: ProfileComparison.Row, _ share: Double) -> String {
    func text(_ figures: TraceProfile.Figures?) -> String {
      figures.flatMap { Interval.plain(share, of: $0.durations) }.map { Figure.duration($0) } ?? "–"
    }
    return "\(text(row.before)) → \(text(row.after))" + (row.presence == .both ? mark(shift) : "")
  }

  private func errors(_ row: ProfileComparison.Row) -> String {
    func text(_ interval: Interval?) -> String {
      interval.map { Figure.decimal($0.value * 100, fractionDigits: 1) + "%" } ?? "–"
    }
    return "\(text(row.errorRate.before)) → \(text(row.errorRate.after))" + (row.errorRate.isClear ? " !" : "")
  }

  private func ownTime(_ row: ProfileComparison.Row) -> String {
    let change = row.selfPerTrace.after - row.selfPerTrace.before
    return (change < 0 ? "-" : "+") + Figure.duration(UInt64(abs(change).rounded()))
  }
}

extension ProfileComparison {
  fileprivate func json(isTruncated: (before: Bool, after: Bool)) -> JSONValue {
    func side(_ figures: TraceProfile.Figures?, _ perTrace: Double) -> JSONValue {
      guard let figures else { return .null }
      func quantile(_ share: Double) -> JSONValue {
        Interval.plain(share, of: figures.durations).map { .number($0) } ?? .null
      }
      return .object([
        ("spans", .count(figures.spanCount)), ("errors", .count(figures.errorCount)),
        ("traces", .count(figures.traceCount)), ("p50Nanoseconds", quantile(0.5)), ("p95Nanoseconds", quantile(0.95)),
        ("selfNanosecondsPerTrace", .double(perTrace)),
      ])
    }
    func verdict(_ shift: Shift) -> JSONValue {
      .string(shift.isClear ? "clear" : shift.before == nil || shift.after == nil ? "tooFew" : "none")
    }
    func key(_ key: OperationKey) -> [(key: String, value: JSONValue)] {
      [("service", .string(key.service)), ("operation", .string(key.operation))]
    }
    return .object([
      ("before", .object([("traces", .count(beforeTraceCount)), ("truncated", .bool(isTruncated.before))])),
      ("after", .object([("traces", .count(afterTraceCount)), ("truncated", .bool(isTruncated.after))])),
      (
        "operations",
        .array(
          rows.map { row in
            .object(
              key(row.key) + [
                ("presence", .string(row.presence.rawValue)), ("before", side(row.before, row.selfPerTrace.before)),
                ("after", side(row.after, row.selfPerTrace.after)), ("p50Change", verdict(row.median)),
                ("p95Change", verdict(row.percentile95)), ("errorRateChange", verdict(row.errorRate)),
              ])
          })
      ),
      (
        "edges",
        .array(
          edges.map { edge in
            .object([
              ("parent", .object(key(edge.edge.parent))), ("child", .object(key(edge.edge.child))),
              ("presence", .string(edge.presence.rawValue)), ("beforeCount", .count(edge.beforeCount)),
              ("afterCount", .count(edge.afterCount)),
            ])
          })
      ),
    ])
  }
}
