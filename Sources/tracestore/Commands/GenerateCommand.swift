import ArgumentParser
import TraceInspect
import TraceModel
import TraceOTLP
import TracestoreTesting

struct GenerateCommand: AsyncParsableCommand {
  enum Shape: String, ExpressibleByArgument, CaseIterable {
    case uniform, realistic
  }

  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Write deterministic OTLP traffic to a file.",
    discussion: "The name decides the form: .json, .jsonl and .ndjson get OTLP/JSON lines, others framed protobuf.")

  @Option(help: ArgumentHelp("How many spans.", valueName: "count")) var spans: Int
  @Option(help: "Equal seeds make equal files.") var seed: UInt64 = 1
  @Option(help: "uniform: 10 spans a trace over 10 days. realistic: 40 services over 6 hours.")
  var shape: Shape = .realistic
  @Option(help: ArgumentHelp("realistic: services have this many times as many operations.", valueName: "count"))
  var operationFactor = 1
  @Option(help: ArgumentHelp("Write no more than this many spans a second.", valueName: "count")) var rate: Int?
  @Option(help: ArgumentHelp("When the last span ends.", valueName: "time")) var until: TimeArgument?
  @Option(help: ArgumentHelp("The file to write; - is standard output.", valueName: "file"), completion: .file())
  var out: String
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard (0...1_000_000_000_000).contains(spans) else {
      throw ValidationError("--spans must be from 0 to 1,000,000,000,000")
    }
    guard (1...TrafficGenerator.maximumOperationFactor).contains(operationFactor) else {
      throw ValidationError("--operation-factor must be from 1 to \(TrafficGenerator.maximumOperationFactor)")
    }
    if let rate, rate < 1 { throw ValidationError("--rate must be at least 1") }
    if let until, until.time < trafficShape.minimumUntil {
      throw ValidationError("--until must not be before \(trafficShape.minimumUntil.rfc3339)")
    }
    if [".gz", ".zst"].contains(where: { out.hasSuffix($0) }) {
      throw ValidationError("--out cannot compress; leave the ending of \(out) away and compress the file afterwards")
    }
  }

  private var trafficShape: TrafficGenerator.Shape { shape == .uniform ? .uniform : .realistic }

  func run() async throws {
    Interruption.watch()
    let generator = TrafficGenerator(
      shape: trafficShape, spanCount: spans, seed: seed, until: until?.time, operationFactor: operationFactor)
    let isJSON = [".json", ".jsonl", ".ndjson"].contains { out.hasSuffix($0) }
    let file = try OutputFile(path: out)
    let started = ContinuousClock.now
    var requests = generator.makeIterator()
    let form: OutputFile.Form = isJSON ? .json : .framedProtobuf
    var spanCount = 0
    var progress = ProgressLine(total: UInt64(spans))
    while !Interruption.isRequested, let request = requests.next() {
      try file.append(form.bytes(of: request))
      spanCount += request.spanCount
      progress.update(done: UInt64(spanCount)) {
        "generating: \(Figure.count(spanCount)) spans, \(Figure.bytes(file.byteCount)), \($0)"
      }
      if let rate {
        let due = started + .nanoseconds(Int64(Double(spanCount) / Double(rate) * 1e9))
        try await Task.sleep(until: due, clock: .continuous)
      }
    }
    try file.close()
    Terminal.clearProgress()
    report(spanCount, requests.traceCount, file.byteCount)
    if Interruption.isRequested { throw QuietExit(status: .interrupted) }
  }

  private func report(_ spanCount: Int, _ traceCount: Int, _ byteCount: UInt64) {
    let text =
      output.json
      ? JSONValue.object([
        ("spans", .count(spanCount)), ("traces", .count(traceCount)), ("bytes", .number(byteCount)),
      ]).text
      : "Wrote \(Figure.count(spanCount, "span")) of \(Figure.count(traceCount, "trace")) to \(out == "-" ? "standard output" : out) (\(Figure.bytes(byteCount)))."
    // Standard output may be carrying the traffic.
    if out == "-" { StandardError.writeLine(text) } else { StandardOutput.shared.writeLine(text) }
  }
}
