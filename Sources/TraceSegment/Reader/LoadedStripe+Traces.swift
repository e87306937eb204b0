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
    let pattern = SIMD16<UInt16>(repeating: target)
    narrow.withUnsafeBytes { bytes in
      @inline(__always)
      func hits(_ row: Int) -> SIMD4<UInt64> {
        let ordinals = bytes.loadUnaligned(fromByteOffset: row &* 2, as: SIMD16<UInt16>.self)
        // All bits of a lane whose ordinals agree.
        return unsafeBitCast(ordinals .== pattern, to: SIMD4<UInt64>.self)
      }
      var row = 0
      while row &+ 64 <= narrow.count {
        let all = hits(row) | hits(row &+ 16) | hits(row &+ 32) | hits(row &+ 48)
        if all[0] | all[1] | all[2] | all[3] != 0 {
          for place in row..<(row &+ 64) where narrow[place] == target { rows.append(UInt32(place)) }
        }
        row &+= 64
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
    let rows = try ordinals(scratch).rows(of: ordinal)
    recentTrace.withLock { $0 = (ordinal, rows) }
    return rows[...]
  }

  func traceRows(_ scratch: ReadScratch) throws -> TraceRows {
    try part(.traceRows) { TraceRows(ordinals: try ordinals(scratch).all, traceCount: head.traceCount) }
  }

  // What the stripe says of a trace, by its ordinal below the trace count.

  private func value(_ id: UInt32, ofTrace ordinal: Int) throws -> UInt64 {
    try integers(id, count: head.traceCount).value(at: ordinal)
  }

  func traceID(_ ordinal: Int) throws -> TraceID {
    try TraceID(high: value(ChunkID.traceHigh, ofTrace: ordinal), low: value(ChunkID.traceLow, ofTrace: ordinal))
  }

  /// Whether no other stripe of the segment has rows of the trace.
  func isWholeTrace(_ ordinal: Int) throws -> Bool { try value(ChunkID.traceFlags, ofTrace: ordinal) == 0 }

  /// From when to when the rows of a trace last that stand in this stripe.
  ///
  /// - Precondition: the segment knows when traces start.
  func timeBounds(ofTrace ordinal: Int) throws -> (minimumStart: UInt64, maximumEnd: UInt64) {
    let base = try value(ChunkID.traceBase, ofTrace: ordinal)
    return try (base &+ value(ChunkID.traceStart, ofTrace: ordinal), base &+ value(ChunkID.traceEnd, ofTrace: ordinal))
  }
}
