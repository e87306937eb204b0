import TraceBytes
import TraceColumns
import TraceGraph
import TraceModel
import TraceSource

/// Reads the columns of a stripe that say who called whom, and pairs the spans of each trace. For one thread.
final class StripeCallReader {
  private let core: SegmentCore
  private let loaded: LoadedStripe
  private let scratch: ReadScratch
  private var names = NameTable()
  /// Row by row; plain memory, because every column touches every row.
  private let spans: UnsafeMutableBufferPointer<CallSpan>
  private let traces: TraceRows

  private static let errorCode: UInt64 = 4

  init(_ core: SegmentCore, _ loaded: LoadedStripe, _ scratch: ReadScratch) throws {
    self.core = core
    self.loaded = loaded
    self.scratch = scratch
    traces = try loaded.traceRows(scratch)
    spans = .allocate(capacity: loaded.head.rowCount)
    spans.initialize(
      repeating: CallSpan(
        spanID: 0, parentID: 0, start: 0, duration: 0, service: 0, role: .inner, isError: false))
    try decodeRuns()
    try decodeTimes()
    try decodeParents()
    try decodePeers()
  }

  deinit { spans.deallocate() }

  func calls() throws -> TraceCalls {
    var pairing = CallPairing()
    var calls = CallCollector(capacity: spans.count / 2)
    var linked: [(ordinal: UInt32, consumer: LinkedConsumer)] = []
    var producers: [TraceCalls.Producer] = []
    let offsets = try loaded.linkOffsets(scratch)
    var group: [CallSpan] = []
    let names = names
    for ordinal in 0..<loaded.head.traceCount {
      let rows = traces.rows(of: ordinal)
      group.removeAll(keepingCapacity: true)
      for row in rows { group.append(spans[Int(row)]) }
      func links(_ index: Int) -> Range<Int> {
        guard let offsets, group[index].role == .consumer else { return 0..<0 }
        let row = Int(rows[rows.startIndex + index])
        return Int(offsets[row])..<Int(offsets[row + 1])
      }
      group.withUnsafeBufferPointer { group in
        pairing.pair(group, precedes: names.precedes, isLinked: { !links($0).isEmpty }) { call in
          calls.add(call, ordinal: ordinal)
        }
      }
      for span in group where span.role == .producer {
        producers.append(
          TraceCalls.Producer(
            ordinal: UInt32(ordinal), service: span.service, spanID: span.spanID, start: span.start))
      }
      guard offsets != nil else { continue }
      for index in group.indices where group[index].role == .consumer && !pairing.hasCaller(index) {
        let range = links(index)
        if range.isEmpty { continue }
        linked.append((UInt32(ordinal), LinkedConsumer(span: group[index], targets: try loaded.linkTargets(range))))
      }
    }
    return TraceCalls(
      names: names.names, calls: calls, linked: linked, producers: producers,
      traces: try (0..<loaded.head.traceCount).map { try loaded.traceID($0) })
  }

  // MARK: Columns

  private func decodeRuns() throws {
    let runs = try loaded.runs(scratch)
    let strings = try core.strings()
    for run in 0..<runs.count {
      let service = names.code(of: try strings.withBytes(runs.services[run]) { $0.array })
      let role = SpanRole(kind: runs.kinds[run])
      for row in runs.rows(of: run) {
        spans[row].service = service
        spans[row].role = role
      }
    }
  }

  /// Calls `body` with the values of a column; not at all when it was left out because all are zero.
  private func forEach(_ id: UInt32, _ body: (Int, UInt64) -> Void) throws {
    guard loaded.head.chunk(id) != nil else { return }
    let count = loaded.head.rowCount
    try loaded.integers(id, count: count).forEachPage(in: 0..<count, scratch) { first, values in
      for index in 0..<values.count { body(first &+ index, values[index]) }
    }
  }

