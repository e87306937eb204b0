import TraceBytes
import TraceColumns

/// Start and duration of rows, one by one.
struct StripeTimes {
  let offsets: IntegerChunk
  let bases: IntegerChunk
  private let loaded: LoadedStripe
  private let ordinals: IntegerChunk
  /// All ordinals, when they were decoded before.
  private let decoded: TraceOrdinals?
  private let traceCount: UInt64

  init(_ loaded: LoadedStripe) throws {
    self.loaded = loaded
    ordinals = try loaded.ordinalColumn()
    decoded = loaded.known(.ordinals, as: TraceOrdinals.self)
    offsets = try loaded.integers(ChunkID.start, count: loaded.head.rowCount)
    bases = try loaded.integers(ChunkID.traceBase, count: loaded.head.traceCount)
    traceCount = UInt64(loaded.head.traceCount)
  }

  /// Looked up when it is asked for, so not in a loop: what is ordered by start needs none.
  var durations: IntegerChunk {
    get throws { try loaded.integers(ChunkID.duration, count: loaded.head.rowCount) }
  }

  /// The ordinal of a row's trace, below the trace count.
  func ordinal(_ row: Int) throws -> Int {
    if let decoded { return decoded[row] }
    return try checked(ordinals.value(at: row))
  }

  /// The ordinals of ascending rows.
  func ordinals(of rows: [Int]) throws -> [Int] {
    if let decoded { return rows.map { decoded[$0] } }
    return try ordinals.gather(rows).map(checked)
  }

  /// Adds to the value of each row of a range, which lies in one page, what its trace has.
  ///
  /// - Precondition: there is a base for every trace.
  func add(
    _ bases: UnsafeBufferPointer<UInt64>, of rows: Range<Int>, to values: UnsafeMutableBufferPointer<UInt64>
  ) throws {
    if let decoded { return decoded.add(bases, of: rows, to: values) }
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: IntegerPage.maximumCount) { page in
      let index = rows.lowerBound / IntegerPage.maximumCount
      let first = rows.lowerBound - index * IntegerPage.maximumCount
      try ordinals.decodePage(index, into: page)
      for place in 0..<rows.count { values[place] &+= bases[try checked(page[first + place])] }
    }
  }

  private func checked(_ ordinal: UInt64) throws -> Int {
    guard ordinal < traceCount else { throw ordinals.place.damage("a row names trace \(ordinal) of \(traceCount)") }
    return Int(ordinal)
  }

  func start(_ row: Int) throws -> UInt64 {
    let base = try bases.value(at: try ordinal(row))
    return base &+ (try offsets.value(at: row))
  }

  /// The starts of ascending rows.
  func starts(of rows: [Int]) throws -> [UInt64] {
    var starts = try offsets.gather(rows)
    let ordinals = try ordinals(of: rows)
    // Many rows share few traces.
    let all = rows.count * 4 > bases.count ? try bases.decodeAll() : nil
    for place in starts.indices {
      let base = try all?[ordinals[place]] ?? bases.value(at: ordinals[place])
      starts[place] = starts[place] &+ base
    }
    return starts
  }

  /// The ends of ascending rows.
  func ends(of rows: [Int]) throws -> [UInt64] {
    var ends = try starts(of: rows)
    let durations = try durations.gather(rows)
    for place in ends.indices { ends[place] = ends[place] &+ durations[place] }
    return ends
  }

  /// A duration whose end lies beyond the greatest instant is that of a span that ends before it starts.
  static func visible(duration: UInt64, start: UInt64) -> UInt64 {
    start.addingReportingOverflow(duration).overflow ? 0 : duration
  }
}
