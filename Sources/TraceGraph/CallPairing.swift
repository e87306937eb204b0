/// Finds the calls of one trace (the rules stand in the article "The service graph").
///
/// Works for traces of any shape: shared ids, cycles, spans that are their own parents. The order of the spans does not
/// matter. Linear in the spans up to 1,024 of them, then n log n. Keeps its memory from trace to trace; for one thread.
package struct CallPairing {
  private var callers: [Int32] = []
  /// The calling span behind each span, as `calling(of:)` finds it; `unknown` until then.
  private var callings: [Int32] = []
  private var marks: [Marks] = []
  private var byID: [(id: UInt64, index: Int32)] = []
  /// What `best` found, where the first span with the id stands in `byID`; `unknown` until it is asked.
  private var bests: [(any: Int32, calling: Int32)] = []
  /// Spans by a hash of their ids, with gaps; spans with one id follow each other in their order, others may stand between.
  private var table: [Int32] = []
  private var tableMask = 0
  private var path: [Int] = []
  private var look = Look.walk
  /// Of the process: nobody outside can choose ids that share a place.
  private static let seed = UInt64(truncatingIfNeeded: Hasher().finalize()) | 1

  /// How spans are found by their ids.
  private enum Look {
    case walk, table, search
  }

  private struct Marks: OptionSet {
    var rawValue: UInt8
    /// A span of another service, or a called one, has it as its caller.
    static let answered = Marks(rawValue: 1)
    /// Another calling span of the service stands below it, and says more about the call.
    static let delegated = Marks(rawValue: 2)
  }

  private static let none: Int32 = -1
  private static let unknown: Int32 = -2
  private static let underWay: Int32 = -3
  /// Up to here ids are looked for by walking over the spans.
  private static let walkedCount = 8
  /// Up to here they stand in a table.
  private static let tabledCount = 1024
  /// More spans that share an id are in the way of all others in a table.
  private static let maximumSharedCount = 16

  package init() {}

  /// Calls `body` with each call and each unpaired span, in any order.
  ///
  /// - Parameters:
  ///   - spans: the distinct final spans of the trace.
  ///   - precedes: the order of two service codes by the bytes of their texts, for ties.
  ///   - linked: true for a consumer without a caller whose links decide about it: nothing is said of it here.
  package mutating func pair(
    _ spans: UnsafeBufferPointer<CallSpan>, precedes: (UInt32, UInt32) -> Bool, isLinked: (Int) -> Bool,
    _ body: (Call) -> Void
  ) {
    prepare(spans)
    for index in spans.indices { callers[index] = caller(of: index, spans, precedes) }
    for index in spans.indices {
      let span = spans[index]
      let caller = Int(callers[index])
      guard caller >= 0 else {
        if span.role.isCallee, span.parentID != 0, !isLinked(index) {
          body(Call(span, from: span.service, to: span.service, .unpairedCallee))
        }
        continue
      }
      let calling = calling(of: caller, spans)
      let isSelf = spans[caller].service == span.service
      if isSelf, !span.role.isCallee {
        if span.role.isCaller, calling >= 0 { mark(.delegated, calling, spans) }
        continue
      }
      if calling >= 0 { mark(.answered, calling, spans) }
      // Within a service a called span counts only with a calling one: nesting is no call.
      if isSelf, calling < 0 { continue }
      let isMessaging = span.role == .consumer || calling >= 0 && spans[calling].role == .producer
      body(Call(span, from: spans[caller].service, to: span.service, isMessaging ? .messaging : .call))
    }
    for index in spans.indices where spans[index].role.isCaller && marks[index].isEmpty {
      let span = spans[index]
      if span.peer != CallSpan.noPeer {
        body(Call(span, from: span.service, to: span.peer, span.peerConnection))
      } else {
        body(Call(span, from: span.service, to: span.service, .unpairedCaller))
      }
    }
  }

  /// Whether the span at `index` had a caller in the trace that was paired last.
  package func hasCaller(_ index: Int) -> Bool { callers[index] >= 0 }

  private mutating func prepare(_ spans: UnsafeBufferPointer<CallSpan>) {
    let count = spans.count
    if callers.count < count {
      callers = [Int32](repeating: 0, count: count * 2)
      callings = callers
      marks = [Marks](repeating: [], count: count * 2)
    }
    for index in 0..<count {
      callings[index] = Self.unknown
      marks[index] = []
    }
    look = count <= Self.walkedCount ? .walk : count <= Self.tabledCount ? .table : .search
    if look == .table, !fillTable(spans) { look = .search }
    guard look == .search else { return }
    byID.removeAll(keepingCapacity: true)
    for index in 0..<count { byID.append((spans[index].spanID, Int32(truncatingIfNeeded: index))) }
    byID.sort { $0.id < $1.id }
    bests.removeAll(keepingCapacity: true)
    for _ in 0..<count { bests.append((Self.unknown, Self.unknown)) }
  }

  /// False when it gave up, because too many spans share an id.
  private mutating func fillTable(_ spans: UnsafeBufferPointer<CallSpan>) -> Bool {
    var size = 32
    while size < 2 * spans.count { size *= 2 }
    tableMask = size - 1
    if table.count < size { table = [Int32](repeating: Self.none, count: size) }
    for slot in 0..<size { table[slot] = Self.none }
    for index in spans.indices {
      var slot = slot(spans[index].spanID)
      var sharedCount = 0
      while table[slot] >= 0 {
        if spans[Int(table[slot])].spanID == spans[index].spanID { sharedCount &+= 1 }
        slot = (slot &+ 1) & tableMask
      }
      if sharedCount > Self.maximumSharedCount { return false }
      table[slot] = Int32(truncatingIfNeeded: index)
    }
    return true
  }

  @inline(__always)
  private func slot(_ id: UInt64) -> Int {
    // Every bit of the id counts, whichever of them it was counted up in.
    let product = id.multipliedFullWidth(by: Self.seed)
    return Int(truncatingIfNeeded: product.high ^ product.low) & tableMask
  }

  /// Calls `body` with every span that has an id.
  @inline(__always)
  private func forEachSpan(_ id: UInt64, _ spans: UnsafeBufferPointer<CallSpan>, _ body: (Int) -> Void) {
    switch look {
    case .walk:
      var index = 0
      while index < spans.count {
        if spans[index].spanID == id { body(index) }
        index &+= 1
      }
      return
    case .table:
      var slot = slot(id)
      while table[slot] >= 0 {
        let index = Int(table[slot])
        if spans[index].spanID == id { body(index) }
        slot = (slot &+ 1) & tableMask
      }
      return
    case .search: break
    }
    var place = firstPlace(id)
    while place < byID.count, byID[place].id == id {
      body(Int(byID[place].index))
      place += 1
    }
  }

  /// Where the first span with an id stands in `byID`, or would.
  private func firstPlace(_ id: UInt64) -> Int {
    var low = 0
    var high = byID.count
    while low < high {
      let middle = (low + high) / 2
      if byID[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The span that called: the calling half under the same id, else the parent. It never is the span itself: that is a
  /// called one, or has another id.
  private mutating func caller(
    of index: Int, _ spans: UnsafeBufferPointer<CallSpan>, _ precedes: (UInt32, UInt32) -> Bool
  ) -> Int32 {
    let span = spans[index]
    if span.role.isCallee {
      let half = best(span.spanID, isCalling: true, spans, precedes)
      if half >= 0 { return half }
    }
    guard span.parentID != 0, span.parentID != span.spanID else { return Self.none }
    return best(span.parentID, isCalling: false, spans, precedes)
  }

  /// The best of the spans with an id, or of the calling ones among them. Of many spans it is remembered, for as many may
  /// ask that share an id.
  @inline(__always)
  private mutating func best(
    _ id: UInt64, isCalling: Bool, _ spans: UnsafeBufferPointer<CallSpan>, _ precedes: (UInt32, UInt32) -> Bool
  ) -> Int32 {
    guard look == .search else { return findBest(id, isCalling: isCalling, spans, precedes) }
    let place = firstPlace(id)
    guard place < byID.count, byID[place].id == id else { return Self.none }
    let known = isCalling ? bests[place].calling : bests[place].any
    if known != Self.unknown { return known }
    let best = findBest(id, isCalling: isCalling, spans, precedes)
    if isCalling { bests[place].calling = best } else { bests[place].any = best }
    return best
  }

  @inline(__always)
  private func findBest(
    _ id: UInt64, isCalling: Bool, _ spans: UnsafeBufferPointer<CallSpan>, _ precedes: (UInt32, UInt32) -> Bool
  ) -> Int32 {
    var best = Int(Self.none)
    forEachSpan(id, spans) { other in
      if isCalling, !spans[other].role.isCaller { return }
      if best < 0 || Self.isBetter(spans[other], spans[best], precedes) { best = other }
    }
    return Int32(truncatingIfNeeded: best)
  }

  /// Among spans with one id: the called half, then the earliest. What ties to the end is the same to every figure.
  private static func isBetter(_ left: CallSpan, _ right: CallSpan, _ precedes: (UInt32, UInt32) -> Bool) -> Bool {
    if left.role.isCallee != right.role.isCallee { return left.role.isCallee }
    if left.start != right.start { return left.start < right.start }
    if left.service != right.service { return precedes(left.service, right.service) }
    if left.role != right.role { return left.role.rawValue < right.role.rawValue }
    if left.parentID != right.parentID { return left.parentID < right.parentID }
    return left.duration < right.duration
  }

  /// The calling span that a span stands for: itself, or the nearest one above it with nothing but inner spans of the
  /// same service between; `none` when there is no such span.
  private mutating func calling(of start: Int, _ spans: UnsafeBufferPointer<CallSpan>) -> Int {
    var index = start
    var result = Self.none
    path.removeAll(keepingCapacity: true)
    while true {
      if spans[index].role.isCaller {
        result = Int32(truncatingIfNeeded: index)
        break
      }
      if spans[index].role.isCallee { break }
      if callings[index] != Self.unknown {
        // Under way: a circle of inner spans.
        result = callings[index] == Self.underWay ? Self.none : callings[index]
        break
      }
      path.append(index)
      callings[index] = Self.underWay
      let caller = Int(callers[index])
      guard caller >= 0, spans[caller].service == spans[index].service else { break }
      index = caller
    }
    for index in path { callings[index] = result }
    return Int(result)
  }

  /// Marks a calling span, and with it all that share its id and service.
  private mutating func mark(_ mark: Marks, _ index: Int, _ spans: UnsafeBufferPointer<CallSpan>) {
    if marks[index].contains(mark) { return }
    let service = spans[index].service
    var same: [Int] = []
    marks[index].insert(mark)
    forEachSpan(spans[index].spanID, spans) { if $0 != index, spans[$0].service == service { same.append($0) } }
    for other in same { marks[other].insert(mark) }
  }
}
