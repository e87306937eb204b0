import Synchronization
import TraceBytes
import TraceColumns
import TraceFiles
import TraceModel
import TraceSource

/// What the stripes of a segment share: the file, its footer, and the sections that were loaded.
///
/// Strings and keys stay once they were used, because every query needs them; they count in `residentByteCount`.
/// Other sections come and go with the cache.
final class SegmentCore: Sendable {
  let file: any File
  let number: UInt64
  let path: String
  let cache: BlockCache
  let footer: SegmentFooter
  /// Where the footer begins: stripes and sections end before it.
  let footerOffset: UInt64

  private struct Resident: Sendable {
    var strings: StringTable?
    var keys: KeyTable?
    var resources: ResourceTable?
    var scopes: ScopeTable?
    var textColumns: [TextColumnIndex]?
  }
  private let resident = Mutex(Resident())

  init(
    file: any File, number: UInt64, path: String, cache: BlockCache, footer: SegmentFooter, footerOffset: UInt64
  ) {
    self.file = file
    self.number = number
    self.path = path
    self.cache = cache
    self.footer = footer
    self.footerOffset = footerOffset
  }

  /// Blocks that a query read after the file was given up would keep it open, and its bytes on the disk.
  deinit { cache.removeBlocks(ofFile: number) }

  var residentByteCount: Int {
    resident.withLock {
      ($0.strings?.residentByteCount ?? 0) + ($0.keys?.residentByteCount ?? 0) + ($0.resources?.residentByteCount ?? 0)
        + ($0.scopes?.residentByteCount ?? 0)
        + ($0.textColumns?.reduce(0) { $0 + $1.residentByteCount } ?? 0)
    }
  }

  var chunkChecksum: ChunkChecksum { ChunkChecksum(features: footer.requiredFeatures) }

  /// Whether stripes say when their traces start.
  var knowsTraceStarts: Bool { footer.optionalFeatures & SegmentFormat.traceStartsFeature != 0 }

  func releaseResident() { resident.withLock { $0 = Resident() } }

  // MARK: Sections

  func place(_ kind: SectionKind) -> ChunkPlace {
    ChunkPlace(path: path, subject: .section(kind), fileOffset: footer.section(kind)?.offset ?? 0)
  }

  /// Runs a decoder of this room and adds the path to what it throws.
  func naming<Result>(_ kind: SectionKind, _ body: () throws -> Result) throws -> Result {
    try place(kind).naming(body)
  }

  /// Reads a section whole in one read and compares it with its hash; nil when the file has none.
  func loadSection(_ kind: SectionKind) throws -> SegmentBuffer? {
    guard let entry = footer.section(kind) else { return nil }
    let place = place(kind)
    // The footer was checked: sections end before it, so this is bounded by the file.
    guard let byteCount = Int(exactly: entry.byteCount), byteCount <= Self.maximumSectionByteCount else {
      throw place.damage("it announces \(entry.byteCount) bytes")
    }
    let buffer = try SegmentBuffer(reading: file, path: path, at: entry.offset, byteCount: byteCount)
    guard Hash128(of: buffer.bytes) == entry.hash else { throw place.damage("its bytes do not match their hash") }
    return buffer
  }

  /// Bytes of one section: it is held whole while it is decoded.
  static let maximumSectionByteCount = 1 << 32

  func requiredSection(_ kind: SectionKind) throws -> SegmentBuffer {
    guard let buffer = try loadSection(kind) else { throw place(kind).damage("the footer does not name it") }
    return buffer
  }

  /// The parts of a section that is a `PartList`.
  func parts(_ buffer: SegmentBuffer, _ kind: SectionKind, count: Int) throws -> [UnsafeRawBufferPointer] {
    let bytes = buffer.bytes
    return try naming(kind) {
      try PartList.parts(bytes, count: count, of: "\(kind)", at: buffer.fileOffset)
        .map { UnsafeRawBufferPointer(rebasing: bytes[$0]) }
    }
  }

  /// Loads what is not resident yet, and keeps it. Callers ask for what is resident themselves: a search comes by several
  /// times a segment, and a key path costs more than the rest of the way.
  private func keep<Value: Sendable>(
    _ path: any WritableKeyPath<Resident, Value?> & Sendable, _ load: () throws -> Value
  ) throws -> Value {
    let value = try load()
    return resident.withLock { resident in
      if let known = resident[keyPath: path] { return known }
      resident[keyPath: path] = value
      return value
    }
  }

  /// The strings that codes stand for.
  func strings() throws -> StringTable {
    if let known = resident.withLock({ $0.strings }) { return known }
    return try keep(\.strings) {
      let buffer = try requiredSection(.strings)
      return try cache.withScratch { scratch in
        let place = place(.strings)
        return StringTable(
          arena: try place.naming { try TextArena(decoding: buffer.bytes, isVerifying: false, scratch) }, place: place)
      }
    }
  }

