package import TraceGraph
package import TraceModel
package import TraceSource

/// The calls between the spans of some traces, edge by edge.
package struct TraceCalls: Sendable {
  /// A producer span, which links of other traces may point to.
  package struct Producer: Sendable {
    /// The ordinal of its trace.
    package var ordinal: UInt32
    /// A code of `names`.
    package var service: UInt32
    package var spanID: UInt64
    package var start: UInt64

    package init(ordinal: UInt32, service: UInt32, spanID: UInt64, start: UInt64) {
      self.ordinal = ordinal
      self.service = service
      self.spanID = spanID
      self.start = start
    }
  }

  /// Texts by the codes that all here use.
  package let names: [[UInt8]]
  private let edges: [EdgeKey]
  /// Of each edge, then the number of all calls.
  private let firstCalls: [Int]
  // Of each call or unpaired span.
  private let starts: [UInt64]
  private let durations: [UInt64]
  /// The ordinal of the trace, doubled, and one more for an error.
  private let ordinals: [UInt32]
  /// Consumers without a caller in their trace, with the ordinal of their trace.
  package let linked: [(ordinal: UInt32, consumer: LinkedConsumer)]
  /// In the order of traces and span ids.
  package let producers: [Producer]
  /// By ordinal.
  package let traces: [TraceID]

  /// Whether all calls and linked consumers start in a window.
  package func allStart(in window: ClosedRange<UInt64>) -> Bool {
    startBounds.map { window.contains($0.lowerBound) && window.contains($0.upperBound) } ?? true
  }
  /// Nil without any.
  private let startBounds: ClosedRange<UInt64>?

  package let byteCount: Int

  package init(
    names: [[UInt8]], calls: CallCollector, linked: [(ordinal: UInt32, consumer: LinkedConsumer)],
    producers: [Producer], traces: [TraceID]
  ) {
    self.names = names
    edges = calls.edges
    (firstCalls, starts, durations, ordinals) = calls.columns()
    startBounds = linked.reduce(calls.startBounds) { bounds, linked in
      let start = linked.consumer.span.start
      return bounds.map { min($0.lowerBound, start)...max($0.upperBound, start) } ?? start...start
    }
    self.linked = linked
    self.producers = producers.sorted {
      let (left, right) = (traces[Int($0.ordinal)], traces[Int($1.ordinal)])
      return left != right ? left < right : $0.spanID < $1.spanID
    }
    self.traces = traces
    byteCount =
      starts.count * 20 + traces.count * 16 + linked.count * 160 + producers.count * MemoryLayout<Producer>.stride
      + edges.count * 24 + names.reduce(0) { $0 + $1.count + 64 }
  }

  /// What several have, one behind the other.
  ///
  /// - Parameter parts: with the traces that are left out, by ordinal; empty for none. No trace is in two parts.
  package init(joining parts: [(calls: TraceCalls, isLeftOut: [Bool])]) {
    var names = NameTable()
    var calls = CallCollector(capacity: parts.reduce(0) { $0 + $1.calls.starts.count })
    var linked: [(ordinal: UInt32, consumer: LinkedConsumer)] = []
    var producers: [Producer] = []
    var traces: [TraceID] = []
    for (part, isLeftOut) in parts {
      let codes = part.names.map { names.code(of: $0) }
      var ordinals = [UInt32?](repeating: nil, count: part.traces.count)
      for (ordinal, trace) in part.traces.enumerated() where isLeftOut.isEmpty || !isLeftOut[ordinal] {
        ordinals[ordinal] = UInt32(truncatingIfNeeded: traces.count)
        traces.append(trace)
      }
      for (index, edge) in part.edges.enumerated() {
        let key = EdgeKey(
          caller: codes[Int(edge.caller)], callee: codes[Int(edge.callee)], connection: edge.connection)
        // Edges all of whose calls are left out are none.
        var place: UInt32?
        for call in part.firstCalls[index]..<part.firstCalls[index + 1] {
          guard let ordinal = ordinals[Int(part.ordinals[call] >> 1)] else { continue }
          let edge = place ?? calls.place(of: key)
          place = edge
          calls.add(
            to: edge, ordinal: ordinal, isError: part.ordinals[call] & 1 == 1, start: part.starts[call],
            duration: part.durations[call])
        }
      }
      for (ordinal, consumer) in part.linked {
        guard let ordinal = ordinals[Int(ordinal)] else { continue }
        var consumer = consumer
        consumer.span.service = codes[Int(consumer.span.service)]
        linked.append((ordinal, consumer))
      }
      for producer in part.producers {
        guard let ordinal = ordinals[Int(producer.ordinal)] else { continue }
        producers.append(
          Producer(
            ordinal: ordinal, service: codes[Int(producer.service)], spanID: producer.spanID, start: producer.start))
      }
    }
    self.init(names: names.names, calls: calls, linked: linked, producers: producers, traces: traces)
  }

  /// Calls `body` once for each edge that has calls in the window.
  ///
  /// - Parameters:
  ///   - window: nil for all.
  ///   - isLeftOut: by ordinal of the trace; empty for none.
  package func forEachEdge(
    in window: ClosedRange<UInt64>?, leavingOut isLeftOut: [Bool],
    _ body: (EdgeKey, _ durations: UnsafeBufferPointer<UInt64>, _ errorCount: Int) -> Void
  ) {
    var kept: [UInt64] = []
    durations.withUnsafeBufferPointer { durations in
      for (index, edge) in edges.enumerated() {
        let calls = firstCalls[index]..<firstCalls[index + 1]
        var errorCount = 0
        guard window != nil || !isLeftOut.isEmpty else {
          for ordinal in ordinals[calls] { errorCount &+= Int(ordinal & 1) }
          body(edge, UnsafeBufferPointer(rebasing: durations[calls]), errorCount)
          continue
        }
        kept.removeAll(keepingCapacity: true)
        for call in calls
        where window?.contains(starts[call]) ?? true && (isLeftOut.isEmpty || !isLeftOut[Int(ordinals[call] >> 1)]) {
          kept.append(durations[call])
          errorCount &+= Int(ordinals[call] & 1)
        }
        if !kept.isEmpty { kept.withUnsafeBufferPointer { body(edge, $0, errorCount) } }
      }
    }
  }
}

