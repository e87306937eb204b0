import TraceModel

/// What spans, events and links of the realistic shape carry, by the semantic conventions. Values that repeat are made
/// once and shared.
struct RealisticAttributes {
  static let clientAddressCount = 30_000

  /// Sets the streams of spans apart between seeds and from the bytes of their ids.
  let salt: UInt64
  private let clientAddresses: [Attribute]
  private let userAgents: [Attribute]
  private let tenants: [Attribute]
  private let serverAddresses: [Attribute]
  private let threadNames: [Attribute]
  private let partitions: [Attribute]
  private let statusCodes: [Attribute]
  private let errorStatusCodes: [Attribute]
  private let errorRPCCodes: [Attribute]
  private let errorTypes: [Attribute]
  private let exceptionTypes: [Attribute]
  private let stackTraces: [Attribute]
  private let retryReasons: [Attribute]
  private let linkKinds: [Attribute]
  private let protocolVersion = Attribute("network.protocol.version", "1.1")
  private let rpcPort = Attribute("server.port", 9090)
  private let httpPort = Attribute("server.port", 8080)
  private let rpcSuccess = Attribute("rpc.grpc.status_code", 0)
  private let cacheHit = [Attribute("app.cache.hit", false), Attribute("app.cache.hit", true)]
  private let express = [Attribute("app.order.express", false), Attribute("app.order.express", true)]
  private let escaped = [Attribute("exception.escaped", false), Attribute("exception.escaped", true)]

  /// Running sums of the shares of `statusCodes`.
  private static let statusCodeWeights = [0.86, 0.91, 0.94, 0.96, 0.98, 1]

  init(world: RealisticWorld, seed: UInt64) {
    typealias Words = RealisticVocabulary
    var random = TrafficRandom(seed: seed, purpose: 5, index: 0)
    salt = random.next()
    clientAddresses = (0..<Self.clientAddressCount).map { _ in
      let bytes = (0..<4).map { _ in String(random.integer(in: 1..<255)) }
      return Attribute("client.address", .string(bytes.joined(separator: ".")))
    }
    func texts(_ key: String, _ values: [String]) -> [Attribute] { values.map { Attribute(key, .string($0)) } }
    func numbers(_ key: String, _ values: [Int64]) -> [Attribute] { values.map { Attribute(key, .int($0)) } }
    userAgents = texts("user_agent.original", Words.userAgents)
    tenants = texts("app.tenant.id", (0..<400).map { "tenant-" + TrafficText.padded($0, 4) })
    serverAddresses = texts("server.address", world.services.map { $0.name + ".svc.cluster.local" })
    threadNames = texts("thread.name", (0..<64).map { "worker-\($0)" })
    partitions = texts("messaging.destination.partition.id", (0..<24).map { String($0) })
    statusCodes = numbers("http.response.status_code", [200, 201, 204, 304, 400, 404])
    errorStatusCodes = numbers("http.response.status_code", [500, 502, 503, 504])
    errorRPCCodes = numbers("rpc.grpc.status_code", [4, 13, 14])
    errorTypes = texts("error.type", Words.failures.map(\.type))
    exceptionTypes = texts("exception.type", Words.failures.map(\.type))
    stackTraces = texts("exception.stacktrace", world.stackTraces)
    retryReasons = texts("retry.reason", Words.retryReasons)
    linkKinds = texts("link.kind", Words.linkKinds)
  }

  func ofSpan(
    _ span: TrafficSpan, of chunk: TrafficChunk, _ operation: RealisticOperation, failure: Int, _ world: RealisticWorld,
    _ random: inout TrafficRandom
  ) -> [Attribute] {
    let facts = chunk.facts[Int(span.trace)]
    var list: [Attribute] = []
    list.reserveCapacity(18)
    list.append(contentsOf: operation.lead)
    switch operation.operationClass {
    case .httpServer: addHTTPServer(&list, span, operation, facts, &random)
    case .httpClient: addHTTPClient(&list, span, operation, facts, world, &random)
    case .rpcServer, .rpcClient: addRPC(&list, span, operation, facts, world, &random)
    case .database:
      if random.chance(0.6) {
        list.append(Attribute("db.response.returned_rows", .int(Int64(random.geometric(0.15) - 1))))
      }
    case .internal: addInternal(&list, &random)
    case .producer, .consumer: addMessaging(&list, chunkIndex: chunk.index, &random)
    }
    if span.isError { list.append(errorTypes[failure]) }
    return list
  }

  private func addLocation(_ list: inout [Attribute], _ operation: RealisticOperation, _ facts: TraceFacts) {
    switch operation.location {
    case .fixed(let attribute)?: list.append(attribute)
    case .aroundEntity(let key, let prefix, let suffix)?:
      list.append(Attribute(key, .string(TrafficText.joined(prefix, facts.entity, suffix))))
    case nil: break
    }
  }

  private func statusCode(_ span: TrafficSpan, _ random: inout TrafficRandom) -> Attribute {
    span.isError
      ? random.pick(errorStatusCodes) : statusCodes[random.weightedIndex(Self.statusCodeWeights)]
  }

