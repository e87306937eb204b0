import TraceAggregate
package import TraceGraph
public import TraceModel
public import TracestoreV2

/// Calls, errors and latencies by minute and service, and the service graph, of spans as they come; with marks where the
/// present differs from what was usual.
///
/// A span counts in the minute it started in, and when it enters a service: server and consumer spans, and spans without
/// a parent. Memory is bounded: minutes older than the window are forgotten, and older ones before that when the bytes
/// do not suffice; services and peers beyond the limits are counted together under `otherServices`; edges beyond the
/// limit are left out and their calls counted. A value: for one task at a time.
public struct LiveFigures: Sendable {
  /// What the figures lack, since they began.
  public struct Losses: Hashable, Sendable {
    /// Spans that started before the window, in a minute that was forgotten, or more than a minute from now.
    public internal(set) var ignoredSpanCount: UInt64 = 0
    /// Calls of edges beyond the limit, or outside of the window.
    public internal(set) var ignoredCallCount: UInt64 = 0
    /// Traces that were paired before they had been quiet, because too many spans waited: what came of them later was
    /// paired without what came before.
    public internal(set) var earlyTraceCount: UInt64 = 0
    /// Minutes of the window that were forgotten because the figures took too many bytes.
    public internal(set) var forgottenMinuteCount: UInt64 = 0
    /// Requests that were no longer to be had when it was their turn; see `LostEvents`.
    public internal(set) var requestCount: UInt64 = 0

    public init() {}
  }

  /// The name under which services beyond the limit are counted.
  public static let otherServices = "(other services)"
  public static let minuteNanoseconds: UInt64 = 60_000_000_000

  /// How many minutes are kept.
  public let minuteCount: Int
  /// How many services are told apart in a minute, and edges in the graph.
  public let maximumServiceCount: Int
  /// Bytes of cells, edges and names; the oldest minutes go first.
  public let maximumByteCount: Int
  /// Final spans that were looked at, whether or not they enter a service.
  public internal(set) var spanCount: UInt64 = 0
  public internal(set) var losses = Losses()
  /// Those that there are figures of, ascending.
  var held: [LiveMinute] = []
  /// The one that was added to last.
  private var lastPlace = 0
  private var presentMinute: UInt64 = 0
  /// Minutes before it have been forgotten for want of room.
  private var leastMinute: UInt64 = 0
  var names = NameTable()
  private var keptNameCount = 0
  private var keptNameByteCount = 0
  private var otherCode: UInt32
  private var pairing = CallPairing()
  private(set) var cellByteCount = 0

  public init(minuteCount: Int = 60, maximumServiceCount: Int = 1000, maximumByteCount: Int = 16 << 20) {
    self.minuteCount = max(1, minuteCount)
    self.maximumServiceCount = max(1, maximumServiceCount)
    self.maximumByteCount = max(1 << 16, maximumByteCount)
    otherCode = names.code(of: Array(Self.otherServices.utf8))
  }

  /// Spans that started before the window, or more than a minute from now.
  public var ignoredSpanCount: UInt64 { losses.ignoredSpanCount }

  /// The minutes that there are figures of, ascending.
  public var minutes: [UInt64] { held.filter { !$0.cells.isEmpty }.map(\.number) }

  /// The cells of a minute, by service.
  public func cells(ofMinute minute: UInt64) -> [(service: String, cell: Cell)] {
    guard let own = held.first(where: { $0.number == minute }) else { return [] }
    return zip(own.services, own.cells).map { (names.names[Int($0)], $1) }
      .sorted { $0.0.lexicographicallyPrecedes($1.0) }
      .map { (String(decoding: $0.0, as: UTF8.self), $0.1) }
  }

  /// Bytes held, within a quarter or so.
  public var byteCount: Int { cellByteCount + names.byteCount }

  // MARK: Adding

  public mutating func add(_ found: FoundSpan) {
    if hasManyNames { forgetNames() }
    add(callSpan(found))
  }

  package mutating func add(_ span: CallSpan) {
    spanCount &+= 1
    guard span.role.isCallee || span.parentID == 0 else { return }
    guard let place = place(ofMinuteAt: span.start) else {
      losses.ignoredSpanCount &+= 1
      return
    }
    let isFull = held[place].cells.count >= maximumServiceCount || isOutOfRoom
    grow(held[place].add(span, otherCode: isFull ? otherCode : nil))
  }

  /// Adds the calls of a completed trace. Links to other traces are not followed.
  public mutating func add(trace spans: [FoundSpan]) {
    if hasManyNames { forgetNames() }
    let rows = Set(spans).map { callSpan($0) }
    rows.withUnsafeBufferPointer { add(trace: $0) }
  }

