import TraceBytes
import TraceColumns
import TraceModel
package import TraceSource

// Rows back into records, exactly as they were written.
extension SegmentStripe {
  package func records(_ rows: [Int]) throws -> [SourceSpan] {
    try check(rows)
    guard !rows.isEmpty else { return [] }
    return try reading(isWhole: true) { loaded, scratch in
      var assembler = try RecordAssembler(core, loaded, scratch)
      return try assembler.records(rows)
    }
  }

  package func timeBounds(_ rows: [Int]) throws -> (minimumStart: UInt64, maximumEnd: UInt64)? {
    try check(rows)
    guard !rows.isEmpty else { return nil }
    return try reading { loaded, scratch in
      let times = try StripeTimes(loaded)
      // Whoever asks has mostly just looked for this trace. What is damaged spares nothing: the rows themselves know.
      let ordinal = try times.ordinal(rows[0])
      if core.knowsTraceStarts, try loaded.rows(ofTrace: ordinal, scratch).elementsEqual(rows, by: { Int($0) == $1 }),
        let bounds = try? loaded.timeBounds(ofTrace: ordinal)
      {
        return bounds
      }
      let offsets = try times.offsets.gather(rows)
      let ordinals = try times.ordinals(of: rows)
      let durations = try times.durations.gather(rows)
      var bounds = (minimumStart: UInt64.max, maximumEnd: UInt64(0))
      var known: (ordinal: Int, base: UInt64)?
      for place in rows.indices {
        if known?.ordinal != ordinals[place] {
          known = (ordinals[place], try times.bases.value(at: ordinals[place]))
        }
        let start = (known?.base ?? 0) &+ offsets[place]
        bounds.minimumStart = min(bounds.minimumStart, start)
        bounds.maximumEnd = max(bounds.maximumEnd, start &+ durations[place])
      }
      return bounds
    }
  }

  package func summaryRows(_ rows: [Int]) throws -> [SummaryRow] {
    try check(rows)
    guard !rows.isEmpty else { return [] }
    return try reading { loaded, scratch in
      let strings = try core.strings()
      let runs = try loaded.runs(scratch)
      let times = try StripeTimes(loaded)
      let count = rowCount
      let durations = try times.durations.gather(rows)
      let spanIDs = try loaded.integers(ChunkID.spanID, count: count).gather(rows)
      let statusCodes = try loaded.integers(ChunkID.statusCode, count: count).gather(rows)
      let parents = try ParentReader(loaded, scratch)
      let parentIDs = try parents.parents(of: rows, spanIDs, times, scratch)
      var service = (code: UInt32.max, text: "")
      var name = (code: UInt32.max, text: "")
      var result: [SummaryRow] = []
      result.reserveCapacity(rows.count)
      for (place, row) in rows.enumerated() {
        let run = runs.run(of: row)
        if service.code != runs.services[run] || result.isEmpty {
          service = (runs.services[run], try strings.string(runs.services[run]))
        }
        if name.code != runs.names[run] || result.isEmpty {
          name = (runs.names[run], try strings.string(runs.names[run]))
        }
        let start = try times.start(row)
        result.append(
          SummaryRow(
            start: start, end: start &+ durations[place], spanID: spanIDs[place], parentSpanID: parentIDs[place],
            statusCode: Int32(truncatingIfNeeded: unzigzag(statusCodes[place])), isPartial: false,
            service: service.text, name: name.text))
      }
      return result
    }
  }
}

/// Parents of rows: none, another row of the same trace, or an id of their own.
struct ParentReader {
  private let loaded: LoadedStripe
  private let column: IntegerChunk
  private let spanIDs: IntegerChunk

  init(_ loaded: LoadedStripe, _ scratch: ReadScratch) throws {
    self.loaded = loaded
    column = try loaded.integers(ChunkID.parent, count: loaded.head.rowCount)
    spanIDs = try loaded.integers(ChunkID.spanID, count: loaded.head.rowCount)
  }

