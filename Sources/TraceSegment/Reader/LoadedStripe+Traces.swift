import Synchronization
import TraceColumns
import TraceModel

/// The ordinal of each row's trace, decoded; every one is below the trace count.
final class TraceOrdinals: StripePart {
  // Two bytes do for nearly every stripe, and are searched twice as fast.
  private let narrow: [UInt16]
  private let wide: [UInt32]

  var residentByteCount: Int { narrow.count * 2 + wide.count * 4 + 64 }

  init(_ column: IntegerChunk, traceCount: Int, _ scratch: ReadScratch) throws {
    let maximum = UInt64(max(0, traceCount - 1))
    narrow = maximum <= UInt64(UInt16.max) ? try column.decode(maximum: maximum, scratch) : []
    wide = maximum <= UInt64(UInt16.max) ? [] : try column.decode(maximum: maximum, scratch)
  }

  subscript(row: Int) -> Int { narrow.isEmpty ? Int(wide[row]) : Int(narrow[row]) }

  /// Adds to the value of each row of a range what its trace has.
  ///
  /// - Precondition: there is a base for every trace.
  func add(_ bases: UnsafeBufferPointer<UInt64>, of rows: Range<Int>, to values: UnsafeMutableBufferPointer<UInt64>) {
    func add<Code: FixedWidthInteger>(_ codes: [Code]) {
      codes.withUnsafeBufferPointer { codes in
        var place = 0
        while place < rows.count {
          values[place] &+= bases[Int(truncatingIfNeeded: codes[rows.lowerBound &+ place])]
          place &+= 1
        }
      }
    }
    if narrow.isEmpty { add(wide) } else { add(narrow) }
  }

  var all: [UInt32] { narrow.isEmpty ? wide : narrow.map { UInt32($0) } }

  /// The rows of a trace, ascending.
  func rows(of ordinal: Int) -> [UInt32] {
    var rows: [UInt32] = []
    guard !narrow.isEmpty else {
      for (row, other) in wide.enumerated() where Int(other) == ordinal { rows.append(UInt32(row)) }
      return rows
    }
    let target = UInt16(truncatingIfNeeded: ordinal)
    let pattern = UInt64(target) &* 0x0001_0001_0001_0001
    narrow.withUnsafeBytes { bytes in
      var row = 0
      // Four lanes a word: a lane is zero, and borrows, exactly where the first equal ordinal of the word stands.
      while row &+ 8 <= narrow.count {
        let first = bytes.loadUnaligned(fromByteOffset: row &* 2, as: UInt64.self) ^ pattern
        let second = bytes.loadUnaligned(fromByteOffset: row &* 2 &+ 8, as: UInt64.self) ^ pattern
        let hits =
          ((first &- 0x0001_0001_0001_0001) & ~first | (second &- 0x0001_0001_0001_0001) & ~second)
          & 0x8000_8000_8000_8000
        if hits != 0 {
          for place in row..<(row &+ 8) where narrow[place] == target { rows.append(UInt32(place)) }
        }
        row &+= 8
      }
      while row < narrow.count {
        if narrow[row] == target { rows.append(UInt32(row)) }
        row &+= 1
      }
    }
    return rows
  }
}

// Which rows belong to which trace.
extension LoadedStripe {
  /// The ordinal of each row's trace, as the column has it.
  func ordinalColumn() throws -> IntegerChunk { try integers(ChunkID.traceOrdinal, count: head.rowCount) }

  func ordinals(_ scratch: ReadScratch) throws -> TraceOrdinals {
    try part(.ordinals) { try TraceOrdinals(ordinalColumn(), traceCount: head.traceCount, scratch) }
  }

  /// Traces that are looked for row by row before all of them are indexed, which costs about as much as so many.
  private static let scannedTraceCount = 32

  /// The rows of a trace, ascending.
  ///
  /// - Precondition: `ordinal` is below the trace count.
  func rows(ofTrace ordinal: Int, _ scratch: ReadScratch) throws -> ArraySlice<UInt32> {
    if let index = known(.traceRows, as: TraceRows.self) { return index.rows(of: ordinal) }
    if let recent = recentTrace.withLock({ $0 }), recent.ordinal == ordinal { return recent.rows[...] }
    let count = scanCount.add(1, ordering: .relaxed).newValue
    guard count <= Self.scannedTraceCount else { return try traceRows(scratch).rows(of: ordinal) }
    // One trace is found quicker on the way through the pages; for the next one all ordinals are kept.
    let rows = try count == 1 ? decodedRows(ofTrace: ordinal, scratch) : ordinals(scratch).rows(of: ordinal)
    recentTrace.withLock { $0 = (ordinal, rows) }
    return rows[...]
  }

  private func decodedRows(ofTrace ordinal: Int, _ scratch: ReadScratch) throws -> [UInt32] {
    if let known = known(.ordinals, as: TraceOrdinals.self) { return known.rows(of: ordinal) }
    let target = UInt64(ordinal)
    var rows: [UInt32] = []
    try ordinalColumn().forEachPage(in: 0..<head.rowCount, scratch) { first, values in
      var index = 0
      while index < values.count {
        if values[index] == target { rows.append(UInt32(truncatingIfNeeded: first &+ index)) }
        index &+= 1
      }
    }
    return rows
  }

  func traceRows(_ scratch: ReadScratch) throws -> TraceRows {
    try part(.traceRows) { TraceRows(ordinals: try ordinals(scratch).all, traceCount: head.traceCount) }
  }

  func traceID(_ ordinal: Int) throws -> TraceID {
    TraceID(
      high: try integers(ChunkID.traceHigh, count: head.traceCount).value(at: ordinal),
      low: try integers(ChunkID.traceLow, count: head.traceCount).value(at: ordinal))
  }
}
