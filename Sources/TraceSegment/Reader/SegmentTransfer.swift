import TraceBytes
package import TraceColumns
package import TraceMerge
package import TraceModel
import TraceOTLP
import TraceSource

/// What one segment holds of one trace: rows of one stripe, or partial records. A merge holds one for each trace of its
/// inputs, so that it is kept small.
package struct TraceFragment: Sendable {
  package let trace: TraceID
  /// The least start, rounded down to a multiple of `SegmentFormat.baseGranuleNanoseconds`; of partial records, the
  /// least that is set, or the greatest value.
  package let start: UInt64
  private let storedRowCount: UInt32
  private let storedStripe: UInt32
  private let storedPlace: UInt32

  private static let noStripe = UInt32.max

  package var rowCount: Int { Int(storedRowCount) }
  /// Nil for partial records.
  package var stripe: Int? { storedStripe == Self.noStripe ? nil : Int(storedStripe) }
  /// The trace's place in the stripe, or the first of its records.
  package var place: Int { Int(storedPlace) }
  /// Of partial records.
  package var rows: Range<Int> { place..<place + rowCount }

  /// Counts of rows, stripes and records are bounded by the format, far below 2^32.
  init(trace: TraceID, start: UInt64, rowCount: Int, stripe: Int?, place: Int) {
    self.trace = trace
    self.start = start
    storedRowCount = UInt32(rowCount)
    storedStripe = stripe.map { UInt32($0) } ?? Self.noStripe
    storedPlace = UInt32(place)
  }
}

