import Synchronization
import TraceColumns
import TraceMerge
import TraceModel
import TraceSegment
import TraceSource

/// Spans that no record alone is, which are joined when somebody looks at them. Until then, and again once the cache has
/// let go of them, they cost their ids.
final class JoinedSlice: Sendable {
  /// Never used for another slice.
  let number: UInt64
  /// Ascending.
  let keys: [SpanKey]
  /// Rows that each key has room for, so that rows stay where they are however often the spans are joined: the records
  /// of the key that has most, for no span is made of less than one.
  let height: Int
  /// About how many bytes the records have.
  let recordByteCount: Int
  private let known: Mutex<StripeBounds>

  init(number: UInt64, keys: [SpanKey], height: Int, recordByteCount: Int, bounds: StripeBounds) {
    self.number = number
    self.keys = keys
    self.height = height
    self.recordByteCount = recordByteCount
    known = Mutex(bounds)
  }

  var rowCount: Int { keys.count * height }

  /// No span lies outside; narrower once they have been joined.
  var bounds: StripeBounds { known.withLock { $0 } }

  var byteCount: Int { keys.count * MemoryLayout<SpanKey>.stride + 256 }

  var cacheKey: BlockCache.Key { BlockCache.Key(fileNumber: .max, offset: number) }

  /// The place of a span; nil when it is not here.
  func place(of key: SpanKey) -> Int? {
    let place = keys.indices.partition { keys[$0] >= key }
    return place < keys.count && keys[place] == key ? place : nil
  }

  /// The places of those of other spans (distinct, ascending) that are here.
  func places(of others: [SpanKey]) -> [Int] {
    if others.count < keys.count { return others.compactMap(place) }
    return keys.indices.filter { place in
      let other = others.indices.partition { others[$0] >= keys[place] }
      return other < others.count && others[other] == keys[place]
    }
  }

  /// The spans as sources of some moment have them. Newer sources may have more records of superseded keys; all moments
  /// have the same of the others.
  ///
  /// - Parameter superseded: places of keys that newer records than those of the slice have taken elsewhere.
  func joined(_ sources: OverlaySources, superseded: RowMask, _ cache: BlockCache) throws -> JoinedSpans {
    let joined = try cache.block(cacheKey) {
      let joined = try JoinedSpans(keys, sources, superseded: superseded)
      // What could not be read may lie outside, and so may older records of spans that have newer ones.
      if joined.damage.isEmpty, superseded.isEmpty { known.withLock { $0 = joined.stripe.bounds } }
      return joined
    }
    if joined.superseded.isEmpty || keys.indices.allSatisfy({ !joined.superseded[$0] || superseded[$0] }) {
      return joined
    }
    // A newer search has joined them; this one began before some of the records came.
    return try JoinedSpans(keys, sources, superseded: superseded)
  }
}

/// The spans of a slice as rows of a table.
final class JoinedSpans: CachedBlock {
  let source: MemtableSource
  /// All rows.
  let stripe: MemtableStripe
  /// For each key of the slice, the row behind its last.
  private let ends: [UInt32]
  /// For each row, the place of its key.
  private let owners: [UInt32]
  /// Places of keys that had newer records when the spans were joined.
  let superseded: RowMask
  /// A sentence for each place that could not be read.
  let damage: [String]
  let residentByteCount: Int
  /// The records of a slice stand all over their segments.
  static let passCount = 8

  /// Spans whose records are in memory at a time. Fewer would decompress more often what their records stand in.
  private static let batchCount = 1 << 10

  /// - Parameter all: distinct, ascending.
  init(_ all: [SpanKey], _ sources: OverlaySources, superseded: RowMask) throws {
    let table = Memtable(endZeroMeansOpen: false, isSmall: true)
    var (ends, owners): ([UInt32], [UInt32]) = ([], [])
    ends.reserveCapacity(all.count)
    owners.reserveCapacity(all.count)
    var damage: [String] = []
    func note(_ segment: UInt64, _ error: any Error) {
      let sentence = "\(error)"
      if !damage.contains(sentence) { damage.append(sentence) }
    }
    for first in stride(from: 0, to: all.count, by: Self.batchCount) {
      let keys = Array(all[first..<min(first + Self.batchCount, all.count)])
      let found = sources.places(of: keys, damaged: note)
      let dominated = sources.dominated(found, 0..<keys.count)
      let records = sources.records(
        at: found.places.indices.filter { !dominated.contains($0) }, of: found, keys, damaged: note)
      for key in keys.indices {
        for view in SpanView.views(of: found.range(of: key).compactMap { records[$0] }) {
          owners.append(UInt32(first + key))
          _ = try table.append(view)
        }
        ends.append(UInt32(owners.count))
      }
    }
    let source = table.source()
    self.source = source
    stripe = MemtableStripe(context: source.context, firstRow: 0, rowCount: source.rowCount, bounds: source.bounds)
    self.superseded = superseded
    self.ends = ends
    self.owners = owners
    self.damage = damage
    residentByteCount = table.byteCount + (ends.count + owners.count) * 4 + 512
  }

  /// The rows of a key.
  func rows(of place: Int) -> Range<Int> { Int(place == 0 ? 0 : ends[place - 1])..<Int(ends[place]) }

  func owner(of row: Int) -> Int { Int(owners[row]) }
}

extension SpanView {
  /// The views of all records of a span.
  fileprivate static func views(of records: [PlainUpdates.Record]) -> [SpanView] {
    let dominated = PlainUpdates.dominated(records)
    let rest = records.indices.filter { !dominated.contains($0) }.map { records[$0] }
    // The common case of an open span: the newest update says everything.
    if rest.count == 1, !rest[0].span.isEnrichment {
      return [
        SpanView(
          resource: rest[0].resource, scope: rest[0].scope, span: rest[0].span, isOpen: rest[0].isPartial,
          isEnriched: false)
      ]
    }
    return views(of: rest.map { SpanPart($0) })
  }
}
