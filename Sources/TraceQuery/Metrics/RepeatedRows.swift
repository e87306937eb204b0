import Synchronization
import TraceColumns
import TraceMerge
import TraceModel
import TraceSegment
import TraceSource

/// Which rows of a snapshot repeat a record that stands elsewhere in it: a figure must not count them (LAW 7).
///
/// By place of the source in the snapshot, then by place of the stripe in its source. Segments come before memtables,
/// so that a batch that was sent again is passed over where it is still in memory.
struct RepeatedRows {
  private var masks: [[Int: RowMask]]

  subscript(source: Int, stripe: Int) -> RowMask? { masks[source][stripe] }

  /// - Parameter window: rows that start outside of it need not be known.
  init(_ snapshot: QuerySnapshot, in window: ClosedRange<UInt64>, _ damage: inout DamageReport) {
    let sources = snapshot.recordSources
    let order =
      sources.indices.filter { sources[$0].contentNumber != nil }
      + sources.indices.filter { sources[$0].contentNumber == nil }
    self.init(sources, order: order, from: 0, snapshot.repeats, in: window, &damage)
    snapshot.repeats.forget(allBut: Set(sources.compactMap(\.contentNumber)))
  }

  /// Of the last of the sources, what repeats a record of each other or of the first ones.
  init(last: [any SpanSource], behind first: [any SpanSource], _ damage: inout DamageReport) {
    let sources = first + last
    self.init(sources, order: Array(sources.indices), from: first.count, RepeatMemory(), in: 0...UInt64.max, &damage)
  }

  /// - Parameters:
  ///   - order: of the sources; a record counts where it stands first.
  ///   - start: only what stands from this place of the order on need be known.
  private init(
    _ sources: [any SpanSource], order: [Int], from start: Int, _ memory: RepeatMemory,
    in window: ClosedRange<UInt64>, _ damage: inout DamageReport
  ) {
    masks = [[Int: RowMask]](repeating: [:], count: sources.count)
    for (place, later) in order.enumerated() where place >= start {
      masks[later] = damage.collect { try sources[later].repeatedRows() } ?? [:]
      for earlier in order[..<place] where sources[earlier].bounds.mayShareStarts(sources[later].bounds) {
        for (stripe, mask) in memory.rows(of: sources[later], in: sources[earlier], window, &damage) {
          masks[later][stripe, default: RowMask(count: mask.count)].formUnion(mask)
        }
      }
    }
  }
}

/// What segments repeat of each other, found once: their content never changes. Thread-safe.
package final class RepeatMemory: Sendable {
  private struct Pair: Hashable {
    var later: UInt64
    var earlier: UInt64
  }

  private let known = Mutex<[Pair: [Int: RowMask]]>([:])

  package init() {}

  func forget(allBut numbers: Set<UInt64>) {
    known.withLock { known in
      if known.contains(where: { !numbers.contains($0.key.later) || !numbers.contains($0.key.earlier) }) {
        known = known.filter { numbers.contains($0.key.later) && numbers.contains($0.key.earlier) }
      }
    }
  }

  /// The rows of a source whose records stand in an earlier one, by stripe.
  func rows(
    of later: any SpanSource, in earlier: any SpanSource, _ window: ClosedRange<UInt64>, _ damage: inout DamageReport
  ) -> [Int: RowMask] {
    guard let laterNumber = later.contentNumber, let earlierNumber = earlier.contentNumber else {
      return Self.find(later, in: earlier, window, &damage)
    }
    let pair = Pair(later: laterNumber, earlier: earlierNumber)
    if let masks = known.withLock({ $0[pair] }) { return masks }
    var own = DamageReport()
    let masks = Self.find(later, in: earlier, 0...UInt64.max, &own)
    if own.messages.isEmpty { known.withLock { $0[pair] = masks } }
    damage.add(own)
    return masks
  }

  /// Only traces that the earlier source's filter does not rule out are looked at, and only spans with equal ids are
  /// compared.
  private static func find(
    _ later: any SpanSource, in earlier: any SpanSource, _ window: ClosedRange<UInt64>, _ damage: inout DamageReport
  ) -> [Int: RowMask] {
    let bounds = earlier.bounds
    var shared: Set<TraceID> = []
    damage.collect {
      try later.forEachTrace(inStripesThat: { $0.mayShareStarts(bounds) && $0.mayStart(in: window) }) { trace in
        if try earlier.mayHold(trace) { shared.insert(trace) }
      }
    }
    var masks: [Int: RowMask] = [:]
    for trace in shared.sorted() {
      damage.collect {
        let originals = try earlier.finals(of: trace)
        if originals.isEmpty { return }
        for (stripe, rows) in try repeated(later.finals(of: trace), of: originals) where !rows.isEmpty {
          for row in rows { masks[stripe.index, default: RowMask(count: stripe.rowCount)].set(row) }
        }
      }
    }
    return masks
  }

  private static func repeated(
    _ fragments: [LocatedRows], of originals: [LocatedRows]
  ) throws -> [(stripe: any SpanStripe, rows: [Int])] {
    var ids: Set<UInt64> = []
    for located in originals { ids.formUnion(try located.stripe.spanIDs(located.rows)) }
    var wanted: [LocatedRows] = []
    var wantedIDs: Set<UInt64> = []
    for located in fragments {
      let own = zip(located.rows, try located.stripe.spanIDs(located.rows)).filter { ids.contains($0.1) }
      wantedIDs.formUnion(own.map(\.1))
      if !own.isEmpty { wanted.append(LocatedRows(stripe: located.stripe, rows: own.map(\.0))) }
    }
    if wanted.isEmpty { return [] }
    var contents: Set<[UInt8]> = []
    for located in originals {
      let own = zip(located.rows, try located.stripe.spanIDs(located.rows)).filter { wantedIDs.contains($0.1) }
      for record in try located.stripe.records(own.map(\.0)) where !record.isPartial { contents.insert(record.content) }
    }
    return try wanted.map { located in
      let records = try located.stripe.records(located.rows)
      return (
        located.stripe, zip(located.rows, records).filter { !$1.isPartial && contents.contains($1.content) }.map(\.0)
      )
    }
  }
}

extension SpanSource {
  fileprivate func finals(of trace: TraceID) throws -> [LocatedRows] {
    try rows(of: trace).filter { $0.stripe.holdsFinals }
  }
}

extension SourceSpan {
  fileprivate var content: [UInt8] { ContentHash.canonicalBytes(resource: resource, scope: scope, span: span) }
}

extension StripeBounds {
  /// Whether spans of both may start at one time, as equal ones do.
  fileprivate func mayShareStarts(_ other: StripeBounds) -> Bool {
    minimumStart <= other.maximumStart && other.minimumStart <= maximumStart
  }

  func mayStart(in window: ClosedRange<UInt64>) -> Bool {
    minimumStart <= window.upperBound && maximumStart >= window.lowerBound
  }
}