  /// The parent ids of ascending rows.
  ///
  /// - Parameter ids: the span ids of the rows: who asks for a whole trace has the parents among them.
  func parents(of rows: [Int], _ ids: [UInt64], _ times: StripeTimes, _ scratch: ReadScratch) throws -> [UInt64?] {
    let codes = try column.gather(rows, isKeeping: true)
    var result: [UInt64?] = []
    result.reserveCapacity(rows.count)
    var siblings = (ordinal: -1, rows: [UInt32]()[...], areAsked: false)
    let escapes = codes.contains(1) ? try loaded.escapedParents(scratch) : nil
    for (place, code) in codes.enumerated() {
      switch code {
      case 0: result.append(nil)
      case 1: result.append(escapes?.parent(of: rows[place]))
      default:
        let ordinal = try times.ordinal(rows[place])
        if siblings.ordinal != ordinal {
          let all = try loaded.rows(ofTrace: ordinal, scratch)
          siblings = (ordinal, all, all.elementsEqual(rows) { Int($0) == $1 })
        }
        guard code - 2 < UInt64(siblings.rows.count) else {
          throw loaded.place(ChunkID.parent).damage("row \(rows[place]) names a parent that is not in its trace")
        }
        let parent = Int(code - 2)
        result.append(
          try siblings.areAsked
            ? ids[parent] : spanIDs.value(at: Int(siblings.rows[siblings.rows.startIndex + parent])))
      }
    }
    return result
  }
}

/// The parent ids that stand in full, by row.
final class EscapedParents: StripePart {
  private let rows: [UInt32]
  private let ids: [UInt64]

  var residentByteCount: Int { rows.count * 12 }

  /// - Precondition: as many rows, ascending, as ids.
  init(rows: [UInt32], ids: [UInt64]) {
    self.rows = rows
    self.ids = ids
  }

  /// Calls `body` with the rows of a parent, ascending.
  func forEachRow(ofParent id: UInt64, _ body: (Int) -> Void) {
    for (place, other) in ids.enumerated() where other == id { body(Int(rows[place])) }
  }

  func parent(of row: Int) -> UInt64? {
    var low = 0
    var high = rows.count
    while low < high {
      let middle = (low + high) / 2
      if Int(rows[middle]) < row { low = middle + 1 } else { high = middle }
    }
    return low < rows.count && Int(rows[low]) == row ? ids[low] : nil
  }
}

extension LoadedStripe {
  func escapedParents(_ scratch: ReadScratch) throws -> EscapedParents {
    try part(.escapes) {
      var rows: [UInt32] = []
      try integers(ChunkID.parent, count: head.rowCount).forEachPage(in: 0..<head.rowCount, scratch) { first, values in
        for index in 0..<values.count where values[index] == 1 { rows.append(UInt32(first + index)) }
      }
      let ids = try integers(ChunkID.escapedParent, count: rows.count).decodeAll()
      return EscapedParents(rows: rows, ids: ids)
    }
  }

  func resourceList(_ scratch: ReadScratch) throws -> [UInt32] {
    try part(.resources) { NumberList(try tableList(ChunkID.resources, summary.resources, scratch)) }.values
  }

  func scopeList(_ scratch: ReadScratch) throws -> [UInt32] {
    try part(.scopes) { NumberList(try tableList(ChunkID.scopes, summary.scopes, scratch)) }.values
  }

  /// The list stands in the stripe index as well; a stripe that disagrees is not the one that was indexed.
  private func tableList(_ id: UInt32, _ indexed: [UInt32], _ scratch: ReadScratch) throws -> [UInt32] {
    let list = try integers(id, count: indexed.count).decodeCodes(maximum: UInt64(UInt32.max), scratch)
    guard list == indexed else { throw place(id).damage("it is not what the stripe index announces") }
    return list
  }
}
