import TraceModel

/// Spans of traces that may go on, a bounded number of them: a trace is handed over to be paired once nothing has come of
/// it for a while, or when room is needed and one of its spans has waited longest. For one thread.
///
/// Spans stand in a ring in the order they came, so that those of a trace, which mostly come together, stand near each
/// other; they are linked. Traces stand in a list by when something came of them last, and are found through a table with
/// open addressing. Nothing is allocated once the ring is full: 56 bytes a span and, where each has a trace of its own,
/// about 64 a trace.
package struct WaitingTraces: Sendable {
  private struct Trace: Sendable {
    var id: TraceID
    var hash: Int
    var firstSpan: Int32
    var lastSpan: Int32
    var lastArrival: UInt64
    var older: Int32
    var newer: Int32
  }

  /// Where a span of the ring belongs.
  private struct Link: Sendable {
    /// `none` for a place that is free.
    var trace: Int32
    /// The next span of the same trace.
    var next: Int32
  }

  private let maximumSpanCount: Int
  private var spans: [CallSpan] = []
  private var links: [Link] = []
  /// The place in the ring that the next span takes.
  private var head = 0
  private var traces: [Trace] = []
  /// Linked through `newer`.
  private var freeTrace = Self.none
  private var oldest = Self.none
  private var newest = Self.none
  /// Places in `traces` by hash; at most half of it is taken.
  private var table = [Int32](repeating: Self.none, count: 1024)
  private var traceCount = 0
  /// Spans that wait now.
  package private(set) var spanCount = 0
  /// Traces that were handed over before they had been quiet.
  package private(set) var earlyCount: UInt64 = 0
  private var fragment: [CallSpan] = []
  /// A bit for each id that was met in the fragment: where the bit is new, the span is no repeat.
  private var met = [UInt64](repeating: 0, count: 16)
  private let seed: UInt64

  private static let none: Int32 = -1
  /// Up to so many spans before it a span that may be a repeat is compared with all of them.
  private static let walkedCount = 256

  package init(maximumSpanCount: Int) {
    self.maximumSpanCount = min(max(1, maximumSpanCount), 1 << 24)
    // Of the process: nobody outside can choose ids that share a place.
    seed = UInt64(truncatingIfNeeded: Hasher().finalize()) | 1
  }

  /// Bytes held.
  package var byteCount: Int {
    (spans.capacity + fragment.capacity) * MemoryLayout<CallSpan>.stride + links.capacity * MemoryLayout<Link>.stride
      + traces.capacity * MemoryLayout<Trace>.stride + table.capacity * 4
  }

  /// Adds spans that came at a time, which does not go back. What has to go for them is handed over.
  package mutating func add(
    _ arrived: UnsafeBufferPointer<StreamedSpan>, at now: UInt64, _ handOver: (UnsafeBufferPointer<CallSpan>) -> Void
  ) {
    for own in arrived {
      if head < links.count, links[head].trace >= 0 {
        earlyCount &+= 1
        take(links[head].trace, handOver)
      }
      let trace = place(of: own.trace)
      append(own.span, to: trace)
      traces[Int(trace)].lastArrival = now
      if trace != newest {
        unlink(trace)
        linkAsNewest(trace)
      }
    }
  }

  /// Hands over the traces of which nothing has come for so long.
  package mutating func takeQuiet(
    _ quietNanoseconds: UInt64, at now: UInt64, _ handOver: (UnsafeBufferPointer<CallSpan>) -> Void
  ) {
    while oldest >= 0 {
      let last = traces[Int(oldest)].lastArrival
      // A clock that was set back leaves traces that came in the future: they must not be in the way of all others.
      if now >= last, now - last < quietNanoseconds { return }
      take(oldest, handOver)
    }
  }

  /// Hands over all of them.
  package mutating func takeAll(_ handOver: (UnsafeBufferPointer<CallSpan>) -> Void) {
    while oldest >= 0 {
      earlyCount &+= 1
      take(oldest, handOver)
    }
  }

  // MARK: Spans

  private mutating func append(_ span: CallSpan, to trace: Int32) {
    let place = Int32(truncatingIfNeeded: head)
    if head == spans.count {
      spans.append(span)
      links.append(Link(trace: trace, next: Self.none))
    } else {
      spans[head] = span
      links[head] = Link(trace: trace, next: Self.none)
    }
    head = head &+ 1 == maximumSpanCount ? 0 : head &+ 1
    let last = traces[Int(trace)].lastSpan
    if last >= 0 { links[Int(last)].next = place } else { traces[Int(trace)].firstSpan = place }
    traces[Int(trace)].lastSpan = place
    spanCount &+= 1
  }

  /// Forgets a trace and hands over its spans, those that came twice once.
  private mutating func take(_ trace: Int32, _ handOver: (UnsafeBufferPointer<CallSpan>) -> Void) {
    fragment.removeAll(keepingCapacity: true)
    for word in met.indices { met[word] = 0 }
    var mustSort = false
    var count = 0
    var place = traces[Int(trace)].firstSpan
    while place >= 0 {
      let span = spans[Int(place)]
      links[Int(place)].trace = Self.none
      place = links[Int(place)].next
      count &+= 1
      let word = Int(truncatingIfNeeded: span.spanID &>> 6) & (met.count &- 1)
      let bit = 1 as UInt64 &<< (span.spanID & 63)
      if met[word] & bit != 0 {
        if fragment.count > Self.walkedCount {
          mustSort = true
        } else if fragment.contains(where: { $0.repeats(span) }) {
          continue
        }
      }
      met[word] |= bit
      fragment.append(span)
    }
    spanCount &-= count
    forget(trace)
    if mustSort { Self.removeRepeats(&fragment) }
    fragment.withUnsafeBufferPointer(handOver)
  }

  private static func removeRepeats(_ spans: inout [CallSpan]) {
    spans.sort { $0.precedes($1) }
    var kept = 1
    for index in spans.indices.dropFirst() where !spans[index].repeats(spans[kept - 1]) {
      spans[kept] = spans[index]
      kept += 1
    }
    spans.removeLast(spans.count - kept)
  }

  // MARK: Traces

  /// The place of a trace, which is new where it is not there.
  private mutating func place(of id: TraceID) -> Int32 {
    if newest >= 0, traces[Int(newest)].id == id { return newest }
    let product = (id.low ^ seed).multipliedFullWidth(by: (id.high ^ 0x9e37_79b9_7f4a_7c15) &* seed | 1)
    let hash = Int(truncatingIfNeeded: product.high ^ product.low)
    let mask = table.count - 1
    var slot = hash & mask
    while table[slot] >= 0 {
      if traces[Int(table[slot])].id == id { return table[slot] }
      slot = (slot &+ 1) & mask
    }
    var place = freeTrace
    let trace = Trace(
      id: id, hash: hash, firstSpan: Self.none, lastSpan: Self.none, lastArrival: 0, older: Self.none, newer: Self.none)
    if place >= 0 {
      freeTrace = traces[Int(place)].newer
      traces[Int(place)] = trace
    } else {
      place = Int32(truncatingIfNeeded: traces.count)
      traces.append(trace)
    }
    table[slot] = place
    traceCount &+= 1
    linkAsNewest(place)
    if traceCount * 2 > table.count { grow() }
    return place
  }

  private mutating func grow() {
    table = [Int32](repeating: Self.none, count: 2 * table.count)
    let mask = table.count - 1
    var place = oldest
    while place >= 0 {
      insert(place, mask)
      place = traces[Int(place)].newer
    }
  }

  private mutating func insert(_ place: Int32, _ mask: Int) {
    var slot = traces[Int(place)].hash & mask
    while table[slot] >= 0 { slot = (slot &+ 1) & mask }
    table[slot] = place
  }

  private mutating func forget(_ trace: Int32) {
    let mask = table.count - 1
    var hole = traces[Int(trace)].hash & mask
    while table[hole] != trace { hole = (hole &+ 1) & mask }
    // What stands behind a hole moves into it, unless that is before its own place.
    var slot = (hole &+ 1) & mask
    while table[slot] >= 0 {
      let own = traces[Int(table[slot])].hash & mask
      if (slot &- own) & mask >= (slot &- hole) & mask {
        table[hole] = table[slot]
        hole = slot
      }
      slot = (slot &+ 1) & mask
    }
    table[hole] = Self.none
    unlink(trace)
    traces[Int(trace)].newer = freeTrace
    freeTrace = trace
    traceCount &-= 1
  }

  private mutating func linkAsNewest(_ trace: Int32) {
    traces[Int(trace)].older = newest
    traces[Int(trace)].newer = Self.none
    if newest >= 0 { traces[Int(newest)].newer = trace } else { oldest = trace }
    newest = trace
  }

  private mutating func unlink(_ trace: Int32) {
    let (older, newer) = (traces[Int(trace)].older, traces[Int(trace)].newer)
    if older >= 0 { traces[Int(older)].newer = newer } else { oldest = newer }
    if newer >= 0 { traces[Int(newer)].older = older } else { newest = older }
  }
}
