extension RealisticWorld {
  /// Services of deeper layers: those that this one may call.
  private func deeper(than service: Int) -> [Int] {
    services.indices.filter { services[$0].layer > services[service].layer }
  }

  /// What every server and consumer operation does when it runs: near layers are called more than far ones.
  mutating func makeCalls(_ random: inout TrafficRandom) {
    for service in services.indices {
      let callees = deeper(than: service)
      var total = 0.0
      let weights = callees.map { callee in
        let distance = Double(services[callee].layer - services[service].layer)
        total += 1 / (distance * distance)
        return total
      }
      for operation in services[service].servers + services[service].consumers {
        calls[operation] = (0..<random.integer(in: 1..<6)).map { _ in
          let draw = random.unit()
          if draw < 0.62, !callees.isEmpty {
            return .remote(random.pick(services[callees[random.weightedIndex(weights)]].servers))
          }
          if draw < 0.85 { return .local(random.pick(services[service].databases)) }
          if draw >= 0.93, let producer = services[service].producers.first { return .local(producer) }
          return .local(random.pick(services[service].internals))
        }
      }
    }
  }

  /// `count` templates of 5 to 60 spans; a few are followed much more often than the rest.
  mutating func makeTemplates(count: Int, _ random: inout TrafficRandom) {
    let roots =
      services.filter { $0.layer == 0 }.flatMap(\.servers)
      + services.filter { $0.layer == 1 }.flatMap { $0.servers.prefix(2) }
    let consumers = services.flatMap(\.consumers)
    let callees = services.indices.map { deeper(than: $0) }
    for _ in 0..<count {
      let target = Int(PortableMath.exp(random.uniform(PortableMath.log(5), PortableMath.log(60))))
      let root: Int
      if !consumers.isEmpty, random.chance(0.1) {
        root = random.pick(consumers)
      } else {
        root = roots[min(random.zipf(1.4) - 1, roots.count - 1)]
      }
      templates.append(template(root, targetCount: target, callees, &random))
    }
    var total = 0.0
    for _ in 0..<count {
      total += Double(min(random.zipf(1.3), 300))
      templateWeights.append(total)
    }
  }

  private mutating func template(
    _ root: Int, targetCount: Int, _ callees: [[Int]], _ random: inout TrafficRandom
  ) -> [TemplateNode] {
    var nodes = [TemplateNode(operation: Int32(root), parent: -1, level: 0)]
    var next = 0
    while nodes.count < targetCount {
      guard next < nodes.count else {
        extend(&nodes, targetCount, callees, &random)
        continue
      }
      let operation = Int(nodes[next].operation)
      for call in calls[operation, default: []] where random.chance(0.8) && nodes.count < targetCount {
        switch call {
        case .local(let callee): append(callee, under: next, to: &nodes)
        case .remote(let callee):
          appendCall(callee, from: operations[operation].service, under: next, to: &nodes, &random)
        }
      }
      next += 1
    }
    return Self.breadthFirst(nodes)
  }

  /// One more thing done by some entry span, for templates whose calls ran out before they were large enough.
  private mutating func extend(
    _ nodes: inout [TemplateNode], _ targetCount: Int, _ callees: [[Int]], _ random: inout TrafficRandom
  ) {
    let entries = nodes.indices.filter { operations[Int(nodes[$0].operation)].operationClass.isEntry }
    let parent = random.pick(entries)
    let service = operations[Int(nodes[parent].operation)].service
    let draw = random.unit()
    if draw < 0.55, !callees[service].isEmpty, nodes.count + 2 <= targetCount {
      let callee = random.pick(services[random.pick(callees[service])].servers)
      appendCall(callee, from: service, under: parent, to: &nodes, &random)
    } else if draw < 0.85 {
      let query = random.pick(services[service].databases)
      let count = random.chance(0.8) ? 1 : min(targetCount - nodes.count, random.integer(in: 2..<8))
      for _ in 0..<count { append(query, under: parent, to: &nodes) }
    } else {
      append(random.pick(services[service].internals), under: parent, to: &nodes)
    }
  }

  private func append(_ operation: Int, under parent: Int, to nodes: inout [TemplateNode]) {
    nodes.append(
      TemplateNode(operation: Int32(operation), parent: Int32(parent), level: nodes[parent].level + 1))
  }

  /// The client span and, under it, the server span.
  private mutating func appendCall(
    _ callee: Int, from service: Int, under parent: Int, to nodes: inout [TemplateNode], _ random: inout TrafficRandom
  ) {
    append(client(of: service, calling: callee, &random), under: parent, to: &nodes)
    append(callee, under: nodes.count - 1, to: &nodes)
  }

  /// Renumbers so that parents stand before children and siblings side by side.
  private static func breadthFirst(_ nodes: [TemplateNode]) -> [TemplateNode] {
    var children = [[Int]](repeating: [], count: nodes.count)
    for index in nodes.indices.dropFirst() { children[Int(nodes[index].parent)].append(index) }
    var order = [0]
    var place = 0
    while place < order.count {
      order += children[order[place]]
      place += 1
    }
    var renumbered = [Int32](repeating: -1, count: nodes.count)
    for (new, old) in order.enumerated() { renumbered[old] = Int32(new) }
    return order.map { old in
      var node = nodes[old]
      if node.parent >= 0 { node.parent = renumbered[Int(node.parent)] }
      return node
    }
  }

  /// A nightly job whose traces hold thousands of spans: pages of 99 queries under one root.
  mutating func makeReconciliation(_ random: inout TrafficRandom) {
    let service = services.firstIndex { $0.name == "ledger-service" } ?? 0
    reconcileRun = add(
      Self.function(service, name: "reconcile.run", function: "com.shop.ledger.Reconcile.run"), &random)
    reconcilePage = add(
      Self.function(service, name: "reconcile.page", function: "com.shop.ledger.Reconcile.page"), &random)
    reconcileQueries = services[service].databases
  }

  func reconciliation(spanCount: Int, _ random: inout TrafficRandom) -> [TemplateNode] {
    let pageCount = spanCount / 100
    var nodes = [TemplateNode(operation: Int32(reconcileRun), parent: -1, level: 0)]
    for _ in 0..<pageCount { nodes.append(TemplateNode(operation: Int32(reconcilePage), parent: 0, level: 1)) }
    for query in 0..<pageCount * 99 {
      nodes.append(
        TemplateNode(operation: Int32(random.pick(reconcileQueries)), parent: Int32(1 + query / 99), level: 2))
    }
    return nodes
  }
}
