import TraceColumns
import TraceMerge
import TraceModel
import TraceSegment
import TraceSource

/// What `PartialOverlay` knows between two searches.
struct OverlayState {
  struct Key: Hashable {
    var trace: TraceID
    var span: UInt64
  }

  private struct KnownMemtable {
    weak var memtable: Memtable?
    var seenRowCount = 0
    var hidden = HiddenRows()
  }

  private struct KnownSegment {
    var hidden = HiddenRows()
    /// The spans with partial records anywhere that have records here.
    var keys: Set<Key> = []
    var damage: [String] = []
    /// Made anew when more is hidden.
    var overlaid: (any SpanSource)?
  }

  /// Every span with a partial record, and the rows of `views` that stand for it.
  private var shown: [Key: [Int]] = [:]
  private var memtables: [ObjectIdentifier: KnownMemtable] = [:]
  private var segments: [UInt64: KnownSegment] = [:]
  /// Joined spans as rows; those that were superseded are hidden.
  private var views = Memtable(endZeroMeansOpen: false)
  private var superseded = HiddenRows()

  var isEmpty: Bool { shown.isEmpty }
  var damage: [String] { segments.sorted { $0.key < $1.key }.flatMap(\.value.damage) }
  var byteCount: Int { views.byteCount }

  // MARK: Updating

  mutating func update(_ memtables: [MemtableSource], _ segments: [Segment]) throws {
    var dirty: Set<Key> = []
    forget(memtables, segments, &dirty)
    for source in memtables { noteNewRows(of: source, &dirty) }
    for segment in segments where self.segments[segment.number] == nil { note(segment, &dirty) }
    let sources = memtables.map { Place.Source.memtable($0) } + segments.map { .segment($0) }
    let spansByTrace = Dictionary(grouping: dirty) { $0.trace }.mapValues { Set($0.map(\.span)) }
    let traces = spansByTrace.keys.sorted()
    for first in stride(from: 0, to: traces.count, by: Self.batchTraceCount) {
      try join(traces[first..<min(first + Self.batchTraceCount, traces.count)], spansByTrace, sources)
    }
    try shrinkIfSparse()
  }

  /// Lets go of sources that are gone; spans that had records in a segment are looked at again.
  private mutating func forget(_ memtables: [MemtableSource], _ segments: [Segment], _ dirty: inout Set<Key>) {
    let liveMemtables = Set(memtables.map { ObjectIdentifier($0.memtable) })
    // An address may be used again.
    self.memtables = self.memtables.filter { liveMemtables.contains($0.key) && $0.value.memtable != nil }
    let liveSegments = Set(segments.map(\.number))
    for (number, known) in self.segments where !liveSegments.contains(number) {
      dirty.formUnion(known.keys)
      self.segments[number] = nil
    }
  }

  private mutating func noteNewRows(of source: MemtableSource, _ dirty: inout Set<Key>) {
    let id = ObjectIdentifier(source.memtable)
    var known = memtables[id] ?? KnownMemtable(memtable: source.memtable)
    let rows = source.view.rows
    for index in known.seenRowCount..<max(known.seenRowCount, rows.count) {
      let row = rows.pointer(at: index)
      if row.pointee.marks.contains(.isDead) { continue }
      let key = Key(
        trace: TraceID(high: row.pointee.traceHigh, low: row.pointee.traceLow), span: row.pointee.spanID)
      if row.pointee.marks.contains(.isPartial) || shown[key] != nil { dirty.insert(key) }
      if row.pointee.marks.contains(.isPartial), shown[key] == nil { shown[key] = [] }
    }
    known.seenRowCount = max(known.seenRowCount, rows.count)
    memtables[id] = known
  }

  /// A new segment's partial records, and the spans with partial records elsewhere that it holds parts of.
  private mutating func note(_ segment: Segment, _ dirty: inout Set<Key>) {
    segments[segment.number] = KnownSegment()
    collect(segment.number) {
      try segment.partialStripe()?.forEachID { trace, span in dirty.insert(Key(trace: trace, span: span)) }
    }
    for key in dirty where shown[key] == nil { shown[key] = [] }
    var held: [TraceID: Bool] = [:]
    // Partial records of these spans were among the ids: what is looked for are finals.
    for key in shown.keys where segment.totals.stripeCount > 0 && !dirty.contains(key) {
      if held[key.trace] == nil {
        held[key.trace] =
          collect(segment.number) {
            try segment.mayHold(key.trace) && !segment.rows(of: key.trace).isEmpty
          } ?? true
      }
      if held[key.trace] == true { dirty.insert(key) }
    }
  }