/// Carries traces of a segment over into tables. Keeps the stripes it has decoded until they are released.
/// Not thread-safe.
package final class SegmentTransfer {
  private let core: SegmentCore
  private let segment: Segment
  private let strings: StringTable
  @exclusivity(unchecked) package private(set) var table: SpanTable
  /// Changes with the table.
  private(set) var generation = 0
  @exclusivity(unchecked) private var stringCodes: [UInt32]
  @exclusivity(unchecked) private var resourceIndices: [UInt32]
  @exclusivity(unchecked) private var scopeIndices: [UInt32]
  private var stripes: [Int: StripeRows] = [:]
  private var partials: UnpackedPartials?

  private static let unknown = UInt32.max

  /// - Parameter table: where the first records go. Merges of many small segments hold many transfers, so that a table
  ///   for each would cost more than the segments.
  package init(_ segment: Segment, to table: SpanTable) throws {
    self.segment = segment
    self.table = table
    core = segment.core
    strings = try core.strings()
    stringCodes = [UInt32](repeating: Self.unknown, count: strings.count)
    resourceIndices = [UInt32](repeating: Self.unknown, count: try core.resources().count)
    scopeIndices = [UInt32](repeating: Self.unknown, count: try core.scopes().count)
  }

  /// Everything that is appended from now on goes to this table.
  package func begin(_ table: SpanTable) {
    self.table = table
    generation += 1
    for index in stringCodes.indices { stringCodes[index] = Self.unknown }
    for index in resourceIndices.indices { resourceIndices[index] = Self.unknown }
    for index in scopeIndices.indices { scopeIndices[index] = Self.unknown }
  }

  /// Calls `body` with every trace of the segment, once for each stripe that holds rows of it and once for its partial
  /// records. Reads the stripes, and decodes their trace columns only.
  package func forEachFragment(_ body: (TraceFragment) -> Void) throws {
    for stripe in try segment.spanStripes() {
      let loaded = try stripe.read()
      let count = loaded.head.traceCount
      func values(_ id: UInt32) throws -> [UInt64] { try loaded.integers(id, count: count).decodeAll() }
      let (highs, lows) = (try values(ChunkID.traceHigh), try values(ChunkID.traceLow))
      let (bases, spanCounts) = (try values(ChunkID.traceBase), try values(ChunkID.traceSpanCount))
      for ordinal in 0..<count {
        guard spanCounts[ordinal] <= UInt64(loaded.head.rowCount) else {
          throw loaded.place(ChunkID.traceSpanCount).damage("a trace has more rows than its stripe")
        }
        body(
          TraceFragment(
            trace: TraceID(high: highs[ordinal], low: lows[ordinal]), start: bases[ordinal],
            rowCount: Int(spanCounts[ordinal]), stripe: stripe.index, place: ordinal))
      }
    }
    guard let partials = try core.partials() else { return }
    let rows = Array(0..<partials.count)
    let (traces, starts) = (try partials.traces(rows), try partials.times(rows).map(\.start))
    var first = 0
    while first < traces.count {
      let trace = traces[first]
      guard first == 0 || traces[first - 1] < trace else {
        throw core.place(.partialSpans).damage("its records do not ascend")
      }
      let end = traces[first...].firstIndex { $0 != trace } ?? traces.count
      let start = starts[first..<end].filter { $0 > 0 }.min()
      body(
        TraceFragment(
          trace: trace, start: start.map { $0 - $0 % SegmentFormat.baseGranuleNanoseconds } ?? .max,
          rowCount: end - first, stripe: nil, place: first))
      first = end
    }
  }

  /// Appends the rows that a stripe holds of a trace to the table, and what each weighs to `weights`; see `RowWeight`.
  package func append(ordinal: Int, ofStripe stripe: Int, weights: inout [Int]) throws {
    try rows(ofStripe: stripe).append(ordinal: ordinal, to: self, weights: &weights)
  }

  private func rows(ofStripe index: Int) throws -> StripeRows {
    if let known = stripes[index] { return known }
    let all = try segment.spanStripes()
    let rows = try core.cache.withScratch { try StripeRows(try all[index].read(), $0) }
    stripes[index] = rows
    return rows
  }

  /// Forgets a stripe. It is decoded again when a fragment of it is asked for.
  package func release(stripe: Int) { stripes[stripe] = nil }

  // MARK: Partial records

  /// Takes the partial records of fragments into memory, in the stead of those that are there, so that they can be asked
  /// for in any order. Gives back how many bytes they have; nil, and there are none, when it is more than the limit.
  package func unpackPartials(of fragments: [TraceFragment], maximumByteCount: Int) throws -> Int? {
    partials = nil
    let rows = fragments.flatMap(\.rows).sorted()
    guard !rows.isEmpty else { return 0 }
    guard let table = try core.partials() else { throw core.place(.partialSpans).damage("it is not what it was") }
    partials = try core.cache.withScratch { try UnpackedPartials(table, rows, maximumByteCount: maximumByteCount, $0) }
    return partials?.byteCount
  }

  /// The span ids of a fragment's partial records, ascending. They must have been unpacked, as must those of `record`.
  package func spanIDs(ofPartials fragment: TraceFragment) -> ArraySlice<UInt64> {
    unpacked().spanIDs(fragment.rows)
  }

  package func partialRecord(at row: Int) throws -> PlainUpdates.Record { try unpacked().record(row, of: core) }

  private func unpacked() -> UnpackedPartials {
    guard let partials else { preconditionFailure("partial records are asked for before they are unpacked") }
    return partials
  }

  // MARK: Codes

  /// The table's code of one of the segment's strings.
  func string(_ code: UInt32) throws -> UInt32 {
    if Int(code) < stringCodes.count, stringCodes[Int(code)] != Self.unknown { return stringCodes[Int(code)] }
    let result = try strings.withBytes(code) { table.strings.intern($0) }
    stringCodes[Int(code)] = result
    return result
  }

  /// The table's index of one of the segment's resources.
  func resource(_ index: Int) throws -> UInt32 {
    if index < resourceIndices.count, resourceIndices[index] != Self.unknown { return resourceIndices[index] }
    let resource = try core.resources().value(at: index)
    let result = OTLP.identity(of: resource).withUnsafeBytes { table.resourceIndex(record: $0) { resource } }
    resourceIndices[index] = result
    return result
  }

  /// The table's index of one of the segment's scopes.
  func scope(_ index: Int) throws -> UInt32 {
    if index < scopeIndices.count, scopeIndices[index] != Self.unknown { return scopeIndices[index] }
    let scope = try core.scopes().value(at: index)
    let result = OTLP.identity(of: scope).withUnsafeBytes { table.scopeIndex(record: $0) { scope } }
    scopeIndices[index] = result
    return result
  }
}
