import TraceModel

extension RealisticWorld {
  private typealias Words = RealisticVocabulary

  /// Every service gets `factor` times as many operations of its own as the reference has; topics stay.
  mutating func makeOperations(factor: Int, _ random: inout TrafficRandom) {
    for service in services.indices {
      let speaksHTTP = services[service].layer <= 1 || random.chance(0.35)
      for _ in 0..<factor * random.integer(in: 4..<11) {
        let operation =
          speaksHTTP ? Self.httpServer(service, services, &random) : Self.rpcServer(service, services, &random)
        services[service].servers.append(add(operation, &random))
      }
      let database = services[service].layer >= 1 ? random.pick(Words.databases) : "redis"
      for _ in 0..<factor * random.integer(in: 3..<8) {
        let operation = Self.query(service, services[service].name, database, &random)
        services[service].databases.append(add(operation, &random))
      }
      for _ in 0..<factor * random.integer(in: 1..<5) {
        let name = services[service].name
        let type = Self.typeName(name)
        let function = random.pick(Words.functions)
        let package = name.split(separator: "-").first.map(String.init) ?? name
        let operation = Self.function(
          service, name: "\(type).\(function)", function: "com.shop.\(package).\(type).\(function)")
        services[service].internals.append(add(operation, &random))
      }
      if random.chance(0.35) {
        let topic = "shop.\(random.pick(Words.nouns)).v1"
        let consumer = random.below(services.count)
        services[service].producers.append(add(Self.messaging(.producer, service, topic), &random))
        services[consumer].consumers.append(add(Self.messaging(.consumer, consumer, topic), &random))
      }
    }
  }

  /// Gives the operation its self time and its number.
  mutating func add(_ operation: RealisticOperation, _ random: inout TrafficRandom) -> Int {
    var operation = operation
    operation.mu = PortableMath.log(operation.operationClass.medianNanoseconds) + 0.7 * random.normalPair().0
    operation.sigma = random.uniform(0.35, 0.9)
    operations.append(operation)
    return operations.count - 1
  }

  /// The operation with which `service` calls the server operation `callee`.
  mutating func client(of service: Int, calling callee: Int, _ random: inout TrafficRandom) -> Int {
    let key = service << 32 | callee
    if let known = clients[key] { return known }
    let server = operations[callee]
    let operation: RealisticOperation
    if server.operationClass == .httpServer {
      let host = "http://\(services[server.service].name).svc.cluster.local:8080"
      operation = RealisticOperation(
        operationClass: .httpClient, service: service, peer: server.service, name: server.method,
        lead: [Attribute("http.request.method", .string(server.method))],
        location: RealisticOperation.Location(key: "url.full", text: host + server.route))
    } else {
      operation = RealisticOperation(
        operationClass: .rpcClient, service: service, peer: server.service, name: server.name, lead: server.lead)
    }
    let number = add(operation, &random)
    clients[key] = number
    return number
  }

  static func function(_ service: Int, name: String, function: String) -> RealisticOperation {
    RealisticOperation(
      operationClass: .internal, service: service, peer: service, name: name,
      lead: [Attribute("code.function.name", .string(function))])
  }

  /// `cart-service` → `CartService`.
  private static func typeName(_ service: String) -> String {
    service.split(separator: "-").map { TrafficText.capitalized($0) }.joined()
  }

  private static func httpServer(
    _ service: Int, _ services: [Service], _ random: inout TrafficRandom
  ) -> RealisticOperation {
    let noun = random.pick(Words.nouns)
    let method = random.pick(Words.methods)
    let version = random.integer(in: 1..<4)
    let second = random.pick(Words.nouns)
    let route = "/api/v\(version)/\(noun)" + random.pick(["", "/{id}", "/{id}/\(second)", "/search"])
    return RealisticOperation(
      operationClass: .httpServer, service: service, peer: service, name: "\(method) \(route)",
      lead: [
        Attribute("http.request.method", .string(method)), Attribute("url.scheme", "https"),
        Attribute("http.route", .string(route)),
      ], location: RealisticOperation.Location(key: "url.path", text: route), method: method, route: route)
  }

  private static func rpcServer(
    _ service: Int, _ services: [Service], _ random: inout TrafficRandom
  ) -> RealisticOperation {
    let type = "shop.\(typeName(services[service].name))"
    let method = random.pick(Words.verbs) + TrafficText.capitalized(random.pick(Words.nouns))
    return RealisticOperation(
      operationClass: .rpcServer, service: service, peer: service, name: "\(type)/\(method)",
      lead: [
        Attribute("rpc.system", "grpc"), Attribute("rpc.service", .string(type)),
        Attribute("rpc.method", .string(method)),
      ])
  }

  private static func messaging(_ operationClass: OperationClass, _ service: Int, _ topic: String) -> RealisticOperation
  {
    RealisticOperation(
      operationClass: operationClass, service: service, peer: service,
      name: (operationClass == .producer ? "send " : "process ") + topic,
      lead: [Attribute("messaging.system", "kafka"), Attribute("messaging.destination.name", .string(topic))])
  }

  private static func query(
    _ service: Int, _ serviceName: String, _ database: String, _ random: inout TrafficRandom
  ) -> RealisticOperation {
    let table = random.pick(Words.tables)
    let command = random.pick(database == "redis" ? Words.redisCommands : Words.sqlCommands)
    let text: String
    if database == "redis" {
      text = "\(command) \(table):?"
    } else {
      let short = table.prefix(3)
      let columns = chosen(random.integer(in: 3..<10), of: Words.columns, &random).map { "\(short).\($0)" }
        .joined(separator: ", ")
      switch command {
      case "SELECT":
        text =
          "SELECT \(columns) FROM \(table) \(short) WHERE \(short).id = $1 AND \(short).tenant_id = $2 "
          + "ORDER BY \(short).created_at DESC LIMIT \(random.integer(in: 1..<100))"
      case "INSERT": text = "INSERT INTO \(table) (\(columns)) VALUES ($1, $2, $3, $4) RETURNING id"
      default: text = "UPDATE \(table) SET status = $1, updated_at = now() WHERE id = $2 AND version = $3"
      }
    }
    let namespace = String(decoding: serviceName.utf8.map { $0 == 45 ? 95 : $0 }, as: UTF8.self)
    return RealisticOperation(
      operationClass: .database, service: service, peer: service,
      name: database == "redis" ? command : "\(command) \(table)",
      lead: [
        Attribute("db.system.name", .string(database)), Attribute("db.namespace", .string(namespace)),
        Attribute("db.operation.name", .string(command)), Attribute("db.collection.name", .string(table)),
        Attribute("db.query.text", .string(text)),
        Attribute("server.address", .string("\(serviceName)-\(database).db.internal")),
        Attribute("server.port", .int(Int64(Words.databasePorts[database] ?? 0))),
      ])
  }

  /// `count` different words in random order.
  private static func chosen(_ count: Int, of words: [String], _ random: inout TrafficRandom) -> [String] {
    var words = words
    for place in 0..<count { words.swapAt(place, random.integer(in: place..<words.count)) }
    return Array(words.prefix(count))
  }
}
