import TraceColumns
import TraceMerge
import TraceModel
import TraceSegment
import TraceSource

/// What `PartialOverlay` knows between two searches.
///
/// A span whose records are all partial, or of which no final says what all its records say together, is hidden in every
/// source and listed in a slice. A span with finals that stand for themselves is shown by them, and its other records
/// are hidden. A span with one record is that record. Only ids of listed spans and bits of rows are kept.
struct OverlayState {
  private struct KnownMemtable {
    weak var memtable: Memtable?
    var seenRowCount = 0
    var hidden = HiddenRows()
    /// Hashes of the spans that have partial records here.
    var partialKeys: Set<Int> = []
  }

  private struct KnownSegment {
    var hidden = HiddenRows()
    var damage: [String] = []
    /// Made anew when other rows are hidden.
    var overlaid: (any SpanSource)?
  }

  private struct ListedSlice {
    var slice: JoinedSlice
    /// Places of keys that were settled again since.
    var superseded: RowMask
    var liveCount: Int
  }

  private let cache: BlockCache
  private let maximumSliceKeyCount: Int
  private var memtables: [ObjectIdentifier: KnownMemtable] = [:]
  private var segments: [UInt64: KnownSegment] = [:]
  private var slices: [ListedSlice] = []
  private var nextSliceNumber: UInt64 = 0
  /// Of `LiveSources` that were looked at last.
  private var expiryCount: Int?

  init(cache: BlockCache, maximumSliceKeyCount: Int) {
    self.cache = cache
    self.maximumSliceKeyCount = maximumSliceKeyCount
  }

  var damage: [String] { segments.sorted { $0.key < $1.key }.flatMap(\.value.damage) }

  /// Of `byteCount`, what merges make less: bits for records that one record could stand for.
  var hiddenByteCount: Int { segments.values.reduce(0) { $0 + $1.hidden.byteCount } }

  /// What is held from one search to the next, beside what the cache holds.
  var byteCount: Int {
    slices.reduce(0) { $0 + $1.slice.byteCount + $1.superseded.count / 8 }
      + memtables.values.reduce(0) { $0 + $1.hidden.byteCount + $1.partialKeys.capacity * 11 }
      + segments.values.reduce(0) { $0 + $1.hidden.byteCount }
  }

  // MARK: Updating

  /// The spans of a pass, about. A first search settles what it finds in passes, each over a range of traces.
  private static let passRecordCount = 1 << 15

  /// - Parameter expiryCount: of `LiveSources`.
  mutating func update(_ sources: OverlaySources, expiryCount: Int?) {
    forget(sources, expiryCount: expiryCount)
    let new = sources.segments.filter { segments[$0.number] == nil }
    let old = sources.segments.filter { segments[$0.number] != nil && $0.hasPartials }
    for segment in new { segments[segment.number] = KnownSegment() }
    var keys = newKeys(in: sources.memtables, besides: old)
    if !new.isEmpty {
      keys += heldKeys(in: sources.memtables) { key in new.contains { $0.mayHoldFinals(of: key.trace) } }
    }
    keys += takeSmallSlices(besides: keys.count)
    keys.sort()
    var cuts = stride(from: Self.passRecordCount, to: keys.count, by: Self.passRecordCount).map { keys[$0].trace }
    for segment in new {
      cuts += collect(segment.number) { try segment.partialStripe()?.cuts(every: Self.passRecordCount) ?? [] } ?? []
    }
    var first = SpanKey(trace: TraceID(high: 0, low: 0), span: 0)
    for cut in Set(cuts).sorted().map({ SpanKey(trace: $0, span: 0) }) + [nil] {
      let end = cut.map { cut in keys.indices.partition { keys[$0] >= cut } } ?? keys.count
      let start = keys.indices.partition { keys[$0] >= first }
      var pass = Array(keys[start..<end])
      for segment in new { addKeys(of: segment, from: first, to: cut, &pass) { _ in true } }
      for segment in old where !new.isEmpty {
        addKeys(of: segment, from: first, to: cut, &pass) { key in new.contains { $0.mayHoldFinals(of: key.trace) } }
      }
      pass.sort()
      settle(pass.withoutRepetitions(), sources)
      if let cut { first = cut }
    }
  }

