import Synchronization
package import TraceBytes
import TraceColumns
package import TraceFiles
package import TraceModel
package import TraceSource

/// An open segment file. Thread-safe; blocking; everything is read with positioned reads into a shared cache.
///
/// Opening reads trailer and footer. Sections are loaded when they are first needed; the stripe index and the trace
/// filter then stay, with strings and keys, and count in `residentByteCount` until `releaseMemory()`.
package final class Segment: SpanSource {
  let core: SegmentCore
  /// Of the footer's bytes: the identity of the content.
  package let footerHash: Hash128
  package let byteCount: UInt64

  private struct Resident: Sendable {
    var stripes: [SegmentStripe]?
    var stripeByteCount = 0
    var callGroups: (maximumRowCount: Int, groups: [CallGroup])?
    var partialStripe: PartialStripe?
    var traceFilter: FilterBlock?
    var traceIndex: TraceIndexHead?
  }
  private let resident = Mutex(Resident())

  init(core: SegmentCore, footerHash: Hash128, byteCount: UInt64) {
    self.core = core
    self.footerHash = footerHash
    self.byteCount = byteCount
  }

  /// Opens a segment: two reads.
  ///
  /// - Parameters:
  ///   - number: the file's number in its store; it keys the cache, so it must name this content only.
  ///   - path: for errors.
  ///   - expectedFooterHash: what the manifest says; another content under the same name is refused as `corrupt`.
  /// - Throws: `corrupt` when trailer or footer are damaged, `unsupportedFormat` for a newer file, and what the file
  ///   system throws.
  package static func open(
    file: any File, number: UInt64, path: String, cache: BlockCache, expectedFooterHash: Hash128? = nil
  ) throws -> Segment {
    do {
      let byteCount = try file.byteCount()
      let trailerByteCount = UInt64(SegmentFormat.trailerByteCount)
      let start = byteCount > trailerByteCount ? byteCount - trailerByteCount : 0
      let tail = try file.bytes(at: start, byteCount: Int(min(byteCount, trailerByteCount)))
      let trailer = try tail.withUnsafeBytes { try SegmentTrailer($0, fileByteCount: byteCount) }
      guard trailer.footerHash == expectedFooterHash ?? trailer.footerHash else {
        throw FormatError.corrupt("it is not the file that the manifest names", at: start)
      }
      let buffer = try SegmentBuffer(
        reading: file, path: path, at: trailer.footerOffset, byteCount: Int(trailer.footerByteCount))
      // The footer's own checksum and version come first: a newer footer is refused as such.
      let footer = try SegmentFooter(buffer.bytes, at: trailer.footerOffset)
      guard Hash128(of: buffer.bytes) == trailer.footerHash else {
        throw FormatError.corrupt("the footer does not match its hash", at: trailer.footerOffset)
      }
      let core = SegmentCore(
        file: file, number: number, path: path, cache: cache, footer: footer, footerOffset: trailer.footerOffset)
      return Segment(core: core, footerHash: trailer.footerHash, byteCount: byteCount)
    } catch var error as TracestoreError {
      if error.path == nil { error.path = path }
      throw error
    }
  }

  package var number: UInt64 { core.number }
  package var path: String { core.path }
  /// Counts and bounds of the whole segment.
  package var totals: SegmentTotals { core.footer.totals }

  /// Bytes that stay in memory for this segment besides what the cache holds.
  package var residentByteCount: Int {
    core.residentByteCount
      + resident.withLock { resident in
        resident.stripeByteCount + (resident.traceFilter?.residentByteCount ?? 0)
          + (resident.traceIndex?.blocks.count ?? 0) * 16
      }
  }

  /// Lets go of everything that can be read again.
  package func releaseMemory() {
    core.releaseResident()
    resident.withLock { $0 = Resident() }
    core.cache.removeBlocks(ofFile: number)
  }

  /// Where the sections stand, by name, in file order.
  package var sectionRanges: [(name: String, offset: UInt64, byteCount: UInt64)] {
    core.footer.sections.map { section in
      (SectionKind(rawValue: section.kind).map { "\($0)" } ?? "\(section.kind)", section.offset, section.byteCount)
    }
  }

  // MARK: Stripes

  /// The stripes of spans and, when there are partial records, one more of these. When the stripe index cannot be
  /// read, one stripe stands for all of them and throws whatever it is asked.
  package var stripes: [any SpanStripe] {
    do {
      var result: [any SpanStripe] = try spanStripes()
      if let partial = try partialStripe() { result.append(partial) }
      return result
    } catch {
      return [DamagedStripe(error: error, totals: totals)]
    }
  }

  package var stripeCount: Int { Int(clamping: totals.stripeCount) + (totals.partialCount > 0 ? 1 : 0) }

  package var bounds: StripeBounds { StripeBounds(totals) }

  package func stripes(mayMatch leaf: SpanLeaf, among open: [Bool]) throws -> [Bool] {
    try stripes(that: core.stripeTest(leaf), partialThat: { try $0.mayMatch(leaf) }, among: open)
  }

  package func stripes(mayFail leaf: SpanLeaf, among open: [Bool]) throws -> [Bool] {
    try stripes(that: core.failureTest(leaf), partialThat: { _ in true }, among: open)
  }

  /// - Parameter test: nil when no stripe of spans passes.
  private func stripes(
    that test: StripeTest?, partialThat passes: (PartialStripe) throws -> Bool, among open: [Bool]
  ) throws -> [Bool] {
    let (stripes, partial) = (try spanStripes(), try partialStripe())
    // One damaged stripe stood for all of them when the caller asked.
    guard open.count == stripes.count + (partial == nil ? 0 : 1) else { return open }
    var result = [Bool](repeating: false, count: open.count)
    if let test {
      for (index, stripe) in stripes.enumerated() where open[index] {
        result[index] = try stripe.rowCount > 0 && test(stripe)
      }
    }
    if let partial, open[stripes.count] { result[stripes.count] = try passes(partial) }
    return result
  }

  /// The stripes of spans, in file order.
  package func spanStripes() throws -> [SegmentStripe] {
    if let known = resident.withLock({ $0.stripes }) { return known }
    let (summaries, byteCount) = try core.loadStripeIndex()
    let stripes = summaries.enumerated().map { SegmentStripe(core: core, index: $0.offset, summary: $0.element) }
    return resident.withLock { resident in
      if let known = resident.stripes { return known }
      resident.stripes = stripes
      let numbers = stripes.lazy.flatMap(\.summary.numbers)
      // With the groups that they stand in.
      resident.stripeByteCount =
        byteCount * 3 + stripes.count * 288 + numbers.reduce(0) { $0 + $1.words.count * 8 + 48 }
      return stripes
    }
  }

  /// All stripes that have spans, in groups. Each question about metrics asks for them.
  ///
  /// - Parameter maximumRowCount: rows of a group; tests lower it.
  package func callGroups(maximumRowCount: Int = CallGroup.maximumRowCount) throws -> [CallGroup] {
    let known = resident.withLock { $0.callGroups }
    if let known, known.maximumRowCount == maximumRowCount { return known.groups }
    let groups = CallGroup.groups(try spanStripes(), maximumRowCount: maximumRowCount)
    resident.withLock { $0.callGroups = (maximumRowCount, groups) }
    return groups
  }

  /// The stripe of partial records; nil when there are none.
  package func partialStripe() throws -> PartialStripe? {
    if let known = resident.withLock({ $0.partialStripe }) { return known }
    guard let table = try core.partials() else { return nil }
    let stripe = PartialStripe(
      core: core, index: Int(clamping: totals.stripeCount), rowCount: table.count, bounds: try table.bounds())
    return resident.withLock { resident in
      if let known = resident.partialStripe { return known }
      resident.partialStripe = stripe
      return stripe
    }
  }

  // MARK: Get-trace

  package func rows(of trace: TraceID) throws -> [LocatedRows] { try rows(of: trace, for: .records) }

  package func rows(of trace: TraceID, for use: RowUse) throws -> [LocatedRows] {
    // A damaged filter costs nothing where there are no final spans whose index it stands before.
    guard try totals.traceCount > 0 ? mayHold(trace) : (try? mayHold(trace)) ?? true else { return [] }
    return try finalRows(of: trace, for: use) + partialRows(of: trace)
  }

  /// The rows of final spans, of those stripes that are wanted: others that the index names are not read.
  package func finalRows(
    of trace: TraceID, for use: RowUse, inStripesThat isWanted: (Int) -> Bool = { _ in true }
  ) throws -> [LocatedRows] {
    guard totals.traceCount > 0 else { return [] }
    let places = try places(of: TraceKey.indexKey(TraceKey.hash(trace)))
    // The filter says yes of a few traces that are not here: for them no stripe index is read.
    if places.isEmpty { return [] }
    var located: [LocatedRows] = []
    let stripes = try spanStripes()
    for place in places {
      guard place.stripe < stripes.count else {
        throw core.place(.traceIndexBlocks).damage("it names stripe \(place.stripe) of \(stripes.count)")
      }
      guard isWanted(place.stripe) else { continue }
      let stripe = stripes[place.stripe]
      let rows = try stripe.rows(ofOrdinal: place.ordinal, trace: trace, for: use)
      if !rows.isEmpty { located.append(LocatedRows(stripe: stripe, rows: rows)) }
    }
    return located
  }

  /// The index of traces is spared where the trace stands in one stripe alone.
  package func rows(of trace: TraceID, around row: FoundRow) throws -> [LocatedRows]? {
    guard let stripe = row.stripe as? SegmentStripe, stripe.core === core,
      let rows = try stripe.rows(ofWholeTrace: trace, around: row.row)
    else { return nil }
    return try [LocatedRows(stripe: stripe, rows: rows)] + partialRows(of: trace)
  }

  package func knowsBounds(around row: FoundRow) -> Bool {
    totals.partialCount == 0 && core.knowsTraceStarts && (row.stripe as? SegmentStripe)?.core === core
  }

  package func timeBounds(
    of trace: TraceID, around row: FoundRow
  ) throws -> (minimumStart: UInt64, maximumEnd: UInt64)? {
    guard knowsBounds(around: row), let stripe = row.stripe as? SegmentStripe else { return nil }
    return try stripe.timeBounds(ofWholeTrace: trace, around: row.row)
  }

  private func partialRows(of trace: TraceID) throws -> [LocatedRows] {
    guard let partial = try partialStripe() else { return [] }
    let rows = try partial.rows(of: trace)
    return rows.isEmpty ? [] : [LocatedRows(stripe: partial, rows: rows)]
  }

  package var contentNumber: UInt64? { number }
  package var cache: BlockCache { core.cache }

  /// False when the trace certainly has no record here, final or partial: a probe of the resident filter.
  package func mayHold(_ trace: TraceID) throws -> Bool {
    try (totals.traceCount > 0 || totals.partialCount > 0) && traceFilter().contains(TraceKey.hash(trace))
  }

  package func forEachTrace(
    inStripesThat passes: (StripeBounds) -> Bool, _ body: (TraceID) throws -> Void
  ) throws {
    for stripe in try spanStripes() where passes(stripe.bounds) {
      for trace in try stripe.traceIDs() { try body(trace) }
    }
  }

  func traceFilter() throws -> FilterBlock {
    if let known = resident.withLock({ $0.traceFilter }) { return known }
    let buffer = try core.requiredSection(.traceFilter)
    let filter = try core.naming(.traceFilter) { try FilterBlock(buffer.bytes) }
    return resident.withLock { resident in
      if let known = resident.traceFilter { return known }
      resident.traceFilter = filter
      return filter
    }
  }

  private func traceIndex() throws -> TraceIndexHead {
    if let known = resident.withLock({ $0.traceIndex }) { return known }
    let buffer = try core.requiredSection(.traceIndex)
    let blocksByteCount = core.footer.section(.traceIndexBlocks)?.byteCount ?? 0
    let head = try core.naming(.traceIndex) {
      try TraceIndexHead(buffer.bytes, blocksByteCount: blocksByteCount, at: buffer.fileOffset)
    }
    resident.withLock { $0.traceIndex = head }
    return head
  }

  /// Where the traces with an index key stand; equal keys of different traces are told apart in the stripes.
  private func places(of key: UInt64) throws -> [(stripe: Int, ordinal: Int)] {
    let head = try traceIndex()
    guard let section = core.footer.section(.traceIndexBlocks) else {
      throw core.place(.traceIndexBlocks).damage("the footer does not name it")
    }
    var result: [(stripe: Int, ordinal: Int)] = []
    for index in head.blocks(holding: key) {
      let block = head.blocks[index]
      let offset = section.offset + UInt64(block.offset)
      let loaded = try core.cache.block(BlockCache.Key(fileNumber: number, offset: offset)) {
        let buffer = try SegmentBuffer(
          reading: core.file, path: path, at: offset, byteCount: Int(block.byteCount))
        let place = ChunkPlace(path: path, subject: .traceIndexBlock(index), fileOffset: offset)
        return try place.naming { try TraceIndexBlock(buffer.bytes, firstKey: block.firstKey, place: place) }
      }
      result.append(contentsOf: loaded.places(of: key))
    }
    return result
  }
}