  /// Notes damage of a segment instead of throwing it.
  @discardableResult
  private mutating func collect<Result>(_ number: UInt64, _ body: () throws -> Result) -> Result? {
    do { return try body() } catch {
      let message = "\(error)"
      if segments[number]?.damage.contains(message) == false { segments[number]?.damage.append(message) }
      return nil
    }
  }

  // MARK: Joining

  /// Where a record stands.
  private struct Place {
    enum Source {
      case memtable(MemtableSource)
      case segment(Segment)

      /// The greatest row count that a stripe gets.
      func height(of stripe: any SpanStripe) -> Int {
        switch self {
        case .memtable: 1 << Memtable.stripeShift
        case .segment: stripe.rowCount
        }
      }
    }

    var source: Source
    var stripe: Int
    var height: Int
    var row: Int
  }

  /// So many traces are joined at a time: their records are read in the order in which they are stored.
  private static let batchTraceCount = 512

  /// The records of some spans, and where they stand.
  private typealias Found = [Key: (records: [PlainUpdates.Record], places: [Place])]

  /// - Parameter traces: ascending.
  private mutating func join(
    _ traces: ArraySlice<TraceID>, _ spans: [TraceID: Set<UInt64>], _ sources: [Place.Source]
  ) throws {
    var found: Found = [:]
    for source in sources {
      switch source {
      case .memtable(let memtable):
        var located: [(TraceID, LocatedRows)] = []
        for trace in traces {
          located += try contributingRows(of: trace, spans[trace, default: []], memtable).map { (trace, $0) }
        }
        try Self.add(located, spans, source, to: &found)
      case .segment(let segment):
        add(traces, spans, segment, to: &found)
      }
    }
    for trace in traces {
      for span in spans[trace, default: []] {
        let key = Key(trace: trace, span: span)
        for row in shown[key] ?? [] { hideView(row) }
        shown[key] = nil
        if let found = found[key] { shown[key] = try show(key, found.records, found.places) }
      }
    }
  }

  /// A place that cannot be read costs the traces that stand there, and no others.
  private mutating func add(
    _ traces: ArraySlice<TraceID>, _ spans: [TraceID: Set<UInt64>], _ segment: Segment, to found: inout Found
  ) {
    func read(_ traces: ArraySlice<TraceID>) throws {
      var located: [(TraceID, LocatedRows)] = []
      for trace in traces { located += try segment.rows(of: trace).map { (trace, $0) } }
      try Self.add(located, spans, .segment(segment), to: &found)
    }
    if traces.count > 1, (try? read(traces)) != nil { return }
    for trace in traces { collect(segment.number) { try read([trace]) } }
  }

  /// All records, or none when one cannot be read.
  private static func add(
    _ located: [(TraceID, LocatedRows)], _ spans: [TraceID: Set<UInt64>], _ source: Place.Source,
    to found: inout Found
  ) throws {
    var added: [(Key, PlainUpdates.Record, Place)] = []
    for ofStripe in Dictionary(grouping: located, by: { $0.1.stripe.index }).values {
      let stripe = ofStripe[0].1.stripe
      let rows = ofStripe.flatMap { trace, located in located.rows.map { (row: $0, trace: trace) } }
        .sorted { $0.row < $1.row }
      let wanted = zip(rows, try stripe.spanIDs(rows.map(\.row))).filter { spans[$0.trace]?.contains($1) == true }
      for ((row, id), record) in zip(wanted, try stripe.records(wanted.map { $0.0.row })) {
        added.append(
          (
            Key(trace: row.trace, span: id),
            PlainUpdates.Record(
              resource: record.resource, scope: record.scope, span: record.span, isPartial: record.isPartial),
            Place(source: source, stripe: stripe.index, height: source.height(of: stripe), row: row.row)
          ))
      }
    }
    for (key, record, place) in added {
      found[key, default: ([], [])].records.append(record)
      found[key, default: ([], [])].places.append(place)
    }
  }

  /// The rows of a memtable without those that plainly say nothing: they are hidden, and never become records.
  private mutating func contributingRows(
    of trace: TraceID, _ spans: Set<UInt64>, _ source: MemtableSource
  ) throws -> [LocatedRows] {
    let located = try source.rows(of: trace)
    let height = 1 << Memtable.stripeShift
    var rowsBySpan: [UInt64: [Int]] = [:]
    for located in located {
      for row in located.rows {
        let row = located.stripe.index * height + row
        let span = source.view.rows.pointer(at: row).pointee.spanID
        if spans.contains(span) { rowsBySpan[span, default: []].append(row) }
      }
    }
    let id = ObjectIdentifier(source.memtable)
    var partials = PartialRows(source.view) { source.context.code(of: $0) }
    var dominated: Set<Int> = []
    for rows in rowsBySpan.values where rows.count > 1 { dominated.formUnion(partials.dominated(rows)) }
    for row in dominated { memtables[id]?.hidden.hide(row % height, ofStripe: row / height, height: height) }
    if dominated.isEmpty { return located }
    return located.compactMap { located in
      let rows = located.rows.filter { !dominated.contains(located.stripe.index * height + $0) }
      return rows.isEmpty ? nil : LocatedRows(stripe: located.stripe, rows: rows)
    }
  }