  /// The key catalogue with the texts of its keys.
  func keys() throws -> KeyTable {
    if let known = resident.withLock({ $0.keys }) { return known }
    return try keep(\.keys) {
      let strings = try strings()
      let buffer = try requiredSection(.keys)
      return try naming(.keys) {
        try KeyTable(
          KeyCatalogue(buffer.bytes, stringCount: strings.count, at: buffer.fileOffset), strings: strings)
      }
    }
  }

  /// The catalogue entries of a key at a level, ascending by type.
  func keyEntries(level: ColumnLevel, key: [UInt8]) throws -> Range<Int> {
    try keys().entries(level: level, key: key)
  }

  func resources() throws -> ResourceTable {
    if let known = resident.withLock({ $0.resources }) { return known }
    return try keep(\.resources) {
      let buffer = try requiredSection(.resources)
      let parts = try parts(buffer, .resources, count: 3)
      return try naming(.resources) { try ResourceTable(buffer, parts, cache: cache, place: place(.resources)) }
    }
  }

  func scopes() throws -> ScopeTable {
    if let known = resident.withLock({ $0.scopes }) { return known }
    return try keep(\.scopes) {
      let buffer = try requiredSection(.scopes)
      let parts = try parts(buffer, .scopes, count: 2)
      return try naming(.scopes) { try ScopeTable(buffer, parts, cache: cache, place: place(.scopes)) }
    }
  }

  /// The stripe index, read anew: the segment keeps its stripes.
  func loadStripeIndex() throws -> (stripes: [StripeSummary], byteCount: Int) {
    let buffer = try requiredSection(.stripeIndex)
    let filtersByteCount = footer.section(.valueFilters)?.byteCount ?? 0
    let index = try naming(.stripeIndex) {
      try StripeIndex(
        buffer.bytes, stripesEnd: footerOffset, filtersByteCount: filtersByteCount, at: buffer.fileOffset)
    }
    guard UInt64(index.stripes.count) == footer.totals.stripeCount else {
      throw place(.stripeIndex).damage("it names \(index.stripes.count) stripes of \(footer.totals.stripeCount)")
    }
    resident.withLock { $0.textColumns = TextColumnIndex.columns(of: index.stripes) }
    return (index.stripes, buffer.byteCount)
  }

  /// What the stripe index says of a text chunk; nil where no stripe has it.
  func textColumn(_ chunk: UInt32) throws -> TextColumnIndex? {
    let columns: [TextColumnIndex]
    if let known = resident.withLock({ $0.textColumns }) {
      columns = known
    } else {
      // Memory was given back while somebody held a stripe.
      columns = TextColumnIndex.columns(of: try loadStripeIndex().stripes)
    }
    var low = 0
    var high = columns.count
    while low < high {
      let middle = (low + high) / 2
      if columns[middle].chunk < chunk { low = middle + 1 } else { high = middle }
    }
    return low < columns.count && columns[low].chunk == chunk ? columns[low] : nil
  }

  /// Services and operations with their counts.
  func operations() throws -> OperationCounts {
    guard let entry = footer.section(.operations) else {
      throw place(.operations).damage("the footer does not name it")
    }
    let strings = try strings()
    return try cache.block(BlockCache.Key(fileNumber: number, offset: entry.offset)) {
      let buffer = try requiredSection(.operations)
      let parts = try parts(buffer, .operations, count: 5)
      return try naming(.operations) {
        try OperationCounts(parts, stringCount: strings.count, place: place(.operations))
      }
    }
  }

  /// The partial records; nil when there are none.
  func partials() throws -> PartialTable? {
    guard let entry = footer.section(.partialSpans) else {
      guard footer.totals.partialCount == 0 else { throw place(.partialSpans).damage("the footer does not name it") }
      return nil
    }
    return try cache.block(BlockCache.Key(fileNumber: number, offset: entry.offset)) {
      let buffer = try requiredSection(.partialSpans)
      let parts = try parts(buffer, .partialSpans, count: 8)
      return try naming(.partialSpans) {
        try cache.withScratch { scratch in
          try PartialTable(
            buffer, parts, count: footer.totals.partialCount, place: place(.partialSpans), scratch)
        }
      }
    }
  }
}

/// A filter in memory.
final class FilterBlock: CachedBlock {
  /// Small beside the columns whose reading it spares: what those drive out is mostly filters.
  static let passCount = 8

  private let filter: FuseFilter

  var residentByteCount: Int { filter.byteCount + 64 }

  init(_ bytes: UnsafeRawBufferPointer) throws {
    var reader = ByteReader(bytes)
    filter = try FuseFilter(&reader)
    guard reader.isAtEnd else { throw BytesError(offset: reader.offset, reason: "bytes follow the filter") }
  }

  /// False when the hash is certainly not in the set.
  func contains(_ hash: UInt64) -> Bool { filter.contains(hash) }
}