  /// Lets go of sources that are gone. When others have taken up their records, these are looked at with the others; when
  /// records may have expired, everything is looked at again: also when the segment that took them up came and went
  /// between two searches.
  private mutating func forget(_ sources: OverlaySources, expiryCount: Int?) {
    defer { self.expiryCount = expiryCount }
    let liveMemtables = Set(sources.memtables.map { ObjectIdentifier($0.memtable) })
    let liveSegments = Set(sources.segments.map(\.number))
    // An address may be used again.
    let staying = memtables.filter { liveMemtables.contains($0.key) && $0.value.memtable != nil }
    let isWhole = staying.count == memtables.count && segments.keys.allSatisfy(liveSegments.contains)
    if expiryCount.map({ $0 != self.expiryCount }) ?? !isWhole { return removeAll() }
    memtables = staying
    segments = segments.filter { liveSegments.contains($0.key) }
  }

  /// Forgets everything.
  mutating func removeAll() {
    for listed in slices { cache.removeBlock(listed.slice.cacheKey) }
    (memtables, segments, slices) = ([:], [:], [])
  }

  /// The spans that have new rows in memtables, and partial records there or in segments. In no order, some repeated.
  private mutating func newKeys(in memtables: [MemtableSource], besides segments: [Segment]) -> [SpanKey] {
    var keys: [SpanKey] = []
    var finals: [SpanKey] = []
    for source in memtables {
      let id = ObjectIdentifier(source.memtable)
      var known = self.memtables[id] ?? KnownMemtable(memtable: source.memtable)
      for index in known.seenRowCount..<max(known.seenRowCount, source.rowCount) {
        let row = source.view.rows.pointer(at: index)
        if row.pointee.marks.contains(.isDead) { continue }
        if row.pointee.marks.contains(.isPartial) {
          keys.append(row.pointee.key)
          known.partialKeys.insert(row.pointee.key.hashValue)
        } else {
          finals.append(row.pointee.key)
        }
      }
      known.seenRowCount = max(known.seenRowCount, source.rowCount)
      self.memtables[id] = known
    }
    guard !finals.isEmpty else { return keys }
    finals.sort()
    finals = finals.withoutRepetitions()
    let inMemory = self.memtables.values.map(\.partialKeys).filter { !$0.isEmpty }
    if !inMemory.isEmpty {
      keys += finals.filter { final in inMemory.contains { $0.contains(final.hashValue) } }
    }
    for segment in segments {
      collect(segment.number) {
        let candidates = try finals.filter { try segment.mayHold($0.trace) }
        guard !candidates.isEmpty, let stripe = try segment.partialStripe() else { return }
        keys += try stripe.rows(of: candidates).map { candidates[$0.place] }
      }
    }
    return keys
  }

  /// The spans with partial records in memtables that pass.
  private func heldKeys(in memtables: [MemtableSource], that passes: (SpanKey) -> Bool) -> [SpanKey] {
    memtables.filter(\.hasPartials).flatMap { source in
      (0..<source.rowCount).compactMap { index in
        let row = source.view.rows.pointer(at: index)
        guard row.pointee.marks.contains(.isPartial), passes(row.pointee.key) else { return nil }
        return row.pointee.key
      }
    }
  }

  /// Adds the spans from `first` to below `end` that have partial records in a segment and pass.
  private mutating func addKeys(
    of segment: Segment, from first: SpanKey, to end: SpanKey?, _ keys: inout [SpanKey],
    that passes: (SpanKey) -> Bool
  ) {
    guard segment.hasPartials else { return }
    collect(segment.number) {
      try segment.partialStripe()?.forEachKey(from: first) { key in
        if let end, key >= end { return false }
        if keys.last != key, passes(key) { keys.append(key) }
        return true
      }
    }
  }

  /// Notes damage of a segment instead of throwing it.
  @discardableResult
  private mutating func collect<Result>(_ number: UInt64, _ body: () throws -> Result) -> Result? {
    do { return try body() } catch {
      note(number, error)
      return nil
    }
  }

  private mutating func note(_ number: UInt64, _ error: any Error) {
    let message = "\(error)"
    if segments[number]?.damage.contains(message) == false { segments[number]?.damage.append(message) }
  }

  // MARK: Settling

  /// A span that is shown by a slice.
  private struct Listed {
    var key: SpanKey
    /// Of records that may contribute.
    var recordCount: Int
    var byteCount: Int
    var bounds: StripeBounds
  }

  /// Spans that are settled together, and where their records stand.
  private struct Pass {
    let keys: [SpanKey]
    let found: OverlaySources.Found
    /// Places of records that plainly do not contribute.
    let dominated: Set<Int>
    /// By key: about how many bytes the others have.
    let byteCounts: [Int]

    init(_ keys: [SpanKey], _ found: OverlaySources.Found, _ sources: OverlaySources) {
      let dominated = sources.dominated(found, 0..<keys.count)
      let open = found.places.indices.filter { !dominated.contains($0) }
      byteCounts = sources.byteCounts(at: open, of: found, keyCount: keys.count)
      (self.keys, self.found, self.dominated) = (keys, found, dominated)
    }

