import TraceGraph
import TraceModel
import TraceSegment
import TraceSource

/// The calls of traces that no group counts: those of memtables, and those that several segments have a part of.
///
/// What was joined for a question before is taken from the cache as far as it is still true; the rest is read, and stays as
/// far as there is room: a quarter of the cache.
struct SplitTraces {
  private let snapshot: QuerySnapshot
  private let loose: LooseTraces
  private let window: ClosedRange<UInt64>
  private let parallel: SegmentParallelism
  private let segments: [Segment]
  private let looseTraces: Set<TraceID>
  private let known: SplitTraceCalls?
  /// Of what is known, by ordinal; empty for none.
  private let stale: [Bool]

  // What was found.
  private(set) var sums = GraphSums()
  /// Consumers that are not counted yet, because their links name producers.
  private(set) var linked: [NamedConsumer] = []
  private(set) var producers: [ProducerTable] = []
  private(set) var damage = DamageReport()

  /// Traces that one thread reads in one go.
  private let chunkCounts: ClosedRange<Int>
  static let chunkCounts = 128...1024
  /// Chunks whose calls are in memory at once.
  private static let waveCount = 8

  init(
    _ snapshot: QuerySnapshot, _ segments: [Segment], _ loose: LooseTraces, _ window: ClosedRange<UInt64>,
    _ parallel: @escaping SegmentParallelism, chunkCounts: ClosedRange<Int> = Self.chunkCounts
  ) {
    self.chunkCounts = chunkCounts
    self.snapshot = snapshot
    self.segments = segments
    self.loose = loose
    self.window = window
    self.parallel = parallel
    looseTraces = Set(loose.traces)
    known = segments.first?.cache.splitTraceCalls()
    stale = known?.stale(among: segments) ?? []
  }

  /// Whether a trace is counted from what is kept, so that no group may count it, whatever it can find out about it.
  func isKnown(_ trace: TraceID) -> Bool {
    guard let known, let ordinal = known.ordinal(of: trace) else { return false }
    return stale.isEmpty || !stale[ordinal]
  }

  /// Counts what memtables have and what groups leave out.
  mutating func count(_ groups: [(group: StripeGroup, calls: GroupCalls)]) {
    countKnown()
    read(loose.traces) { _ in }
    var fresh: [(trace: TraceID, group: Int)] = []
    var seen = looseTraces
    var knownGroups: [GroupCalls] = []
    // The newest first: they are asked about most, if there is not room for all.
    for (place, group) in groups.enumerated().reversed()
    where known?.hasAll(of: group.calls) != true || !stale.isEmpty {
      let unknown = group.calls.leftOutTraces.filter { !isKnown($0) }
      if unknown.isEmpty { knownGroups.append(group.calls) }
      for trace in unknown where seen.insert(trace).inserted { fresh.append((trace, place)) }
    }
    if stale.isEmpty { known?.noteAll(of: knownGroups) }
    guard let cache = segments.first?.cache, !fresh.isEmpty || !stale.isEmpty else { return }
    var kept = KeptPieces(known?.residentByteCount ?? 0, maximumByteCount: cache.maximumByteCountOfSplitTraces)
    var place = 0
    var outdated: Set<Int> = []
    read(fresh.map(\.trace)) { chunk in
      kept.add(chunk)
      for parts in chunk.parts {
        if chunk.damage.messages.isEmpty, parts.stripeCount < 2 { outdated.insert(fresh[place].group) }
        place += 1
      }
    }
    // What stands in one stripe by now is counted in its group from the next question on.
    for place in outdated { groups[place].group.forget() }
    guard !kept.pieces.isEmpty || !stale.isEmpty else { return }
    let before = known.map { [$0.piece(leavingOut: stale)] } ?? []
    cache.keep(SplitTraceCalls(before + kept.pieces, comparedWith: segments.map(\.number)))
  }

  private mutating func countKnown() {
    guard let known else { return }
    var isLeftOut = stale
    for ordinal in looseTraces.lazy.compactMap(known.ordinal) {
      if isLeftOut.isEmpty { isLeftOut = [Bool](repeating: false, count: known.calls.traces.count) }
      isLeftOut[ordinal] = true
    }
    guard isLeftOut.isEmpty, known.calls.allStart(in: window) else {
      return count(known.calls, leavingOut: isLeftOut, isLeftOut.isEmpty ? known.sums.producers : nil)
    }
    sums.add(known.sums.tally, known.sums.names)
    linked += known.sums.linked
    producers.append(known.sums.producers)
  }

  /// - Parameter table: of all its producers, where it is kept.
  private mutating func count(
    _ calls: TraceCalls, leavingOut isLeftOut: [Bool], _ table: ProducerTable? = nil
  ) {
    func isCounted(_ ordinal: UInt32) -> Bool { isLeftOut.isEmpty || !isLeftOut[Int(ordinal)] }
    sums.add(calls, in: window, leavingOut: isLeftOut)
    for (ordinal, consumer) in calls.linked where window.contains(consumer.span.start) && isCounted(ordinal) {
      linked.append(NamedConsumer(consumer, calls.names))
    }
    producers.append(table ?? ProducerTable(calls.producers.filter { isCounted($0.ordinal) }.map(calls.found)))
  }

  /// A chunk of traces that were read.
  private struct Chunk: Sendable {
    var calls: TraceCalls
    var parts: [SplitTraceParts]
    var damage: DamageReport
  }

  /// Reads and counts traces, and hands them on chunk by chunk.
  private mutating func read(_ traces: [TraceID], _ body: (Chunk) -> Void) {
    let count = max(chunkCounts.lowerBound, min(traces.count / 64, chunkCounts.upperBound))
    let firsts = Array(stride(from: 0, to: traces.count, by: count))
    for wave in stride(from: 0, to: firsts.count, by: Self.waveCount) {
      let own = firsts[wave..<min(firsts.count, wave + Self.waveCount)]
      let chunks = concurrently(parallel, own.count) { [snapshot, loose] index in
        var reader = SplitTraceReader(snapshot, loose)
        let first = own[own.startIndex + index]
        reader.add(Array(traces[first..<min(traces.count, first + count)]))
        return Chunk(calls: reader.calls(), parts: reader.parts, damage: reader.damage)
      }
      for chunk in chunks {
        self.count(chunk.calls, leavingOut: [])
        damage.add(chunk.damage)
        body(chunk)
      }
    }
  }

  /// What is to be kept of what was read, within its bound.
  private struct KeptPieces {
    private(set) var pieces: [SplitTraceCalls.Piece] = []
    private var byteCount: Int
    private let maximumByteCount: Int

    /// - Parameter known: bytes that are kept.
    init(_ known: Int, maximumByteCount: Int) {
      byteCount = known
      // Sums and names take room as well.
      self.maximumByteCount = maximumByteCount / 4 * 3
    }

    /// What stands in one segment may be counted there by and by.
    mutating func add(_ chunk: Chunk) {
      guard chunk.damage.messages.isEmpty else { return }
      let isLeftOut = chunk.parts.map { ($0.segments?.count ?? 0) < 2 }
      if isLeftOut.allSatisfy(\.self) { return }
      let calls = isLeftOut.contains(true) ? TraceCalls(joining: [(chunk.calls, isLeftOut)]) : chunk.calls
      let piece = SplitTraceCalls.Piece(
        calls: calls, parts: zip(chunk.parts, isLeftOut).compactMap { $1 ? nil : $0.segments })
      guard byteCount + piece.byteCount <= maximumByteCount else { return }
      byteCount += piece.byteCount
      pieces.append(piece)
    }
  }
}
