import ArgumentParser
import TraceEngine
import TraceInspect
import TraceModel
import TracestoreV2

/// Opens the store without a lock, so that it may be one that another process is writing, and closes it.
func withReader<Result>(
  _ location: StoreLocation, _ body: (TraceStore) async throws -> Result
) async throws -> Result {
  let store = try await TraceStore.openReadOnly(at: location.path())
  do {
    let result = try await body(store)
    try await store.close()
    return result
  } catch {
    // The first error says more than what closing after it could.
    try? await store.close()
    throw error
  }
}

/// Says what an answer had to leave out, behind what it has; a damaged store is exit status 1.
func reportDamage(_ damage: [String]) throws {
  guard !damage.isEmpty else { return }
  if OutputOptions.isJSON {
    CommandFailure(.refused, code: "corrupt", damage.joined(separator: "; ")).writeLine()
  }
  StandardOutput.shared.flush()
  for line in damage {
    let advice = line.contains("; run tracestore verify") ? "" : "; run tracestore verify"
    StandardError.writeLine("tracestore: damaged: \(Sanitized.line(line))\(advice)")
  }
  throw QuietExit(status: .refused)
}

func reportDamage(_ summary: ResultSummary?) throws { try reportDamage(summary?.damage ?? []) }

struct ServicesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "services", abstract: "List the services.")
  @OptionGroup var location: StoreLocation
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let services = try await withReader(location) { try await $0.getServices() }
    if output.json {
      StandardOutput.shared.writeLine(JSONValue.array(services.map { .string($0) }).text)
    } else {
      for service in services { StandardOutput.shared.writeLine(Style.named(service, Sanitized.line(service))) }
      if services.isEmpty { StandardError.writeLine("No service was found.") }
    }
    try reportDamage(services.summary)
  }
}

struct OperationsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "operations", abstract: "List the operations of a service.")
  @OptionGroup var location: StoreLocation
  @Option(help: "Whose operations.") var service: String
  @Option(help: "Only this span kind.") var kind: SpanKindArgument?
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let operations = try await withReader(location) {
      try await $0.getOperations(OperationQuery(serviceName: service, spanKind: kind?.kind))
    }
    if output.json {
      let values = operations.map {
        JSONValue.object([("name", .string($0.name)), ("spanKind", .string($0.spanKind.word))])
      }
      StandardOutput.shared.writeLine(JSONValue.array(values).text)
    } else {
      if operations.isEmpty {
        StandardError.writeLine("No operation was found; tracestore services lists the services.")
      }
      var table = TextTable(["OPERATION", "KIND"])
      for operation in operations { table.add([operation.name, operation.spanKind.word]) }
      table.print()
    }
    try reportDamage(operations.summary)
  }
}

struct AttributesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attributes", abstract: "List attribute keys, or the values of one of them.",
    discussion: "Counted are spans, events and links that have it, and distinct resources and scopes.")

  enum Level: String, ExpressibleByArgument, CaseIterable {
    case resource, scope, span, event, link
  }

  @OptionGroup var location: StoreLocation
  @Option(help: "Only attributes that occur with spans of this service.") var service: String?
  @Option(help: "Only attributes of this level.") var level: Level?
  @Option(help: ArgumentHelp("List the values of this key, the most frequent first.", valueName: "key"))
  var values: String?
  @Option(help: "How many values at most.") var limit = 1000
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard limit >= 1 else { throw ValidationError("--limit must be at least 1") }
  }

  private var attributeLevel: AttributeLevel? { level.map { AttributeLevel(rawValue: $0.rawValue) } }

  func run() async throws {
    try await withReader(location) { store in
      if let values { try await listValues(of: values, in: store) } else { try await listKeys(in: store) }
    }
  }

  private func listKeys(in store: TraceStore) async throws {
    let keys = try await store.getAttributeKeys(
      AttributeKeyQuery(serviceName: service ?? "", level: attributeLevel))
    if output.json {
      let values = keys.map {
        JSONValue.object([
          ("key", .string($0.key)), ("level", .string($0.level.rawValue)), ("type", .string($0.type.rawValue)),
          ("count", .number($0.count)),
        ])
      }
      StandardOutput.shared.writeLine(JSONValue.array(values).text)
    } else {
      if keys.isEmpty { StandardError.writeLine("No attribute was found.") }
      var table = TextTable(["KEY", "LEVEL", "TYPE", "COUNT"], right: [3])
      for key in keys { table.add([key.key, key.level.rawValue, key.type.rawValue, Figure.count(key.count)]) }
      table.print()
    }
    try reportDamage(keys.summary)
  }

  private func listValues(of key: String, in store: TraceStore) async throws {
    let (values, summary) = try await store.getAttributeValues(
      AttributeValueQuery(
        key: key, level: attributeLevel, serviceName: service ?? "", limit: limit)
    ).collect()
    if output.json {
      let values = values.map {
        JSONValue.object([
          ("value", .string($0.value.text)), ("type", .string(AttributeType(of: $0.value).rawValue)),
          ("count", .number($0.count)),
        ])
      }
      StandardOutput.shared.writeLine(JSONValue.array(values).text)
    } else {
      if values.isEmpty {
        StandardError.writeLine("No value was found; tracestore attributes lists the keys.")
      }
      var table = TextTable(["COUNT", "TYPE", "VALUE"], right: [0])
      for value in values {
        table.add([
          Figure.count(value.count), AttributeType(of: value.value).rawValue,
          DisplayWidth.cut(Sanitized.line(value.value.text), to: max(20, Terminal.width - 24)),
        ])
      }
      table.print()
    }
    if summary.isTruncated {
      StandardError.writeLine("Only the \(values.count) most frequent values are shown; --limit shows more.")
    }
    try reportDamage(summary)
  }
}
