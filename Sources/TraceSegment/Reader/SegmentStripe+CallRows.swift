import TraceBytes
import TraceColumns
package import TraceGraph
import TraceModel
package import TraceSource

// What the service graph needs of some rows, column by column.
extension SegmentStripe {
  package func callRows(_ rows: [Int], _ names: inout NameTable) throws -> [CallRow] {
    try check(rows)
    guard !rows.isEmpty else { return [] }
    return try reading { loaded, scratch in
      let strings = try core.strings()
      let runs = try loaded.runs(scratch)
      let times = try StripeTimes(loaded)
      let starts = try times.starts(of: rows)
      let durations = try times.durations.gather(rows)
      let spanIDs = try loaded.integers(ChunkID.spanID, count: rowCount).gather(rows)
      let parents = try ParentReader(loaded, scratch).parents(of: rows, spanIDs, times, scratch)
      let statusCodes = try loaded.integers(ChunkID.statusCode, count: rowCount).gather(rows)
      let error = zigzag(Int64(SpanStatus.Code.error.rawValue))
      // Rows of one run stand side by side.
      var known = (run: -1, service: UInt32(0))
      var result: [CallRow] = []
      result.reserveCapacity(rows.count)
      for (place, row) in rows.enumerated() {
        let run = known.run >= 0 && runs.rows(of: known.run).contains(row) ? known.run : runs.run(of: row)
        if run != known.run { known = (run, names.code(of: try strings.withBytes(runs.services[run]) { $0.array })) }
        result.append(
          CallRow(
            row: row,
            span: CallSpan(
              spanID: spanIDs[place], parentID: parents[place] ?? 0, start: starts[place],
              duration: StripeTimes.visible(duration: durations[place], start: starts[place]), service: known.service,
              role: SpanRole(kind: runs.kinds[run]), isError: statusCodes[place] == error)))
      }
      try namePeers(of: &result, &names, loaded, scratch)
      try takeTargets(of: &result, loaded, scratch)
      return result
    }
  }

  private func namePeers(
    of rows: inout [CallRow], _ names: inout NameTable, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    let callers = rows.indices.filter { rows[$0].span.role.isCaller }
    if callers.isEmpty { return }
    let strings = try core.strings()
    let map = try loaded.shapeMap(.span, scratch)
    var hasDatabase = RowMask(count: rows.count)
    var hasMessaging = RowMask(count: rows.count)
    for (key, text) in PeerNames.keys.enumerated() {
      for entry in try core.keyEntries(level: .span, key: Array(text.utf8))
      where loaded.catalogue[entry].type == .string {
        let prefix = try loaded.prefix(of: UInt32(entry), in: map)
        var cursor = DenseCursor(map: map, prefix: prefix, entry: UInt32(entry))
        // Of each value, where it stands, and the place of its row.
        var indices: [Int] = []
        var places: [Int] = []
        for place in callers {
          for index in cursor.values(of: rows[place].row) {
            indices.append(index)
            places.append(place)
          }
        }
        if indices.isEmpty { continue }
        // Neighbours mostly agree.
        var code = CallSpan.noPeer
        let column = try loaded.text(ChunkID.attribute(UInt32(entry)), count: Int(prefix[prefix.count - 1]), scratch)
        try column.forEachValue(at: indices, strings, scratch) { index, text in
          if let text { code = text.isEmpty ? CallSpan.noPeer : names.code(of: text.array) }
          if code == CallSpan.noPeer { return }
          let place = places[index]
          if rows[place].span.peer == CallSpan.noPeer { rows[place].span.peer = code }
          if PeerNames.databaseKeys.contains(key) { hasDatabase.set(place) }
          if key == PeerNames.messagingKey { hasMessaging.set(place) }
        }
      }
    }
    for place in callers where rows[place].span.peer != CallSpan.noPeer {
      rows[place].span.peerConnection = PeerNames.connection(
        rows[place].span.role, hasDatabase: hasDatabase[place], hasMessaging: hasMessaging[place])
    }
  }

  private func takeTargets(of rows: inout [CallRow], _ loaded: LoadedStripe, _ scratch: ReadScratch) throws {
    guard loaded.head.linkCount > 0 else { return }
    let consumers = rows.indices.filter { rows[$0].span.role == .consumer }
    let ranges = try loaded.links(of: consumers.map { rows[$0].row }, scratch)
    for (place, range) in zip(consumers, ranges) where !range.isEmpty {
      rows[place].targets = try loaded.linkTargets(range)
    }
  }
}

extension LoadedStripe {
  /// The spans that links point to, but for those that name none.
  func linkTargets(_ links: Range<Int>) throws -> [LinkTarget] {
    func value(_ id: UInt32, _ index: Int) throws -> UInt64 {
      try integers(id, count: head.linkCount).value(at: index)
    }
    return try links.compactMap { index in
      guard try value(ChunkID.linkAbsence, index) == 0 else { return nil }
      return LinkTarget(
        trace: TraceID(high: try value(ChunkID.linkTraceHigh, index), low: try value(ChunkID.linkTraceLow, index)),
        spanID: try value(ChunkID.linkSpanID, index))
    }
  }
}
