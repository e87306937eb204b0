import ArgumentParser
import TraceEngine
import TraceInspect
import TraceModel

struct RetainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retain", abstract: "Drop segments whose time is over.",
    discussion: """
      Segments go whole, oldest first, and their room on disk is free at once. A segment is as old as its newest span, \
      by its start, or by its arrival where starts make no sense; so some spans stay longer than --max-age. A program \
      that opens the store with a retention policy does the same by itself. What goes leaves calls, errors and durations \
      by hour, service, operation and kind behind, which `metrics` answers from. The store must not be open for writing \
      elsewhere, unless only the plan is asked for.
      """)

  @OptionGroup var location: StoreLocation
  @Option(help: ArgumentHelp("Drop segments whose newest span is older, such as 7d.", valueName: "duration"))
  var maxAge: DurationArgument?
  @Option(
    help: ArgumentHelp(
      "Drop the oldest segments until the others take no more, such as 20GB; the newest stays.", valueName: "bytes"))
  var maxBytes: ByteCountArgument?
  @Option(
    help: ArgumentHelp(
      "Keep hourly figures for so long; 0 makes none and drops what there is. Default: for ever.",
      valueName: "duration"))
  var keepMetrics: DurationArgument?
  @Flag(help: "Show what would go, and drop nothing.") var plan = false
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard maxAge != nil || maxBytes != nil || keepMetrics != nil else {
      throw ValidationError("give --max-age, --max-bytes or --keep-metrics")
    }
    guard maxAge?.nanoseconds != 0, maxBytes?.byteCount != 0 else {
      throw ValidationError("--max-age and --max-bytes must be above 0")
    }
  }

  func run() async throws {
    let policy = RetentionPolicy(
      maximumAgeNanoseconds: maxAge?.nanoseconds, maximumByteCount: maxBytes?.byteCount,
      maximumMetricsAgeNanoseconds: keepMetrics?.nanoseconds)
    // What is not there must not be made, and a plan needs no more.
    let planned = try await withReader(location) { try $0.retentionPlan(policy) }
    let damage = DamageWatch()
    let report = plan ? planned : try await retain(policy, damage)
    if output.json {
      StandardOutput.shared.writeLine(report.json(isPlan: plan).text)
    } else {
      report.print(isPlan: plan)
    }
    try reportDamage(report.damage + damage.places(besides: report.damage))
  }

  private func retain(_ policy: RetentionPolicy, _ damage: DamageWatch) async throws -> TraceStore.RetentionReport {
    var options = StoreOptions()
    options.isCompactionAutomatic = false
    options.observer = damage.observe
    return try await withTraceStore(at: location.path(), options: options) { store in
      // Spans age in segments. On a full disk there is no room for more of them until others have gone.
      do { try await store.seal() } catch let error as TracestoreError where error.code == .diskFull {
        var report = try await store.retain(policy)
        if report.segments.isEmpty { throw error }
        try? await store.seal()
        report.add(try await store.retain(policy))
        return report
      }
      return try await store.retain(policy)
    }
  }
}

extension TraceStore.RetentionReport {
  fileprivate mutating func add(_ other: TraceStore.RetentionReport) {
    segments += other.segments
    metricsSegmentCount += other.metricsSegmentCount
    metricsSegmentByteCount += other.metricsSegmentByteCount
    damage += other.damage.filter { !damage.contains($0) }
  }

  private var recordCount: Int { segments.reduce(0) { $0 + $1.recordCount } }
  private var byteCount: UInt64 { segments.reduce(0) { $0 + $1.byteCount } }

  func json(isPlan: Bool) -> JSONValue {
    .object([
      ("plan", .bool(isPlan)), ("spans", .count(recordCount)), ("bytes", .number(byteCount)),
      (
        "segments",
        .array(
          segments.map {
            .object([
              ("number", .number($0.number)), ("bytes", .number($0.byteCount)), ("spans", .count($0.recordCount)),
              ("minStart", $0.minimumStart.json), ("maxStart", $0.maximumStart.json),
            ])
          })
      ),
      ("metricsSegments", .count(metricsSegmentCount)), ("metricsBytes", .number(metricsSegmentByteCount)),
    ])
  }

  func print(isPlan: Bool) {
    let output = StandardOutput.shared
    let verb = isPlan ? "Would drop" : "Dropped"
    if segments.isEmpty, metricsSegmentCount == 0 { return output.writeLine("Nothing is due.") }
    if !segments.isEmpty {
      var table = TextTable(["SEGMENT", "BYTES", "SPANS", "FIRST START", "LAST START"], right: [0, 1, 2])
      for segment in segments {
        table.add([
          String(segment.number), Figure.bytes(segment.byteCount), Figure.count(segment.recordCount),
          Figure.time(segment.minimumStart), Figure.time(segment.maximumStart),
        ])
      }
      table.print()
      let spans = Figure.count(recordCount, "span")
      output.writeLine(
        "\(verb) \(spans) in \(Figure.count(segments.count, "segment")), \(Figure.bytes(byteCount)).")
    }
    if metricsSegmentCount > 0 {
      let files = Figure.count(metricsSegmentCount, "metrics segment")
      output.writeLine("\(verb) \(files), \(Figure.bytes(metricsSegmentByteCount)).")
    }
  }
}
