import TraceColumns
import TraceMerge
import TraceModel
import TraceSegment
import TraceSource

/// The sources of one moment, in which the records of spans are looked up. Numbered: memtables first, then segments.
struct OverlaySources: Sendable {
  let memtables: [MemtableSource]
  let segments: [Segment]

  var hasPartials: Bool { memtables.contains(where: \.hasPartials) || segments.contains(where: \.hasPartials) }

  /// Where a record stands.
  struct Place {
    /// Of its span among those that were asked for.
    var key: Int
    var source: Int
    var stripe: Int
    /// The most rows that the stripe gets.
    var height: Int
    var row: Int
    var isPartial: Bool
    /// Of a partial record; 0 for finals, whose start is not looked at here.
    var start: UInt64 = 0
  }

  /// Records by span.
  struct Found {
    private(set) var places: [Place]
    private let ends: [Int]

    /// - Parameter count: how many spans were asked for.
    init(_ unordered: [Place], count: Int) {
      var ends = [Int](repeating: 0, count: count + 1)
      for place in unordered { ends[place.key + 1] += 1 }
      for key in 0..<count { ends[key + 1] += ends[key] }
      self.ends = ends
      var order = [Int](repeating: 0, count: unordered.count)
      var next = ends
      for (index, place) in unordered.enumerated() {
        order[next[place.key]] = index
        next[place.key] += 1
      }
      places = order.map { unordered[$0] }
    }

    /// The places in `places` of the records of a span.
    func range(of key: Int) -> Range<Int> { ends[key]..<ends[key + 1] }
  }

  // MARK: Finding

  /// Where the records of spans stand. A source that cannot be read has none, and is told to `damaged`.
  ///
  /// - Parameter keys: distinct, ascending.
  func places(of keys: [SpanKey], damaged: (_ segment: UInt64, any Error) -> Void) -> Found {
    var places: [Place] = []
    for (source, memtable) in memtables.enumerated() {
      for (key, row) in memtable.rows(of: keys) {
        let stored = memtable.view.rows.pointer(at: row)
        places.append(
          Place(
            key: key, source: source, stripe: row >> Memtable.stripeShift, height: Memtable.stripeHeight,
            row: row & (Memtable.stripeHeight - 1), isPartial: stored.pointee.marks.contains(.isPartial),
            start: stored.pointee.start))
      }
    }
    for (index, segment) in segments.enumerated() {
      let source = memtables.count + index
      do { try addPartials(of: segment, source, keys, to: &places) } catch { damaged(segment.number, error) }
      do { try addFinals(of: segment, source, keys, to: &places, damaged: damaged) } catch {
        damaged(segment.number, error)
      }
    }
    return Found(places, count: keys.count)
  }

  private func addPartials(
    of segment: Segment, _ source: Int, _ keys: [SpanKey], to places: inout [Place]
  ) throws {
    guard let stripe = try segment.partialStripe() else { return }
    let rows = try stripe.rows(of: keys)
    for ((key, row), start) in zip(rows, try stripe.starts(rows.map(\.row))) {
      places.append(
        Place(
          key: key, source: source, stripe: stripe.index, height: stripe.rowCount, row: row, isPartial: true,
          start: start))
    }
  }

  private func addFinals(
    of segment: Segment, _ source: Int, _ keys: [SpanKey], to places: inout [Place],
    damaged: (UInt64, any Error) -> Void
  ) throws {
    guard segment.totals.stripeCount > 0 else { return }
    /// The rows of traces by stripe, each with the place of the first key of its trace.
    var rows: [Int: (stripe: any SpanStripe, rows: [(row: Int, key: Int)])] = [:]
    for first in keys.indices where first == 0 || keys[first - 1].trace != keys[first].trace {
      guard try segment.mayHold(keys[first].trace) else { continue }
      do {
        for located in try segment.rows(of: keys[first].trace, for: .fields) where located.stripe.holdsFinals {
          rows[located.stripe.index, default: (located.stripe, [])].rows += located.rows.map { ($0, first) }
        }
      } catch {
        damaged(segment.number, error)
      }
    }
    for (index, entry) in rows.sorted(by: { $0.key < $1.key }) {
      let sorted = entry.rows.sorted { $0.row < $1.row }
      do {
        for ((row, first), span) in zip(sorted, try entry.stripe.spanIDs(sorted.map(\.row))) {
          let key = SpanKey(trace: keys[first].trace, span: span)
          let place = (first..<keys.count).partition { keys[$0] >= key }
          guard place < keys.count, keys[place] == key else { continue }
          places.append(
            Place(
              key: place, source: source, stripe: index, height: entry.stripe.rowCount, row: row, isPartial: false))
        }
      } catch {
        damaged(segment.number, error)
      }
    }
  }

  // MARK: Reading