/// Calls as they are found, trace by trace.
package struct CallCollector: Sendable {
  fileprivate private(set) var edges: [EdgeKey] = []
  private var places: [EdgeKey: UInt32] = [:]
  private var calls: [(edge: UInt32, ordinal: UInt32, start: UInt64, duration: UInt64)] = []

  package init(capacity: Int) { calls.reserveCapacity(capacity) }

  /// - Parameter ordinal: of the trace.
  package mutating func add(_ call: Call, ordinal: Int) {
    add(
      to: place(of: EdgeKey(call)), ordinal: UInt32(truncatingIfNeeded: ordinal), isError: call.isError,
      start: call.start, duration: call.duration)
  }

  fileprivate mutating func place(of edge: EdgeKey) -> UInt32 {
    if let known = places[edge] { return known }
    let place = UInt32(edges.count)
    places[edge] = place
    edges.append(edge)
    return place
  }

  @inline(__always)
  fileprivate mutating func add(to edge: UInt32, ordinal: UInt32, isError: Bool, start: UInt64, duration: UInt64) {
    calls.append((edge, ordinal << 1 | (isError ? 1 : 0), start, duration))
  }

  /// Nil without calls.
  fileprivate var startBounds: ClosedRange<UInt64>? {
    guard let first = calls.first else { return nil }
    return calls.reduce(first.start...first.start) { min($0.lowerBound, $1.start)...max($0.upperBound, $1.start) }
  }

  /// The calls of each edge side by side.
  fileprivate func columns() -> (firstCalls: [Int], starts: [UInt64], durations: [UInt64], ordinals: [UInt32]) {
    var ends = [Int](repeating: 0, count: edges.count + 1)
    for call in calls { ends[Int(call.edge) + 1] += 1 }
    for edge in edges.indices { ends[edge + 1] += ends[edge] }
    let firstCalls = ends
    var starts = [UInt64](repeating: 0, count: calls.count)
    var durations = starts
    var ordinals = [UInt32](repeating: 0, count: calls.count)
    for call in calls {
      let place = ends[Int(call.edge)]
      ends[Int(call.edge)] += 1
      starts[place] = call.start
      durations[place] = call.duration
      ordinals[place] = call.ordinal
    }
    return (firstCalls, starts, durations, ordinals)
  }
}
