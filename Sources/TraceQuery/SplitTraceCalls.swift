import Synchronization
import TraceGraph
import TraceModel
import TraceSegment
import TraceSource

/// The calls of traces that stand in several segments, joined from their parts: kept for the next question.
///
/// A trace is joined anew when a segment that has a part of it is gone, or one came that may have another part. Such a trace
/// is left out of the sums of every group (`GroupCalls`), so that none is counted twice.
final class SplitTraceCalls: CachedBlock {
  let calls: TraceCalls
  /// The numbers of the segments with a part, by ordinal: those of all traces behind each other.
  private let parts: [UInt64]
  private let firstParts: [UInt32]
  private let segments: Set<UInt64>
  private let ordinals: [TraceID: UInt32]
  /// What all come to, for a question about all of them.
  let sums: Sums

  private struct Compared: Sendable {
    /// Segments that have no part but those that are named.
    var segments: Set<UInt64>
    /// Groups all of whose traces that are left out stand here.
    var groups: Set<UInt64> = []
  }
  private let compared: Mutex<Compared>

  let residentByteCount: Int
  static let passCount = GroupCalls.passCount

  /// What split traces come to.
  struct Sums {
    var names: [[UInt8]]
    var tally: PackedTally
    /// Consumers that are not counted, because links of theirs name spans of other traces.
    var linked: [NamedConsumer]
    var producers: ProducerTable

    init(_ calls: TraceCalls, _ isSplit: (TraceID) -> Bool) {
      var sums = GraphSums()
      sums.add(calls, in: nil, leavingOut: [])
      let consumers = calls.linked.map { NamedConsumer($0.consumer, calls.names) }
      producers = ProducerTable(calls.producers.map(calls.found))
      let found = FoundProducers(Set(consumers.lazy.flatMap(\.consumer.targets)), among: [producers])
      linked = []
      for named in consumers {
        if named.consumer.targets.allSatisfy({ isSplit($0.trace) }) {
          sums.add(named) { found.service(of: $0) }
        } else {
          linked.append(named)
        }
      }
      (names, tally) = sums.packed()
    }

    var byteCount: Int {
      tally.byteCount + names.reduce(0) { $0 + $1.count + 32 } + linked.reduce(0) { $0 + $1.byteCount }
        + producers.byteCount
    }
  }

  /// Split traces with the numbers of the segments that have parts of them, by ordinal.
  struct Piece: Sendable {
    var calls: TraceCalls
    /// By ordinal; empty for none.
    var isLeftOut: [Bool] = []
    var parts: [[UInt64]]

    /// What it adds to what is kept, with the sums, about.
    var byteCount: Int {
      calls.byteCount + parts.reduce(0) { $0 + SplitTraceCalls.byteCountOfTrace + $1.count * 8 }
        + calls.producers.count * 28 + calls.linked.count * 160
    }
  }

  private static let byteCountOfTrace = 64

  /// - Parameter numbers: of the segments that were looked at.
  init(_ pieces: [Piece], comparedWith numbers: [UInt64]) {
    calls = TraceCalls(joining: pieces.map { ($0.calls, $0.isLeftOut) })
    var parts: [UInt64] = []
    var firstParts: [UInt32] = [0]
    for piece in pieces {
      for (ordinal, own) in piece.parts.enumerated() where piece.isLeftOut.isEmpty || !piece.isLeftOut[ordinal] {
        parts += own
        firstParts.append(UInt32(parts.count))
      }
    }
    (self.parts, self.firstParts) = (parts, firstParts)
    segments = Set(parts)
    ordinals = Dictionary(calls.traces.enumerated().map { ($1, UInt32($0)) }, uniquingKeysWith: { first, _ in first })
    sums = Sums(calls) { [ordinals] in ordinals[$0] != nil }
    compared = Mutex(Compared(segments: Set(numbers)))
    residentByteCount =
      256 + calls.byteCount + calls.traces.count * Self.byteCountOfTrace + parts.count * 8 + sums.byteCount
  }

  /// All of it, but for some traces.
  func piece(leavingOut isLeftOut: [Bool]) -> Piece {
    Piece(
      calls: calls, isLeftOut: isLeftOut,
      parts: calls.traces.indices.map { Array(parts[Int(firstParts[$0])..<Int(firstParts[$0 + 1])]) })
  }

  func ordinal(of trace: TraceID) -> Int? { ordinals[trace].map { Int($0) } }

  /// By ordinal, whether a trace has to be joined anew; empty when none has.
  ///
  /// - Parameter others: all segments of the snapshot.
  func stale(among others: [Segment]) -> [Bool] {
    var stale: [Bool] = []
    func mark(_ ordinal: Int) {
      if stale.isEmpty { stale = [Bool](repeating: false, count: calls.traces.count) }
      stale[ordinal] = true
    }
    let numbers = Set(others.map(\.number))
    if !segments.isSubset(of: numbers) {
      for ordinal in calls.traces.indices
      where !parts[Int(firstParts[ordinal])..<Int(firstParts[ordinal + 1])].allSatisfy(numbers.contains) {
        mark(ordinal)
      }
    }
    let known = compared.withLock { $0.segments }
    for other in others where !known.contains(other.number) {
      // What cannot be asked may have any.
      for ordinal in (try? other.mayHold(among: calls.traces)) ?? Array(calls.traces.indices) { mark(ordinal) }
    }
    if stale.isEmpty { compared.withLock { $0.segments = numbers } }
    return stale
  }

  /// Whether all traces that a group leaves out are known to stand here.
  func hasAll(of group: GroupCalls) -> Bool { compared.withLock { $0.groups.contains(group.number) } }

  private static let maximumGroupCount = 4096

  /// - Parameter groups: all of whose traces that are left out stand here.
  func noteAll(of groups: [GroupCalls]) {
    compared.withLock { compared in
      // Groups that were made anew are never asked about again.
      if compared.groups.count > Self.maximumGroupCount { compared.groups.removeAll() }
      compared.groups.formUnion(groups.map(\.number))
    }
  }
}

extension BlockCache {
  private static let splitTraceCalls = Key.ofNoFile(variant: .max)

  /// A part of the memory that leaves the sums of groups where they are.
  var maximumByteCountOfSplitTraces: Int { roomByteCount / 4 }

  /// What was kept of split traces.
  func splitTraceCalls() -> SplitTraceCalls? { find(Self.splitTraceCalls) }

  func keep(_ split: SplitTraceCalls) {
    replace(Self.splitTraceCalls, by: split, maximumByteCountOfKind: maximumByteCountOfSplitTraces)
  }
}
