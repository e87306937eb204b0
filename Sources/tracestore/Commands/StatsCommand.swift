import ArgumentParser
import TraceEngine
import TraceInspect
import TraceModel

struct StatsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats", abstract: "Show what the store holds and where its bytes go.")
  @OptionGroup var location: StoreLocation
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let statistics = try await withReader(location) { try await $0.statistics(withServiceSizes: true) }
    if output.json {
      StandardOutput.shared.writeLine(statistics.json.text)
    } else {
      statistics.print()
    }
    try reportDamage(statistics.damage)
  }
}

extension StoreStatistics {
  /// Records in segments, open spans included.
  private var recordCount: Int { spanCount + partialRecordCount }

  private func perSpan(_ byteCount: UInt64) -> Double {
    recordCount == 0 ? 0 : Double(byteCount) / Double(recordCount)
  }

  private func rounded(_ value: Double) -> JSONValue { .double((value * 1e4).rounded() / 1e4) }

  var json: JSONValue {
    .object([
      ("spans", .count(spanCount)), ("traces", .count(traceCount)), ("partialRecords", .count(partialRecordCount)),
      ("unsealedRecords", .count(unsealedRecordCount)), ("segmentBytes", .number(segmentByteCount)),
      ("metricsSegments", .count(metricsSegmentCount)), ("metricsBytes", .number(metricsSegmentByteCount)),
      ("logBytes", .number(logByteCount)), ("bytesPerSpan", rounded(perSpan(segmentByteCount))),
      ("memoryBytes", .count(memoryByteCount)), ("memoryBudgetBytes", .count(memoryBudgetByteCount)),
      (
        "segments",
        .array(
          segments.map {
            .object([
              ("number", .number($0.number)), ("bytes", .number($0.byteCount)), ("spans", .count($0.spanCount)),
              ("traces", .count($0.traceCount)), ("minStart", $0.minimumStart.json), ("maxStart", $0.maximumStart.json),
            ])
          })
      ),
      (
        "columns",
        .array(
          columns.map {
            .object([
              ("name", .string($0.name)), ("bytes", .number($0.byteCount)),
              ("bytesPerSpan", rounded(perSpan($0.byteCount))),
            ])
          })
      ),
      (
        "services",
        .array(
          services.map {
            .object([
              ("name", .string($0.name)), ("spans", .count($0.spanCount)),
              ("estimatedBytes", .number($0.estimatedByteCount ?? 0)),
            ])
          })
      ),
    ])
  }

  private static let shownColumnCount = 30

  func print() {
    let output = StandardOutput.shared
    output.writeLine(
      Style.bold(
        "\(Figure.count(spanCount, "span")) in \(Figure.count(segments.count, "segment")), \(Figure.bytes(segmentByteCount)): \(Figure.decimal(perSpan(segmentByteCount), fractionDigits: 2)) bytes a span"
      ))
    if partialRecordCount > 0 { output.writeLine("\(Figure.count(partialRecordCount, "record")) of open spans") }
    output.writeLine(
      "write-ahead log: \(Figure.bytes(logByteCount)), \(Figure.count(unsealedRecordCount, "record")) not in a segment yet"
    )
    if metricsSegmentCount > 0 {
      output.writeLine(
        "hourly figures of expired spans: \(Figure.bytes(metricsSegmentByteCount)) in \(Figure.count(metricsSegmentCount, "file"))"
      )
    }
    printSegments()
    printColumns()
    printServices()
  }

  private func printSegments() {
    guard !segments.isEmpty else { return }
    StandardOutput.shared.writeLine("")
    var table = TextTable(
      ["SEGMENT", "BYTES", "SPANS", "TRACES", "B/SPAN", "FIRST START", "LAST START"], right: [0, 1, 2, 3, 4])
    for segment in segments {
      table.add([
        String(segment.number), Figure.bytes(segment.byteCount), Figure.count(segment.spanCount),
        Figure.count(segment.traceCount),
        segment.spanCount == 0
          ? "" : Figure.decimal(Double(segment.byteCount) / Double(segment.spanCount), fractionDigits: 1),
        segment.spanCount == 0 ? "" : Figure.time(segment.minimumStart),
        segment.spanCount == 0 ? "" : Figure.time(segment.maximumStart),
      ])
    }
    table.print()
  }

  private func printColumns() {
    guard let most = columns.first?.byteCount, most > 0 else { return }
    StandardOutput.shared.writeLine("")
    var table = TextTable(["COLUMN", "BYTES", "B/SPAN", "SHARE", ""], right: [1, 2, 3])
    for column in columns.prefix(Self.shownColumnCount) {
      table.add([
        DisplayWidth.cut(Sanitized.line(column.name), to: 48), Figure.bytes(column.byteCount),
        Figure.decimal(perSpan(column.byteCount), fractionDigits: 3),
        Figure.decimal(100 * Double(column.byteCount) / Double(max(1, segmentByteCount)), fractionDigits: 1) + "%",
        Figure.bar(Double(column.byteCount) / Double(most), width: 20),
      ])
    }
    let rest = columns.dropFirst(Self.shownColumnCount)
    if !rest.isEmpty {
      let byteCount = rest.reduce(0) { $0 + $1.byteCount }
      table.add([
        "… \(Figure.count(rest.count)) more (--json lists all)", Figure.bytes(byteCount),
        Figure.decimal(perSpan(byteCount), fractionDigits: 3),
        Figure.decimal(100 * Double(byteCount) / Double(max(1, segmentByteCount)), fractionDigits: 1) + "%",
        Figure.bar(Double(byteCount) / Double(most), width: 20),
      ])
    }
    table.print()
  }

  private func printServices() {
    guard !services.isEmpty else { return }
    StandardOutput.shared.writeLine("")
    let most = services.reduce(1) { max($0, $1.estimatedByteCount ?? 0) }
    var table = TextTable(["SERVICE", "SPANS", "BYTES (ESTIMATE)", "B/SPAN", ""], right: [1, 2, 3])
    for service in services.sorted(by: { ($0.estimatedByteCount ?? 0) > ($1.estimatedByteCount ?? 0) }) {
      let byteCount = service.estimatedByteCount ?? 0
      table.add([
        service.name.isEmpty ? "(no service)" : service.name, Figure.count(service.spanCount), Figure.bytes(byteCount),
        Figure.decimal(Double(byteCount) / Double(max(1, service.spanCount)), fractionDigits: 1),
        Figure.bar(Double(byteCount) / Double(most), width: 20),
      ])
    }
    table.print()
  }
}
