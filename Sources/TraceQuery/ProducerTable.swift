import TraceGraph
import TraceSegment
import TraceSource

/// A producer span that a link points to.
struct FoundProducer: Sendable {
  var start: UInt64
  var service: [UInt8]

  /// Spans that share their ids: the first counts, ties by name.
  func precedes(_ other: FoundProducer) -> Bool {
    start != other.start ? start < other.start : service.lexicographicallyPrecedes(other.service)
  }
}

extension TraceCalls {
  /// What links say of one of its producers, and who it is.
  func found(_ producer: Producer) -> (target: LinkTarget, producer: FoundProducer) {
    (
      LinkTarget(trace: traces[Int(producer.ordinal)], spanID: producer.spanID),
      FoundProducer(start: producer.start, service: names[Int(producer.service)])
    )
  }
}

/// The producer spans of some traces, by what links say of them; 28 bytes each.
struct ProducerTable: Sendable {
  /// Ascending.
  private var targets: [LinkTarget] = []
  /// Places of their names.
  private var services: [UInt32] = []
  private let names: [[UInt8]]

  /// - Parameter producers: of traces all of whose parts are known, so that of spans which share their ids the first is known.
  init(_ producers: [(target: LinkTarget, producer: FoundProducer)]) {
    targets.reserveCapacity(producers.count)
    services.reserveCapacity(producers.count)
    var names = NameTable()
    let ordered = producers.sorted {
      $0.target == $1.target ? $0.producer.precedes($1.producer) : Self.precedes($0.target, $1.target)
    }
    for (target, producer) in ordered where targets.last != target {
      targets.append(target)
      services.append(names.code(of: producer.service))
    }
    self.names = names.names
  }

  var byteCount: Int {
    targets.count * (MemoryLayout<LinkTarget>.stride + MemoryLayout<UInt32>.stride)
      + names.reduce(0) { $0 + $1.count + 32 }
  }

  /// The services of those that are wanted.
  ///
  /// What links point to need not be here. To look each up takes as many steps as the table can be halved, and to go
  /// through both side by side one for each target: whichever is less.
  ///
  /// - Parameter wanted: ascending, each once.
  func services(of wanted: [LinkTarget]) -> [(target: LinkTarget, service: [UInt8])] {
    if targets.isEmpty { return [] }
    let halvingCount = Int.bitWidth - targets.count.leadingZeroBitCount
    guard targets.count + wanted.count < wanted.count * halvingCount else {
      return wanted.compactMap { target in service(of: target).map { (target, $0) } }
    }
    var found: [(target: LinkTarget, service: [UInt8])] = []
    var place = 0
    for target in wanted {
      while place < targets.count, Self.precedes(targets[place], target) { place += 1 }
      if place == targets.count { break }
      if targets[place] == target { found.append((target, names[Int(services[place])])) }
    }
    return found
  }

  private func service(of target: LinkTarget) -> [UInt8]? {
    var (low, high) = (0, targets.count)
    while low < high {
      let middle = (low &+ high) / 2
      if Self.precedes(targets[middle], target) { low = middle &+ 1 } else { high = middle }
    }
    return low < targets.count && targets[low] == target ? names[Int(services[low])] : nil
  }

  static func precedes(_ left: LinkTarget, _ right: LinkTarget) -> Bool {
    left.trace != right.trace ? left.trace < right.trace : left.spanID < right.spanID
  }
}

/// The producers that links point to.
struct FoundProducers: Sendable {
  private var services: [LinkTarget: [UInt8]] = [:]

  /// Those that are wanted. A trace is counted in one of the tables, but where damage hides that it stands in several: then
  /// the first name counts, so that the order of the tables changes nothing.
  init(
    _ wanted: Set<LinkTarget>, among tables: [ProducerTable], _ parallel: SegmentParallelism = SegmentWriter.serial
  ) {
    let ascending = wanted.sorted(by: ProducerTable.precedes)
    for found in concurrently(parallel, tables.count, { tables[$0].services(of: ascending) }) {
      for (target, service) in found {
        if let known = services[target], known == service || known.lexicographicallyPrecedes(service) { continue }
        services[target] = service
      }
    }
  }

  func service(of target: LinkTarget) -> [UInt8]? { services[target] }
}
