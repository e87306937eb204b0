import Foundation
import TraceEngine

/// A span that outlives its process: begun and killed, found, and completed from another source.
///
///     OpenSpan begin STORE                 begins a span, prints its trace, and waits to be killed
///     OpenSpan show STORE TRACE SECONDS    prints the spans of a trace; an open one is abandoned after so many seconds
///     OpenSpan enrich STORE TRACE          adds what a log knows of the span
///     OpenSpan record STORE                updates open spans until it is killed, and prints what is acknowledged
///     OpenSpan verify STORE FILE           looks for everything that was printed
@main
struct OpenSpan {
  static func main() async throws {
    let arguments = CommandLine.arguments
    switch (arguments.count, arguments.dropFirst().first) {
    case (3, "begin"): try await begin(in: arguments[2])
    case (5, "show"): try await show(trace(arguments[3]), in: arguments[2], leaseSeconds: UInt64(arguments[4]) ?? 300)
    case (4, "enrich"): try await enrich(trace(arguments[3]), in: arguments[2])
    case (3, "record"): try await record(in: arguments[2])
    case (4, "verify"): try await verify(arguments[3], in: arguments[2])
    default:
      FileHandle.standardError.write(
        Data(
          "usage: OpenSpan begin|record STORE | show STORE TRACE SECONDS | enrich STORE TRACE | verify STORE FILE\n"
            .utf8))
      exit(2)
    }
  }

  private static func trace(_ text: String) throws -> TraceID {
    guard let trace = TraceID(hex: text) else { throw TracestoreError(.invalidArgument, "\(text) is no trace id") }
    return trace
  }

  private static func begin(in path: String) async throws {
    let store = try await TraceStore.open(at: path)
    let span = try await store.beginSpan("nightly import", service: "shop", attributes: [Attribute("files", 12)])
    for file in 1...3 { span.addEvent("file \(file) read") }
    span.setAttribute("files", 3)
    // Durable when it returns: from here on no kill can take it away.
    try await span.snapshot()
    print(span.traceID)
    fflush(nil)
    while true { try await Task.sleep(nanoseconds: 1_000_000_000) }
  }

  private static func show(_ trace: TraceID, in path: String, leaseSeconds: UInt64) async throws {
    let store = try await TraceStore.openReadOnly(at: path)
    let options = ReadOptions(leaseNanoseconds: leaseSeconds * 1_000_000_000)
    for chunk in try await store.getTraces([GetTraceParameters(trace)], options: options).collect().elements {
      var index = 0
      chunk.data.forEachSpan { resource, _, span in
        let state = chunk.state(at: index)
        index += 1
        print("\(resource.serviceName): \(span.name), \(state.phase)\(state.isEnriched ? ", enriched" : "")")
        for attribute in span.attributes { print("  \(attribute.key) = \(attribute.value.text)") }
        for event in span.events { print("  event \(event.name)") }
      }
    }
    try await store.close()
  }

  private static func enrich(_ trace: TraceID, in path: String) async throws {
    try await withTraceStore(at: path) { store in
      for chunk in try await store.getTraces([trace]).collect().elements {
        var records: [SpanRecord] = []
        chunk.data.forEachSpan { _, _, span in
          records.append(
            SpanRecord(
              traceID: span.traceID, spanID: span.spanID, name: "",
              attributes: [
                Attribute("tracestore.partial", true), Attribute("exit.reason", "killed by the operator"),
              ]))
        }
        _ = try await store.writeTraces(
          TraceData(resourceSpans: [
            ResourceSpans(
              resource: Resource(attributes: [Attribute("service.name", "system-log")]),
              scopeSpans: [ScopeSpans(spans: records)])
          ]))
      }
    }
  }

  // MARK: Killed at any moment

  /// A few producers, each of which updates one span after another. A line is printed behind each acknowledgement.
  private static func record(in path: String) async throws {
    let store = try await TraceStore.open(at: path)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 1...4 {
        group.addTask {
          while true {
            let span = try await store.beginSpan("job", service: "worker \(worker)")
            for update in 1...25 {
              span.addEvent("update \(update)")
              try await span.snapshot()
              say("\(span.traceID) \(update)")
            }
            try await span.end()
            say("\(span.traceID) end")
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// One line in one write: a kill leaves no half of it.
  private static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

  private static func verify(_ file: String, in path: String) async throws {
    var lastUpdates: [TraceID: Int] = [:]
    var ended: Set<TraceID> = []
    for line in try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      let trace = try trace(words[0])
      if let update = Int(words[1]) { lastUpdates[trace] = update } else { ended.insert(trace) }
    }
    var lost: [String] = []
    try await withReader(at: path) { store in
      for (trace, update) in lastUpdates {
        let chunks = try await store.getTraces([trace]).collect().elements
        let spans = chunks.flatMap(\.data.resourceSpans).flatMap(\.scopeSpans).flatMap(\.spans)
        let isOpen = chunks.contains { $0.state(at: 0).phase != .final }
        if spans.count != 1 { lost.append("\(trace) is \(spans.count) spans") }
        let events = Set(spans.flatMap(\.events).map(\.name))
        for number in 1...update where !events.contains("update \(number)") {
          lost.append("\(trace) lacks update \(number) of \(update)")
        }
        if ended.contains(trace), isOpen { lost.append("\(trace) was ended and is open") }
      }
    }
    for line in lost { print(line) }
    if !lost.isEmpty { exit(1) }
  }

  private static func withReader(at path: String, _ body: (TraceStore) async throws -> Void) async throws {
    let store = try await TraceStore.openReadOnly(at: path)
    try await body(store)
    try await store.close()
  }
}