  /// Which of the places in a memtable hold updates of which newer ones leave nothing to say; found without reading
  /// records.
  func dominated(_ found: Found, _ keys: Range<Int>) -> Set<Int> {
    var dominated: Set<Int> = []
    for (source, memtable) in memtables.enumerated() where memtable.hasPartials {
      var partials = PartialRows(memtable.view) { memtable.context.code(of: $0) }
      for key in keys {
        let own = found.range(of: key).filter { found.places[$0].source == source }
        guard own.count > 1 else { continue }
        let rows = own.map { found.places[$0].stripe * Memtable.stripeHeight + found.places[$0].row }
        let out = partials.dominated(rows)
        for (place, row) in zip(own, rows) where out.contains(row) { dominated.insert(place) }
      }
    }
    return dominated
  }

  /// About how many bytes the records at places hold together, for each span. Finals in segments are not counted: finding
  /// out would read them. Nor is what cannot be read.
  ///
  /// - Parameter keyCount: how many spans were asked for.
  func byteCounts(at indices: [Int], of found: Found, keyCount: Int) -> [Int] {
    var byteCounts = [Int](repeating: 0, count: keyCount)
    for (source, indices) in Dictionary(grouping: indices, by: { found.places[$0].source }) {
      if source < memtables.count {
        let view = memtables[source].view
        for place in indices.lazy.map({ found.places[$0] }) {
          byteCounts[place.key] += RowWeight.of(view.rows[place.stripe * Memtable.stripeHeight + place.row], in: view)
        }
      } else if let stripe = try? segments[source - memtables.count].partialStripe() {
        let places = indices.map { found.places[$0] }.filter(\.isPartial).sorted { $0.row < $1.row }
        let own = (try? stripe.byteCounts(places.map(\.row))) ?? []
        for (place, byteCount) in zip(places, own) { byteCounts[place.key] += byteCount }
      }
    }
    return byteCounts
  }

  /// The records at places; without those that cannot be read. A failure costs the records of one trace in one stripe.
  func records(
    at indices: [Int], of found: Found, _ keys: [SpanKey], damaged: (UInt64, any Error) -> Void
  ) -> [Int: PlainUpdates.Record] {
    struct Stripe: Hashable {
      var source: Int
      var stripe: Int
    }
    var records: [Int: PlainUpdates.Record] = [:]
    records.reserveCapacity(indices.count)
    let byStripe = Dictionary(grouping: indices) { index in
      Stripe(source: found.places[index].source, stripe: found.places[index].stripe)
    }
    for (place, indices) in byStripe {
      let source: any SpanSource =
        place.source < memtables.count ? memtables[place.source] : segments[place.source - memtables.count]
      guard let stripe = source.stripes.first(where: { $0.index == place.stripe }) else { continue }
      func read(_ indices: [Int]) throws {
        let sorted = indices.sorted { found.places[$0].row < found.places[$1].row }
        for (index, record) in zip(sorted, try stripe.records(sorted.map { found.places[$0].row })) {
          records[index] = PlainUpdates.Record(
            resource: record.resource, scope: record.scope, span: record.span, isPartial: record.isPartial)
        }
      }
      do { try read(indices) } catch {
        for ofTrace in Dictionary(grouping: indices, by: { keys[found.places[$0].key].trace }).values {
          do { try read(ofTrace) } catch {
            if place.source >= memtables.count { damaged(segments[place.source - memtables.count].number, error) }
          }
        }
      }
    }
    return records
  }
}

extension Segment {
  var hasPartials: Bool { totals.partialCount > 0 }
}

extension Memtable {
  static let stripeHeight = 1 << stripeShift
}

extension MemtableSource {
  /// The rows of spans, each with the place of its span among `keys`: those of a span ascend.
  ///
  /// - Parameter keys: distinct, ascending.
  func rows(of keys: [SpanKey]) -> [(key: Int, row: Int)] {
    var found: [(key: Int, row: Int)] = []
    // Rows link backwards; those past the snapshot stand at the head of the chain and are passed over.
    var rows = view.rows
    rows.count = .max
    var first = 0
    while first < keys.count {
      let trace = keys[first].trace
      var end = first + 1
      while end < keys.count, keys[end].trace == trace { end += 1 }
      var newestFirst: [(key: Int, row: Int)] = []
      var row = context.memtable.withTable { $0.traces.entry(of: trace) }?.lastRow ?? SpanRow.noRow
      while row != SpanRow.noRow {
        let stored = rows.pointer(at: Int(row))
        if Int(row) < view.rows.count, !stored.pointee.marks.contains(.isDead) {
          let key = SpanKey(trace: trace, span: stored.pointee.spanID)
          let place = end == first + 1 ? first : (first..<end).partition { keys[$0] >= key }
          if place < end, keys[place] == key { newestFirst.append((place, Int(row))) }
        }
        row = stored.pointee.previousInTrace
      }
      found += newestFirst.reversed()
      first = end
    }
    return found
  }
}