    /// The places of a span's records, apart from those that plainly do not contribute.
    func open(_ key: Int) -> [Int] { found.range(of: key).filter { !dominated.contains($0) } }

    func listed(_ key: Int, _ bounds: StripeBounds) -> Listed {
      Listed(key: keys[key], recordCount: open(key).count, byteCount: byteCounts[key], bounds: bounds)
    }
  }

  /// Spans whose records are in memory at a time, and about how many bytes these have.
  private static let batchCount = 256
  private static let batchByteCount = 4 << 20

  /// Decides anew who shows spans.
  ///
  /// - Parameter keys: distinct, ascending.
  private mutating func settle(_ keys: [SpanKey], _ sources: OverlaySources) {
    if keys.isEmpty { return }
    supersede(keys)
    let pass = Pass(keys, sources.places(of: keys) { note($0, $1) }, sources)
    var listed: [Listed] = []
    var mixed: [Int] = []
    for key in keys.indices {
      let places = pass.found.range(of: key)
      let partialCount = places.count { pass.found.places[$0].isPartial }
      if places.count < 2 || partialCount == 0 {
        for place in places { setHidden(false, pass.found.places[place], sources) }
      } else if partialCount == places.count {
        var bounds = StripeBounds.unknown
        for place in places {
          setHidden(true, pass.found.places[place], sources)
          bounds.include(start: pass.found.places[place].start)
        }
        listed.append(pass.listed(key, bounds))
      } else {
        mixed.append(key)
      }
    }
    var rest = mixed[...]
    while !rest.isEmpty {
      var byteCount = 0
      let batch = rest.prefix(Self.batchCount).prefix { key in
        defer { byteCount += pass.byteCounts[key] }
        return byteCount == 0 || byteCount + pass.byteCounts[key] <= Self.batchByteCount
      }
      rest = rest[batch.endIndex...]
      settle(batch, of: pass, sources, &listed)
    }
    list(listed)
  }

  /// Settles spans that have finals and partial records. Those that no final shows are added to `listed`.
  private mutating func settle(
    _ batch: ArraySlice<Int>, of pass: Pass, _ sources: OverlaySources, _ listed: inout [Listed]
  ) {
    let found = pass.found
    let records = sources.records(at: batch.flatMap(pass.open), of: found, pass.keys) { note($0, $1) }
    for key in batch {
      let places = found.range(of: key)
      for place in places where pass.dominated.contains(place) { setHidden(true, found.places[place], sources) }
      let readable = places.filter { records[$0] != nil }
      let parts = readable.compactMap { records[$0].map { SpanPart($0) } }
      let views = SpanView.views(of: parts)
      let own = views.compactMap { $0.verbatimIndex.map { parts[$0].content } }
      let isShownByRecords = own.count == views.count
      let visible = isShownByRecords ? Set(own) : []
      for (place, part) in zip(readable, parts) {
        setHidden(!visible.contains(part.content), found.places[place], sources)
      }
      if isShownByRecords { continue }
      var bounds = StripeBounds()
      for view in views { bounds.include(start: view.span.start.nanoseconds, end: view.span.end.nanoseconds) }
      listed.append(pass.listed(key, bounds))
    }
  }

  private mutating func setHidden(_ isHidden: Bool, _ place: OverlaySources.Place, _ sources: OverlaySources) {
    if place.source < sources.memtables.count {
      let id = ObjectIdentifier(sources.memtables[place.source].memtable)
      memtables[id]?.hidden.set(isHidden, place.row, ofStripe: place.stripe, height: place.height)
    } else {
      let number = sources.segments[place.source - sources.memtables.count].number
      guard segments[number]?.hidden.contains(place.row, ofStripe: place.stripe) == !isHidden else { return }
      segments[number]?.hidden.set(isHidden, place.row, ofStripe: place.stripe, height: place.height)
      segments[number]?.overlaid = nil
    }
  }

  // MARK: Slices

  private mutating func supersede(_ keys: [SpanKey]) {
    for index in slices.indices {
      for place in slices[index].slice.places(of: keys) where !slices[index].superseded[place] {
        slices[index].superseded.set(place)
        slices[index].liveCount -= 1
      }
    }
    drop { $0.liveCount == 0 }
  }

  private mutating func drop(_ isDropped: (ListedSlice) -> Bool) {
    for listed in slices where isDropped(listed) { cache.removeBlock(listed.slice.cacheKey) }
    slices.removeAll(where: isDropped)
  }