  private func decodeTimes() throws {
    let bases = try loaded.integers(ChunkID.traceBase, count: loaded.head.traceCount).decodeAll()
    let ordinals = try loaded.ordinals(scratch)
    let spans = spans
    try forEach(ChunkID.spanID) { spans[$0].spanID = $1 }
    try forEach(ChunkID.start) { spans[$0].start = $1 }
    for row in spans.indices { spans[row].start &+= bases[ordinals[row]] }
    try forEach(ChunkID.duration) {
      spans[$0].duration = StripeTimes.visible(duration: $1, start: spans[$0].start)
    }
    try forEach(ChunkID.statusCode) { spans[$0].isError = $1 == Self.errorCode }
  }

  private func decodeParents() throws {
    guard loaded.head.chunk(ChunkID.parent) != nil else { return }
    let parents = try loaded.integers(ChunkID.parent, count: spans.count).decodeAll()
    let escapes = parents.contains(1) ? try loaded.escapedParents(scratch) : nil
    for ordinal in 0..<loaded.head.traceCount {
      try traces.withRows(of: ordinal) { siblings in
        for row in siblings {
          switch parents[Int(row)] {
          case 0: continue
          case 1: spans[Int(row)].parentID = escapes?.parent(of: Int(row)) ?? 0
          case let rank:
            guard rank - 2 < UInt64(siblings.count) else {
              throw loaded.place(ChunkID.parent).damage("row \(row) names a parent that is not in its trace")
            }
            spans[Int(row)].parentID = spans[Int(siblings[Int(rank - 2)])].spanID
          }
        }
      }
    }
  }

  // MARK: Peers

  private func decodePeers() throws {
    let map = try loaded.shapeMap(.span, scratch)
    var hasDatabase = RowMask(count: spans.count)
    var hasMessaging = RowMask(count: spans.count)
    for (place, key) in PeerNames.keys.enumerated() {
      for entry in try core.keyEntries(level: .span, key: Array(key.utf8))
      where loaded.catalogue[entry].type == .string {
        try forEachText(of: UInt32(entry), map) { row, code in
          if spans[row].peer == CallSpan.noPeer { spans[row].peer = code }
          if PeerNames.databaseKeys.contains(place) { hasDatabase.set(row) }
          if place == PeerNames.messagingKey { hasMessaging.set(row) }
        }
      }
    }
    for row in spans.indices where spans[row].peer != CallSpan.noPeer {
      spans[row].peerConnection = PeerNames.connection(
        spans[row].role, hasDatabase: hasDatabase[row], hasMessaging: hasMessaging[row])
    }
  }

  /// Calls `body` with each calling row that has a text of the entry that is not empty, and the text's code; with the
  /// first one of a row that has several.
  private func forEachText(
    of entry: UInt32, _ map: ShapeMap, _ body: (_ row: Int, _ code: UInt32) -> Void
  ) throws {
    let prefix = try loaded.prefix(of: entry, in: map)
    let count = Int(prefix[prefix.count - 1])
    guard count > 0 else { return }
    let codes = try nameCodes(try loaded.text(ChunkID.attribute(entry), count: count, scratch).codes(scratch), count)
    map.shapes.withMultiplicities(of: entry) { multiplicities in
      var place = 0
      for row in spans.indices {
        let own = Int(multiplicities[Int(map.codes[row])])
        if own == 0 { continue }
        if spans[row].role.isCaller, let code = codes[place..<place + own].first(where: { $0 != CallSpan.noPeer }) {
          body(row, code)
        }
        place += own
      }
    }
  }

  /// The code of each value; `noPeer` for empty ones.
  private func nameCodes(_ texts: TextCodes, _ count: Int) throws -> [UInt32] {
    func code(_ text: UnsafeRawBufferPointer) -> UInt32 { text.isEmpty ? CallSpan.noPeer : names.code(of: text.array) }
    switch texts {
    case .empty: return [UInt32](repeating: CallSpan.noPeer, count: count)
    case .dictionary(let entries, let shared, let local):
      let strings = try core.strings()
      var codes = try shared.map { try strings.withBytes($0, code) }
      for index in 0..<local.count { codes.append(local.withText(index, code)) }
      return entries.map { codes[Int($0)] }
    case .column(let bytes, let ends):
      return bytes.withUnsafeBytes { bytes in
        var start = 0
        return ends.map { end in
          defer { start = end }
          return code(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
        }
      }
    }
  }
}
