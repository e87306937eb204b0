import TraceEngine

/// The time that lists of names take: what an editor of queries asks while somebody types.
enum NameTable {
  static func measure(_ store: TraceStore) async throws -> TimeTable {
    var table = TimeTable()
    table.add("services", "all") { try await store.getServices().count }
    let services = try await store.getServices().elements
    let some = [services.first, services.last].compactMap(\.self)
    for service in some {
      table.add("operations", "of \(service)") {
        try await store.getOperations(OperationQuery(serviceName: service)).count
      }
      table.add("operations", "of \(service), server") {
        try await store.getOperations(OperationQuery(serviceName: service, spanKind: .server)).count
      }
    }
    table.add("keys", "all") { try await store.getAttributeKeys(AttributeKeyQuery()).count }
    table.add("keys", "of resources") { try await store.getAttributeKeys(AttributeKeyQuery(level: .resource)).count }
    for service in some {
      table.add("keys", "of \(service)") {
        try await store.getAttributeKeys(AttributeKeyQuery(serviceName: service)).count
      }
    }
    for (key, prefix) in [
      ("http.route", "/api"), ("http.request.method", "P"), ("http.response.status_code", "5"), ("enduser.id", "u-3"),
      ("k8s.pod.name", "acc"), ("url.full", "https://shop.example/a"), ("exception.type", ""),
    ] {
      table.add("values", "of \(key), \"\(prefix)…\"") {
        try await store.getAttributeValues(AttributeValueQuery(key: key, prefix: prefix)).collect().elements.count
      }
      guard let service = some.first else { continue }
      table.add("values", "of \(key), \"\(prefix)…\", in \(service)") {
        let query = AttributeValueQuery(key: key, prefix: prefix, serviceName: service)
        return try await store.getAttributeValues(query).collect().elements.count
      }
    }
    try await table.measure()
    return table
  }
}