  /// Takes away slices that are worth listing anew, and gives back their spans: small ones, so that a trickle of updates
  /// makes few slices, and those most of whose spans have gone elsewhere.
  private mutating func takeSmallSlices(besides count: Int) -> [SpanKey] {
    if count == 0 { return [] }
    var taken: Set<UInt64> = []
    var takenCount = count
    for listed in slices.sorted(by: { $0.liveCount < $1.liveCount }) {
      let isSmall =
        listed.liveCount <= 2 * takenCount && listed.liveCount < maximumSliceKeyCount / 2
        && listed.slice.recordByteCount < Self.maximumSliceByteCount / 2
      guard isSmall || listed.liveCount < listed.slice.keys.count / 2 else { continue }
      taken.insert(listed.slice.number)
      takenCount += listed.liveCount
    }
    let keys = slices.filter { taken.contains($0.slice.number) }.flatMap { listed in
      listed.slice.keys.indices.filter { !listed.superseded[$0] }.map { listed.slice.keys[$0] }
    }
    drop { taken.contains($0.slice.number) }
    return keys
  }

  /// Rows of a slice, joined or not: what the masks of a search speak about.
  private static let maximumSliceRowCount = 1 << 15
  /// Bytes of the records of a slice, about: they are in memory together when it is joined. A single span may have more.
  private static let maximumSliceByteCount = 4 << 20

  /// Cuts spans into slices along their starts, so that a search joins those of the times it looks at. Spans of very
  /// many records are kept apart from others, which would get as many rows each.
  private mutating func list(_ listed: [Listed]) {
    func order(_ listed: Listed) -> (Int, UInt64, SpanKey) {
      (listed.recordCount.bitWidth - listed.recordCount.leadingZeroBitCount, listed.bounds.maximumStart, listed.key)
    }
    let sorted = listed.sorted { order($0) < order($1) }
    var first = 0
    while first < sorted.count {
      var end = first
      var height = 1
      var byteCount = 0
      var bounds = StripeBounds()
      while end < sorted.count, end - first < maximumSliceKeyCount {
        let next = max(height, sorted[end].recordCount)
        if end > first, (end - first + 1) * next > Self.maximumSliceRowCount { break }
        if end > first, byteCount + sorted[end].byteCount > Self.maximumSliceByteCount { break }
        height = next
        byteCount += sorted[end].byteCount
        bounds.include(sorted[end].bounds)
        end += 1
      }
      let keys = sorted[first..<end].map(\.key).sorted()
      let slice = JoinedSlice(
        number: nextSliceNumber, keys: keys, height: height, recordByteCount: byteCount, bounds: bounds)
      nextSliceNumber += 1
      slices.append(ListedSlice(slice: slice, superseded: RowMask(count: keys.count), liveCount: keys.count))
      first = end
    }
  }

  // MARK: Reading

  mutating func spans(_ sources: OverlaySources, _ damage: JoinDamage) -> [any SpanSource] {
    var spans: [any SpanSource] = sources.memtables.map { source in
      memtables[ObjectIdentifier(source.memtable)]?.hidden.overlaying(source) ?? source
    }
    for segment in sources.segments {
      let overlaid =
        segments[segment.number]?.overlaid ?? segments[segment.number]?.hidden.overlaying(segment) ?? segment
      // Segments of which nothing is hidden are nobody's once their readers are done.
      segments[segment.number]?.overlaid = overlaid is Segment ? nil : overlaid
      spans.append(overlaid)
    }
    if slices.isEmpty { return spans }
    let stripes = slices.enumerated().map { index, listed in
      JoinedStripe(listed.slice, superseded: listed.superseded, sources, cache, damage, index: index)
    }
    return spans + [JoinedSource(stripes)]
  }
}

extension StripeBounds {
  /// Of spans whose ends are not known.
  fileprivate static var unknown: StripeBounds {
    var bounds = StripeBounds()
    (bounds.maximumEnd, bounds.minimumDuration, bounds.maximumDuration) = (.max, 0, .max)
    return bounds
  }

  fileprivate mutating func include(start: UInt64) {
    (minimumStart, maximumStart) = (min(minimumStart, start), max(maximumStart, start))
  }
}

extension SpanRow {
  fileprivate var key: SpanKey { SpanKey(trace: TraceID(high: traceHigh, low: traceLow), span: spanID) }
}

extension Segment {
  fileprivate func mayHoldFinals(of trace: TraceID) -> Bool {
    totals.stripeCount > 0 && (try? mayHold(trace)) ?? true
  }
}

extension [SpanKey] {
  /// The distinct elements of an ascending array.
  fileprivate func withoutRepetitions() -> [SpanKey] {
    indices.filter { $0 == 0 || self[$0 - 1] != self[$0] }.map { self[$0] }
  }
}
