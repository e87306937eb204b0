import Foundation
import TraceEngine
import TraceOTLP
import TracestoreTesting

/// The traffic that is measured: requests in a file, so that what a benchmark's memory shows is the store's.
struct Corpus: Sendable {
  static let spanCount = number("TRACESTORE_BENCH_SPANS", 1_000_000)
  static let seed = UInt64(number("TRACESTORE_BENCH_SEED", 1))
  static let shape = TrafficGenerator.Shape(rawValue: text("TRACESTORE_BENCH_SHAPE", "realistic")) ?? .realistic
  static let requestSpanCount = 512

  /// The requests' places in the file.
  let requests: [Range<Int>]
  let path: String
  /// Trace ids spread evenly over the whole corpus.
  let traceIDs: [TraceID]

  /// Generates the traffic into `folder`.
  init(in folder: String) throws {
    path = folder + "/corpus"
    guard let file = fopen(path, "w") else { throw CocoaError(.fileWriteUnknown) }
    defer { fclose(file) }
    var requests: [Range<Int>] = []
    var traceIDs: [TraceID] = []
    var offset = 0
    let traffic = TrafficGenerator(
      shape: Self.shape, spanCount: Self.spanCount, seed: Self.seed, requestSpanCount: Self.requestSpanCount)
    for (index, data) in traffic.enumerated() {
      let bytes = OTLP.encode(data)
      guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw CocoaError(.fileWriteOutOfSpace) }
      requests.append(offset..<offset + bytes.count)
      offset += bytes.count
      if index % max(1, traffic.underestimatedCount / 1000) == 0,
        let span = data.resourceSpans.first?.scopeSpans.first?.spans.first
      {
        traceIDs.append(span.traceID)
      }
    }
    self.requests = requests
    self.traceIDs = traceIDs
  }

  /// Writes the whole corpus, durably, `flightCount` requests at a time.
  func write(to store: TraceStore, flightCount: Int) async throws {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { throw CocoaError(.fileReadNoSuchFile) }
    defer { close(descriptor) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, place) in requests.enumerated() {
        if index >= flightCount { try await group.next() }
        group.addTask {
          let bytes = [UInt8](unsafeUninitializedCapacity: place.count) { buffer, count in
            count = max(0, pread(descriptor, buffer.baseAddress, place.count, off_t(place.lowerBound)))
          }
          let receipt = try await store.writeEncoded(bytes, encoding: .protobuf)
          precondition(receipt.refused.isEmpty, "the generator's spans are all addressable")
        }
      }
      try await group.waitForAll()
    }
  }

  private static func text(_ name: String, _ otherwise: String) -> String {
    ProcessInfo.processInfo.environment[name] ?? otherwise
  }

  private static func number(_ name: String, _ otherwise: Int) -> Int {
    Int(text(name, "")) ?? otherwise
  }
}

/// What a figure has to stand beside to mean anything.
enum Setting {
  static var text: String {
    let environment = ProcessInfo.processInfo.environment
    let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let model = information.split(separator: "\n").first { $0.hasPrefix("model name") }?
      .split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
    let machine = [
      model ?? "unknown processor", "\(ProcessInfo.processInfo.activeProcessorCount) cores",
      "\(ProcessInfo.processInfo.physicalMemory >> 30) GiB", ProcessInfo.processInfo.operatingSystemVersionString,
    ]
    return """
      machine  \(machine.joined(separator: ", "))
      commit   \(environment["TRACESTORE_COMMIT"] ?? "unknown")
      corpus   \(Corpus.shape.rawValue), \(Corpus.spanCount) spans, requests of \(Corpus.requestSpanCount)
      seed     \(Corpus.seed)
      """
  }
}
