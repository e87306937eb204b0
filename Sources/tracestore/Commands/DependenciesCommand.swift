import ArgumentParser
import TraceEngine
import TraceInspect
import TraceModel
import TracestoreV2

struct DependenciesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dependencies", abstract: "Show which services call which, as a graph and as a table.",
    discussion: """
      A call belongs to the window that its called span starts in. Databases and other peers that send no spans are named \
      by the attributes of whoever calls them. Latencies are seen from the called side.
      """)

  @OptionGroup var location: StoreLocation
  @Option(help: ArgumentHelp("Calls from this time on.", valueName: "time")) var start: TimeArgument?
  @Option(help: ArgumentHelp("Calls before this time.", valueName: "time")) var end: TimeArgument?
  @Option(help: "Only calls from or to this service.") var service: String?
  @Flag(name: .customLong("self"), help: "Also calls of a service to itself.") var includesSelfCalls = false
  @Flag(help: "List the spans whose other half is missing instead.") var unpaired = false
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let start, let end, start.time > end.time { throw ValidationError("--start is after --end") }
  }

  func run() async throws {
    var graph = try await withReader(location) { store in
      try await store.serviceGraph(
        DependencyQuery(
          start: start?.time ?? .zero, end: end?.time ?? .maximum, includesSelfCalls: includesSelfCalls))
    }
    if let service {
      func isService(_ name: String) -> Bool { name.utf8.elementsEqual(service.utf8) }
      graph.links.removeAll { !isService($0.parent) && !isService($0.child) }
      graph.unpaired.removeAll { !isService($0.service) }
    }
    switch (unpaired, output.json) {
    case (false, true): writeArray(graph.links.map(\.json))
    case (true, true): writeArray(graph.unpaired.map(\.json))
    case (false, false): write(graph)
    case (true, false): writeUnpaired(graph.unpaired)
    }
    try reportDamage(graph.summary)
  }

  private func writeArray(_ values: [JSONValue]) { StandardOutput.shared.writeLine(JSONValue.array(values).text) }

  private func write(_ graph: ServiceGraph) {
    if graph.links.isEmpty {
      StandardError.writeLine("No call was found.")
    } else {
      for line in GraphDrawing(graph.links).lines { StandardOutput.shared.writeLine(line) }
      StandardOutput.shared.writeLine("")
      var table = TextTable(
        ["PARENT", "CHILD", "KIND", "CALLS", "ERRORS", "P50", "P95", "MAX", "SOURCE"], right: [3, 4, 5, 6, 7])
      for link in graph.links {
        table.add([
          link.parent, link.child, link.connection.rawValue, Figure.count(link.callCount),
          link.errorCount.map { Figure.count($0) } ?? "", duration(link.latency?.medianNanoseconds),
          duration(link.latency?.percentile95Nanoseconds), duration(link.latency?.maximumNanoseconds), link.source,
        ])
      }
      table.print()
    }
    let callers = graph.unpaired.reduce(0) { $0 + $1.callerCount }
    let callees = graph.unpaired.reduce(0) { $0 + $1.calleeCount }
    if callers + callees > 0 {
      StandardOutput.shared.writeLine("")
      StandardOutput.shared.writeLine(
        "Unpaired: \(Figure.count(callers)) calling and \(Figure.count(callees)) called spans (--unpaired lists them).")
    }
  }

  private func writeUnpaired(_ unpaired: [ServiceGraph.UnpairedSpans]) {
    var table = TextTable(["SERVICE", "CALLING", "CALLED"], right: [1, 2])
    for counts in unpaired {
      table.add([counts.service, Figure.count(counts.callerCount), Figure.count(counts.calleeCount)])
    }
    table.print()
  }

  private func duration(_ nanoseconds: UInt64?) -> String { nanoseconds.map { Figure.duration($0) } ?? "" }
}

extension DependencyLink {
  var json: JSONValue {
    var members: [(key: String, value: JSONValue)] = [
      ("parent", .string(parent)), ("child", .string(child)), ("callCount", .number(callCount)),
      ("errorCount", errorCount.map { .number($0) } ?? .null), ("source", .string(source)),
      ("connection", .string(connection.rawValue)),
    ]
    if let latency {
      members.append(
        (
          "latency",
          .object([
            ("sumNanoseconds", .number(latency.sumNanoseconds)), ("p50Nanoseconds", .number(latency.medianNanoseconds)),
            ("p95Nanoseconds", .number(latency.percentile95Nanoseconds)),
            ("maxNanoseconds", .number(latency.maximumNanoseconds)),
          ])
        ))
    }
    return .object(members)
  }
}

extension ServiceGraph.UnpairedSpans {
  fileprivate var json: JSONValue {
    .object([
      ("service", .string(service)), ("callerCount", .number(callerCount)), ("calleeCount", .number(calleeCount)),
    ])
  }
}