  private func addHTTPServer(
    _ list: inout [Attribute], _ span: TrafficSpan, _ operation: RealisticOperation, _ facts: TraceFacts,
    _ random: inout TrafficRandom
  ) {
    addLocation(&list, operation, facts)
    list.append(statusCode(span, &random))
    if random.chance(0.25) {
      let page = min(random.zipf(1.5), 500)
      list.append(
        Attribute("url.query", .string(TrafficText.joined("page=", page, "&limit=50&sort=-created"))))
    }
    if span.level == 0 {
      list.append(userAgents[facts.userAgent])
      list.append(clientAddresses[facts.address])
      let scrambled = UInt64(facts.user) &* 2_654_435_761 & 0xFFFF_FFFF
      list.append(Attribute("enduser.id", .string(TrafficText.word("u-", scrambled))))
    }
    list.append(protocolVersion)
    let byteCount = Int64(random.logNormal(7.5, 1.2))
    if random.chance(0.4) { list.append(Attribute("http.request.body.size", .int(byteCount / 3))) }
    list.append(Attribute("http.response.body.size", .int(byteCount)))
    list.append(serverAddresses[operation.peer])
    list.append(httpPort)
    if random.chance(0.3) {
      let total = PortableMath.rounded(random.logNormal(3.5, 1) * 100) / 100
      list.append(Attribute("app.order.total", .double(total)))
      list.append(express[random.chance(0.1) ? 1 : 0])
    }
    list.append(tenants[facts.user % tenants.count])
  }

  private func addHTTPClient(
    _ list: inout [Attribute], _ span: TrafficSpan, _ operation: RealisticOperation, _ facts: TraceFacts,
    _ world: RealisticWorld, _ random: inout TrafficRandom
  ) {
    addLocation(&list, operation, facts)
    list.append(statusCode(span, &random))
    list.append(protocolVersion)
    list.append(Attribute("http.response.body.size", .int(Int64(random.logNormal(7.5, 1.2)))))
    if random.chance(0.02) {
      list.append(Attribute("http.request.resend_count", .int(Int64(random.integer(in: 1..<4)))))
    }
    list.append(serverAddresses[operation.peer])
    list.append(httpPort)
    list.append(world.podAddresses[world.instance(of: operation.peer, placement: facts.placement)])
  }

  private func addRPC(
    _ list: inout [Attribute], _ span: TrafficSpan, _ operation: RealisticOperation, _ facts: TraceFacts,
    _ world: RealisticWorld, _ random: inout TrafficRandom
  ) {
    list.append(span.isError ? random.pick(errorRPCCodes) : rpcSuccess)
    list.append(serverAddresses[operation.peer])
    list.append(rpcPort)
    if operation.operationClass == .rpcClient {
      list.append(world.podAddresses[world.instance(of: operation.peer, placement: facts.placement)])
    } else {
      list.append(Attribute("network.peer.port", .int(Int64(random.integer(in: 32_768..<61_000)))))
    }
  }

  private func addInternal(_ list: inout [Attribute], _ random: inout TrafficRandom) {
    list.append(Attribute("thread.id", .int(Int64(random.integer(in: 1..<200)))))
    list.append(random.pick(threadNames))
    if random.chance(0.5) { list.append(cacheHit[random.chance(0.8) ? 1 : 0]) }
    if random.chance(0.4) { list.append(Attribute("app.model.score", .double(random.unit()))) }
  }

  private func addMessaging(_ list: inout [Attribute], chunkIndex: Int, _ random: inout TrafficRandom) {
    list.append(random.pick(partitions))
    // Offsets grow with time, slice by slice.
    let offset = 5_000_000 + chunkIndex * 100_000 + random.below(100_000)
    list.append(Attribute("messaging.kafka.offset", .int(Int64(offset))))
    list.append(Attribute("messaging.message.id", .string(TrafficText.uuid(random.next(), random.next()))))
  }

  /// An exception for each error, and a retry now and then.
  func events(
    of span: TrafficSpan, failure: Int, origin: UInt64, _ random: inout TrafficRandom
  ) -> [SpanEvent] {
    let isRetried = random.chance(0.03)
    guard span.isError || isRetried else { return [] }
    var events: [SpanEvent] = []
    func time() -> Timestamp {
      let share = random.uniform(0.3, 1)
      return Timestamp(nanoseconds: origin &+ UInt64(span.start + Int64(Double(span.end - span.start) * share)))
    }
    if span.isError {
      let words = RealisticVocabulary.failures[failure]
      let message = TrafficText.joined(words.messagePrefix, random.integer(in: 1..<30_000), words.messageSuffix)
      let stack = failure + RealisticVocabulary.failures.count * random.below(5)
      events.append(
        SpanEvent(
          time: time(), name: "exception",
          attributes: [
            exceptionTypes[failure], Attribute("exception.message", .string(message)), stackTraces[stack],
            escaped[random.chance(0.3) ? 1 : 0],
          ]))
    }
    if isRetried {
      let backoff = PortableMath.rounded(random.logNormal(4, 0.5) * 1000) / 1000
      events.append(
        SpanEvent(
          time: time(), name: "retry",
          attributes: [
            Attribute("retry.attempt", .int(Int64(random.integer(in: 1..<5)))),
            Attribute("retry.backoff_ms", .double(backoff)), random.pick(retryReasons),
          ]))
    }
    return events
  }

  func ofLink(_ random: inout TrafficRandom) -> [Attribute] {
    guard random.chance(0.5) else { return [] }
    return [
      random.pick(linkKinds), Attribute("messaging.batch.index", .int(Int64(random.below(100)))),
    ]
  }
}
