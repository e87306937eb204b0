import TraceBytes
package import TraceColumns
package import TraceModel
import TraceOTLP
import TraceSource

/// What one segment holds of one trace: rows of one stripe, or partial records.
package struct TraceFragment: Sendable {
  package var trace: TraceID
  /// The least start, rounded down to a multiple of `SegmentFormat.baseGranuleNanoseconds`; of partial records, the
  /// least that is set, or the greatest value.
  package var start: UInt64
  package var rowCount: Int
  /// Nil for partial records.
  package var stripe: Int?
  /// The trace's place in the stripe, or the first of its records.
  package var place: Int
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

  /// Every trace of the segment, once for each stripe that holds rows of it and once for its partial records. Reads
  /// the stripes, and decodes their trace columns only.
  package func fragments() throws -> [TraceFragment] {
    var result: [TraceFragment] = []
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
        result.append(
          TraceFragment(
            trace: TraceID(high: highs[ordinal], low: lows[ordinal]), start: bases[ordinal],
            rowCount: Int(spanCounts[ordinal]), stripe: stripe.index, place: ordinal))
      }
    }
    guard let partials = try core.partials() else { return result }
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
      result.append(
        TraceFragment(
          trace: trace, start: start.map { $0 - $0 % SegmentFormat.baseGranuleNanoseconds } ?? .max,
          rowCount: end - first, stripe: nil, place: first))
      first = end
    }
    return result
  }

  /// Appends the records of a fragment to the table, and what each weighs to `weights`; see `RowWeight`.
  package func append(_ fragment: TraceFragment, weights: inout [Int]) throws {
    if let stripe = fragment.stripe {
      return try rows(ofStripe: stripe).append(ordinal: fragment.place, to: self, weights: &weights)
    }
    let first = table.rowCount
    try appendPartials(fragment)
    for row in first..<table.rowCount { weights.append(RowWeight.of(table.rows[row], in: table)) }
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

  /// The stripes that are held, in no order.
  package var heldStripes: [Int] { Array(stripes.keys) }

  /// Takes the partial records of fragments into memory, in the stead of those that are there, so that they can be
  /// appended in any order. One that is not there is read alone, with all that is compressed with it.
  package func unpackPartials(of fragments: [TraceFragment]) throws {
    partials = nil
    let rows = fragments.flatMap { $0.place..<$0.place + $0.rowCount }.sorted()
    guard !rows.isEmpty, let table = try core.partials() else { return }
    partials = try core.cache.withScratch { try UnpackedPartials(table, rows, $0) }
  }

  private func appendPartials(_ fragment: TraceFragment) throws {
    let builder = SpanTableBuilder(table: table)
    for row in fragment.place..<fragment.place + fragment.rowCount {
      if try partials?.record(row, of: core) == nil { try unpackPartials(of: [fragment]) }
      guard let record = try partials?.record(row, of: core) else { return }
      builder.append(resource: record.resource, scope: record.scope, span: record.span, isPartial: true)
    }
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
