import TraceGraph
import TraceSegment
import TraceSource

/// What the sums of several groups come to, which a question adds in place of theirs.
///
/// It stands in the cache beside theirs, under the number of each: where the sums of a group are made anew, they have
/// another number, and this is not found for them.
final class JoinedSums: CachedBlock {
  private struct Part: @unchecked Sendable {
    var number: UInt64
    weak var calls: GroupCalls?
  }

  let names: [[UInt8]]
  let tally: PackedTally
  /// Consumers whose links name spans of traces that are counted in no part.
  let linked: [NamedConsumer]
  private let parts: [Part]

  /// - Parameter parts: what was added up.
  init(_ sums: GraphSums, _ linked: [NamedConsumer], of parts: [GroupCalls]) {
    (names, tally) = sums.packed()
    self.linked = linked
    self.parts = parts.map { Part(number: $0.number, calls: $0) }
  }

  var numbers: [UInt64] { parts.map(\.number) }

  /// Whether a window may ask for all of it yet: what it was made of is still there.
  var isAlive: Bool { parts.allSatisfy { $0.calls != nil } }

  static let passCount = GroupCalls.passCount

  var residentByteCount: Int {
    256 + names.reduce(0) { $0 + $1.count + 32 } + tally.byteCount
      + linked.reduce(0) { $0 + $1.byteCount } + parts.count * MemoryLayout<Part>.stride
  }
}

/// The sums of groups, as few as there are.
struct SumsOfGroups: Sendable {
  struct Entry: Sendable {
    var calls: GroupCalls
    var group: StripeGroup
    /// Whether the calls were kept before: then they will be asked for again.
    var isKept: Bool
  }

  /// Of one group, or joined ones of several.
  private struct Item: Sendable {
    var joined: JoinedSums?
    /// Places of the groups.
    var entries: [Int]
    var isJoinable: Bool
  }

  /// A window that cuts what is joined adds the sums of its groups one by one: so many at most.
  private static let maximumGroupCount = 16
  /// Threads that add up sums, at most: what each has is added once more in the end.
  private static let adderCount = 4

  private let entries: [Entry]
  /// In the order of the groups.
  private var items: [Item] = []

  init(_ entries: [Entry]) {
    self.entries = entries
    var places: [UInt64: Int] = [:]
    for (place, entry) in entries.enumerated() where entry.isKept { places[entry.calls.number] = place }
    for (place, entry) in entries.enumerated() {
      guard entry.isKept else {
        items.append(Item(entries: [place], isJoinable: false))
        continue
      }
      // Joined with one before.
      if places[entry.calls.number] == nil { continue }
      let joined: JoinedSums? = entry.group.stripes[0].keptSummary(entry.calls.number)
      let own = joined?.numbers.map { places[$0] }
      if let joined, let own, !own.contains(nil) {
        for number in joined.numbers { places[number] = nil }
        items.append(Item(joined: joined, entries: own.compactMap(\.self), isJoinable: true))
      } else {
        places[entry.calls.number] = nil
        // What another window asks for stays. With parts of a group joined ones would seldom be found whole.
        items.append(Item(entries: [place], isJoinable: !entry.group.isPart && joined?.isAlive != true))
      }
    }
  }

  /// Brings the sums of neighbouring groups together that were asked for before.
  mutating func join(_ parallel: @escaping SegmentParallelism) {
    let ranges = Joining.ranges(
      of: items.map { $0.isJoinable ? $0.entries.count : nil }, maximum: Self.maximumGroupCount)
    if ranges.isEmpty { return }
    let all = self
    let joined = concurrently(parallel, ranges.count) { all.joined(ranges[$0]) }
    for (range, joined) in zip(ranges, joined).reversed() {
      items.replaceSubrange(
        range, with: [Item(joined: joined, entries: items[range].flatMap(\.entries), isJoinable: true)])
    }
  }

  private func joined(_ range: Range<Int>) -> JoinedSums {
    var sums = GraphSums()
    for item in items[range] { add(item, to: &sums) }
    let own = items[range].flatMap(\.entries).map { entries[$0] }
    let linked = Self.settle(items[range].flatMap(linked), among: own, &sums)
    let joined = JoinedSums(sums, linked, of: own.map(\.calls))
    SegmentStripe.keep(summary: joined, at: own.map { ($0.group.stripes[0], $0.calls.number) })
    return joined
  }

  /// Counts consumers all of whose links name spans of traces that are counted in some groups: these stand nowhere else.
  ///
  /// - Returns: the others.
  private static func settle(
    _ consumers: [NamedConsumer], among entries: [Entry], _ sums: inout GraphSums
  ) -> [NamedConsumer] {
    if consumers.isEmpty { return [] }
    let wanted = Set(consumers.lazy.flatMap(\.consumer.targets))
    let found = FoundProducers(wanted, among: entries.map(\.calls.producers))
    let missing = Set(wanted.lazy.filter { found.service(of: $0) == nil }.map(\.trace))
    let here = StripeGroup.counted(Array(missing), in: entries.map { ($0.group, $0.calls) })
    var rest: [NamedConsumer] = []
    for named in consumers {
      if named.consumer.targets.allSatisfy({ found.service(of: $0) != nil || here.contains($0.trace) }) {
        sums.add(named) { found.service(of: $0) }
      } else {
        rest.append(named)
      }
    }
    return rest
  }

  private func linked(of item: Item) -> [NamedConsumer] {
    item.joined?.linked ?? item.entries.flatMap { entries[$0].calls.linked }
  }

  /// Consumers that are not counted in the sums.
  var linked: [NamedConsumer] { items.flatMap(linked) }

  private func add(_ item: Item, to sums: inout GraphSums) {
    if let joined = item.joined { return sums.add(joined.tally, joined.names) }
    for place in item.entries { sums.add(entries[place].calls.tally, entries[place].calls.names) }
  }

  /// What all come to.
  func sum(_ parallel: @escaping SegmentParallelism) -> GraphSums {
    let count = min(items.count, Self.adderCount)
    var parts = concurrently(parallel, count) { index in
      var sums = GraphSums()
      for place in stride(from: index, to: items.count, by: count) { add(items[place], to: &sums) }
      return sums
    }
    // The first part is not added once more.
    var sums = parts.isEmpty ? GraphSums() : parts.removeFirst()
    for part in parts { sums.add(part) }
    return sums
  }
}