  /// The same for the distinct spans of a trace, or of a part of one.
  package mutating func add(trace spans: UnsafeBufferPointer<CallSpan>) {
    var pairing = CallPairing()
    swap(&pairing, &self.pairing)
    let table = names
    pairing.pair(spans, precedes: table.precedes, isLinked: { _ in false }, { add($0) })
    swap(&pairing, &self.pairing)
  }

  private mutating func add(_ call: Call) {
    guard let place = place(ofMinuteAt: call.start) else {
      losses.ignoredCallCount &+= 1
      return
    }
    let isFull = held[place].edges.count >= maximumServiceCount || isOutOfRoom
    guard let grown = held[place].add(call, isFull: isFull) else {
      losses.ignoredCallCount &+= 1
      return
    }
    grow(grown)
  }

  /// Says what time it is: minutes that fall out of the window are forgotten. Clocks of producers do not move it.
  public mutating func advance(to now: Timestamp) {
    let minute = now.nanoseconds / Self.minuteNanoseconds
    guard minute > presentMinute else { return }
    presentMinute = minute
    let oldest = minute - min(minute, UInt64(minuteCount - 1))
    while let first = held.first, first.number < oldest { forgetOldest() }
  }

  /// The place of the minute of a time inside the window.
  private mutating func place(ofMinuteAt nanoseconds: UInt64) -> Int? {
    let minute = nanoseconds / Self.minuteNanoseconds
    if lastPlace < held.count, held[lastPlace].number == minute { return lastPlace }
    guard minute <= presentMinute + 1, minute + UInt64(minuteCount) > presentMinute, minute >= leastMinute else {
      return nil
    }
    var (low, high) = (0, held.count)
    while low < high {
      let middle = (low + high) / 2
      if held[middle].number < minute { low = middle + 1 } else { high = middle }
    }
    if low == held.count || held[low].number > minute {
      held.insert(LiveMinute(minute), at: low)
      cellByteCount += held[low].byteCount
    }
    lastPlace = low
    return low
  }

  // MARK: Memory

  /// Names share a quarter of the bytes.
  private var maximumNameByteCount: Int { maximumByteCount / 4 }
  private static let maximumNameCharacterCount = 4096
  private var maximumNameCount: Int { 16 * min(maximumServiceCount, 1 << 24) }

  /// Whether not even one minute has room for more.
  private var isOutOfRoom: Bool { held.count == 1 && cellByteCount > maximumByteCount }

  private mutating func grow(_ byteCount: Int) {
    cellByteCount += byteCount
    while cellByteCount > maximumByteCount, held.count > 1 {
      leastMinute = held[0].number + 1
      forgetOldest()
      losses.forgottenMinuteCount &+= 1
    }
  }

  private mutating func forgetOldest() {
    cellByteCount -= held.removeFirst().byteCount
    lastPlace = 0
    // Names may have gone with it.
    (keptNameCount, keptNameByteCount) = (0, 0)
  }

  /// The code of a text: that of `otherServices` where there is no room for another name.
  package mutating func code(of name: [UInt8]) -> UInt32 {
    if let known = names.knownCode(of: name) { return known }
    let isFull =
      names.names.count >= maximumNameCount || names.byteCount + name.count > maximumNameByteCount
      || name.count > Self.maximumNameCharacterCount
    return isFull ? otherCode : names.code(of: name)
  }

  /// Whether names should be forgotten that no minute has any more: not again before a
  /// minute has gone or many have come.
  package var hasManyNames: Bool {
    names.names.count > max(maximumNameCount / 2, keptNameCount + maximumNameCount / 4)
      || names.byteCount > max(maximumNameByteCount / 2, keptNameByteCount + maximumNameByteCount / 4)
  }

  /// Forgets names that no minute has. All codes that were given out before mean nothing afterwards.
  package mutating func forgetNames() {
    let old = names
    names = NameTable()
    otherCode = names.code(of: Array(Self.otherServices.utf8))
    for place in held.indices {
      held[place].recode { code in names.code(of: old.names[Int(code)]) }
    }
    cellByteCount = held.reduce(0) { $0 + $1.byteCount }
    (keptNameCount, keptNameByteCount) = (names.names.count, names.byteCount)
  }

  private mutating func callSpan(_ found: FoundSpan) -> CallSpan {
    CallSpan(found.span, service: found.resource.serviceName) { code(of: Array($0.utf8)) }
  }
}