  /// Hides the records that are no spans, and appends the spans that are no records.
  ///
  /// - Returns: the rows of `views`.
  private mutating func show(_ key: Key, _ records: [PlainUpdates.Record], _ places: [Place]) throws -> [Int] {
    for place in places {
      if case .segment(let segment) = place.source { segments[segment.number]?.keys.insert(key) }
    }
    let dominated = PlainUpdates.dominated(records)
    for index in dominated { hide(places[index]) }
    let rest = records.indices.filter { !dominated.contains($0) }
    // A record that is alone is a span, if it was never hidden.
    if rest.count == 1, !isHidden(places[rest[0]]) { return [] }
    return try show(rest.map { SpanPart(records[$0]) }, rest.map { places[$0] })
  }

  private mutating func show(_ parts: [SpanPart], _ places: [Place]) throws -> [Int] {
    var visible: Set<[UInt8]> = []
    var made: [SpanView] = []
    for view in SpanView.views(of: parts) {
      // What was hidden once stays so: it is shown as a view from then on.
      if let index = view.verbatimIndex,
        parts.indices.contains(where: { parts[$0].content == parts[index].content && !isHidden(places[$0]) })
      {
        visible.insert(parts[index].content)
      } else {
        made.append(view)
      }
    }
    for (part, place) in zip(parts, places) where !visible.contains(part.content) { hide(place) }
    return try made.map { try views.append($0) }
  }

  private func isHidden(_ place: Place) -> Bool {
    switch place.source {
    case .memtable(let source):
      memtables[ObjectIdentifier(source.memtable)]?.hidden.contains(place.row, ofStripe: place.stripe) == true
    case .segment(let segment):
      segments[segment.number]?.hidden.contains(place.row, ofStripe: place.stripe) == true
    }
  }

  private mutating func hide(_ place: Place) {
    switch place.source {
    case .memtable(let source):
      memtables[ObjectIdentifier(source.memtable)]?.hidden
        .hide(place.row, ofStripe: place.stripe, height: place.height)
    case .segment(let segment):
      segments[segment.number]?.hidden.hide(place.row, ofStripe: place.stripe, height: place.height)
      segments[segment.number]?.overlaid = nil
    }
  }

  private mutating func hideView(_ row: Int) {
    let height = 1 << Memtable.stripeShift
    superseded.hide(row % height, ofStripe: row / height, height: height)
  }

  /// Fewer superseded rows than this are not worth a copy of the others.
  private static let maximumSparseRowCount = 4096

  /// Copies the views that stand to a table of their own when most rows are superseded.
  private mutating func shrinkIfSparse() throws {
    guard superseded.count > max(Self.maximumSparseRowCount, views.rowCount / 2) else { return }
    let old = views.source().view
    views = Memtable(endZeroMeansOpen: false)
    superseded = HiddenRows()
    for (key, rows) in shown where !rows.isEmpty {
      shown[key] = try rows.map { row in
        let stored = old.rows[row]
        return try views.append(
          SpanView(
            resource: old.resources[Int(stored.resource)].resource, scope: old.scopes[Int(stored.scope)].scope,
            span: try old.record(row), isOpen: stored.marks.contains(.isPartial),
            isEnriched: stored.marks.contains(.isEnriched)))
      }
    }
  }

  // MARK: Reading

  mutating func sources(_ memtables: [MemtableSource], _ segments: [Segment]) -> [any SpanSource] {
    var sources: [any SpanSource] = memtables.map { source in
      self.memtables[ObjectIdentifier(source.memtable)]?.hidden.overlaying(source) ?? source
    }
    for segment in segments {
      let overlaid =
        self.segments[segment.number]?.overlaid ?? self.segments[segment.number]?.hidden.overlaying(segment) ?? segment
      self.segments[segment.number]?.overlaid = overlaid
      sources.append(overlaid)
    }
    let views = views.source()
    if !views.isEmpty { sources.append(superseded.overlaying(views)) }
    return sources
  }
}
