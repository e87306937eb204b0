import Synchronization
import TraceBytes
import TraceColumns
import TraceFiles
import TraceModel
import TraceSource

/// Something decoded from a stripe that is kept with it.
protocol StripePart: AnyObject, Sendable {
  /// Bytes of memory, about.
  var residentByteCount: Int { get }
}

/// A decoded list of numbers.
final class NumberList: StripePart {
  let values: [UInt32]

  init(_ values: [UInt32]) { self.values = values }

  var residentByteCount: Int { values.count * 4 + 32 }
}

/// What is in memory of a stripe: its head, the columns that were asked for or the stripe as a whole, and the parts that
/// were decoded from them so far. Thread-safe.
final class LoadedStripe: CachedBlock {
  /// What is decoded once and kept.
  enum Part: Sendable {
    case runs
    case ordinals
    case traceRows
    case shapes
    case eventOffsets
    case linkOffsets
    case eventPages
    case linkPages
    case resources
    case scopes
    case escapes
    case inversions
    case shapeMap(ColumnLevel)
    /// The bytes of a column that was read alone.
    case bytes(UInt32)
    /// A column, in the only form that its id has.
    case chunk(UInt32)
    /// Of a key catalogue entry.
    case prefix(UInt32)
    case attribute(UInt32)
  }

  private let bytes: StripeBytes
  /// Columns in the file that are at least so long are read page by page: a quarter of the front.
  private let pagedByteCount: Int
  let head: StripeHead
  let path: String
  /// The stripe's index in its segment.
  let stripeIndex: Int
  let summary: StripeSummary
  let catalogue: KeyTable
  private let parts: OnceTable
  /// How many traces were looked for row by row.
  let scanCount = Atomic<Int>(0)
  /// Whether a question went through the shapes on its way to a few values.
  let isPassed = Atomic<Bool>(false)
  /// The trace that was looked for last: who asks for its rows asks for their parents next.
  let recentTrace = Mutex<(ordinal: Int, rows: [UInt32])?>(nil)

  var residentByteCount: Int { bytes.front.byteCount + bytes.tally.byteCount }

  /// Reads the stripe.
  ///
  /// - Parameter frontByteCount: how much of it, if it is long and not all of it is wanted.
  init(
    file: any File, path: String, stripeIndex: Int, summary: StripeSummary, catalogue: KeyTable,
    checksum: ChunkChecksum, frontByteCount: Int = .max
  ) throws {
    self.path = path
    self.stripeIndex = stripeIndex
    self.summary = summary
    self.catalogue = catalogue
    let byteCount = Int(clamping: summary.byteCount)
    let longestHead = StripeHead.byteCount(chunkCount: Int(ChunkID.fixedEnd) + catalogue.count)
    let firstByteCount = max(frontByteCount, longestHead)
    bytes = try StripeBytes(
      file: file, path: path, at: summary.offset, byteCount: byteCount, checksum: checksum,
      frontByteCount: byteCount / 2 <= firstByteCount ? byteCount : firstByteCount)
    pagedByteCount = frontByteCount / 4
    let place = ChunkPlace(path: path, subject: .stripeHead(stripeIndex), fileOffset: summary.offset)
    let front = bytes.front.bytes
    head = try place.naming { try StripeHead(front, stripeByteCount: summary.byteCount, at: summary.offset) }
    guard head.rowCount == summary.rowCount, head.eventCount == summary.eventCount, head.linkCount == summary.linkCount,
      head.traceCount == summary.traceCount, head.runCount == summary.runCount, head.endOffset == summary.byteCount
    else { throw place.damage("its counts are not those of the stripe index") }
    let headByteCount = StripeHead.byteCount(chunkCount: head.chunks.count)
    guard headByteCount <= front.count,
      Hash128(of: UnsafeRawBufferPointer(rebasing: front[..<headByteCount])) == summary.hash
    else {
      throw place.damage("it is not the one that the stripe index names")
    }
    parts = OnceTable(count: Self.firstAttributePlace + head.chunks.count * (Self.placesByAttribute + 1))
  }

  // MARK: Parts

  private static let firstMapPlace = 12
  private static let firstChunkPlace = firstMapPlace + ColumnLevel.allCases.count
  private static let firstAttributePlace = firstChunkPlace + Int(ChunkID.fixedEnd)
  private static let placesByAttribute = 3

  /// Where a part is kept; nil for an attribute without a chunk, whose values are all zero or empty.
  private func place(of part: Part) -> Int? {
    switch part {
    case .runs: 0
    case .traceRows: 1
    case .shapes: 2
    case .eventOffsets: 3
    case .linkOffsets: 4
    case .resources: 5
    case .scopes: 6
    case .escapes: 7
    case .ordinals: 8
    case .eventPages: 9
    case .linkPages: 10
    case .inversions: 11
    case .shapeMap(let level): Self.firstMapPlace + Int(level.rawValue)
    case .chunk(let id) where id < ChunkID.fixedEnd: Self.firstChunkPlace + Int(id)
    case .chunk(let id): attributePlace(id)
    case .bytes(let id):
      head.chunkIndex(id).map { Self.firstAttributePlace + head.chunks.count * Self.placesByAttribute + $0 }
    case .prefix(let entry): attributePlace(ChunkID.attribute(entry)).map { $0 + 1 }
    case .attribute(let entry): attributePlace(ChunkID.attribute(entry)).map { $0 + 2 }
    }
  }

  private func attributePlace(_ id: UInt32) -> Int? {
    head.chunkIndex(id).map { Self.firstAttributePlace + $0 * Self.placesByAttribute }
  }

  /// A part, if it was decoded before.
  func known<Value: StripePart>(_ key: Part, as type: Value.Type) -> Value? {
    place(of: key).flatMap { parts.object(at: $0, as: type) }
  }

  /// A part that was decoded before, or `make()`, which may run twice when two readers come at once.
  func part<Value: StripePart>(_ key: Part, make: () throws -> Value) throws -> Value {
    guard let place = place(of: key) else { return try make() }
    if let known = parts.object(at: place, as: Value.self) { return known }
    let made = try make()
    // The one that is kept: what points into it lives as long as the stripe.
    guard parts.put(made, at: place) else { return parts.object(at: place, as: Value.self) ?? made }
    bytes.tally.add(made.residentByteCount)
    return made
  }

  /// The stripe as a whole.
  func place() -> ChunkPlace {
    ChunkPlace(path: path, subject: .stripe(stripeIndex), fileOffset: summary.offset)
  }

  func place(_ id: UInt32) -> ChunkPlace {
    ChunkPlace(
      path: path, subject: .column(id, stripe: stripeIndex, catalogue),
      fileOffset: summary.offset + UInt64(head.chunk(id)?.offset ?? 0))
  }

  // MARK: Bytes

  /// Reads the whole stripe in one read, unless it is there: for those who want most of its columns.
  func readWhole() throws { try bytes.readWhole() }

  /// The bytes of a chunk and the memory that holds them; nil when it was left out.
  func chunkBytes(_ id: UInt32) throws -> (bytes: UnsafeRawBufferPointer, owner: SegmentBuffer)? {
    // The head was compared with its hash, and its chunks end inside the stripe.
    guard let entry = head.chunk(id) else { return nil }
    if let held = bytes.held(entry.range) { return held }
    let own = try part(.bytes(id)) { try bytes.read(entry.range) }
    return (own.bytes, own)
  }

  private struct CheckedChunk {
    var bytes: UnsafeRawBufferPointer
    var owner: SegmentBuffer
    var hasBadPages: Bool
  }

  /// The bytes of a chunk after a comparison with its checksum; nil when it was left out. When they are not those that
  /// were written, each page has to be compared with its own when it is read, so that damage costs what it hit.
  private func checkedChunk(_ id: UInt32) throws -> CheckedChunk? {
    guard let (bytes, owner) = try chunkBytes(id) else { return nil }
    if isIntact(id, bytes) { return CheckedChunk(bytes: bytes, owner: owner, hasBadPages: false) }
    // With all pages well it is another chunk, or damage between the pages: nothing of it is trusted.
    guard (try? verify(id, ReadScratch())) == nil else { throw place(id).damage("it does not match its checksum") }
    return CheckedChunk(bytes: bytes, owner: owner, hasBadPages: true)
  }

  func isIntact(_ id: UInt32, _ bytes: UnsafeRawBufferPointer) -> Bool {
    head.chunk(id)?.checksum == self.bytes.chunkChecksum(bytes)
  }

  func integers(_ id: UInt32, count: Int) throws -> IntegerChunk {
    let column = try part(.chunk(id)) { try pagedIntegers(id, count: count) ?? wholeIntegers(id, count: count) }
    // That of a paged column was not compared with anything yet.
    if column.count != count, column.isPaged { return try wholeIntegers(id, count: count) }
    try check(column.count, of: id, are: count)
    return column
  }

  /// Nil for a column that is in memory, or not long enough to be read page by page.
  private func pagedIntegers(_ id: UInt32, count: Int) -> IntegerChunk? {
    guard let entry = head.chunk(id), count > IntegerPage.maximumCount, entry.byteCount >= pagedByteCount,
      // Each page has a place in the directory: what cannot be true makes no large table.
      IntegerPage.count(of: count) < Int(entry.byteCount) / 4, bytes.held(entry.range) == nil
    else { return nil }
    let column = PagedColumn(bytes, entry.range, checksum: entry.checksum, count: count, place: place(id))
    return IntegerChunk(column, count: count, place: place(id), tally: bytes.tally)
  }

  private func wholeIntegers(_ id: UInt32, count: Int) throws -> IntegerChunk {
    let chunk = try checkedChunk(id)
    let place = place(id)
    let column = try chunk.map { chunk in
      try place.naming { try IntegerColumn(chunk.bytes, verifying: chunk.hasBadPages) }
    }
    return try IntegerChunk(column, count: count, owner: chunk?.owner, place: place, tally: bytes.tally)
  }

  func text(_ id: UInt32, count: Int, _ scratch: ReadScratch) throws -> StripeText {
    let text = try part(.chunk(id)) {
      let chunk = try checkedChunk(id)
      return try StripeText(
        chunk?.bytes, count: count, summary: summary.text(id), isVerifying: chunk?.hasBadPages ?? false,
        owner: chunk?.owner, place: place(id), tally: bytes.tally, scratch)
    }
    try check(text.count, of: id, are: count)
    return text
  }

  /// How many values the stripe index gives a key catalogue entry, for those who do not know yet how many the shapes ask
  /// for.
  func indexedCount(_ entry: UInt32) -> Int {
    let id = ChunkID.attribute(entry)
    return summary.number(id)?.valueCount ?? summary.text(id)?.valueCount ?? 0
  }

  func doubles(_ id: UInt32, count: Int) throws -> DoubleChunk {
    let column = try part(.chunk(id)) {
      let chunk = try checkedChunk(id)
      return try DoubleChunk(
        chunk?.bytes, count: count, isVerifying: chunk?.hasBadPages ?? false, owner: chunk?.owner, place: place(id),
        tally: bytes.tally)
    }
    try check(column.count, of: id, are: count)
    return column
  }

  /// The stripe index and the shapes both say how many values a column has; the one that was read first may lie.
  private func check(_ count: Int, of id: UInt32, are due: Int) throws {
    guard count == due else { throw place(id).damage("\(due) values are due and \(count) are there") }
  }

  // MARK: Decoded structure

  func runs(_ scratch: ReadScratch) throws -> RunDirectory {
    try part(.runs) {
      let count = head.runCount
      func values(_ id: UInt32) throws -> [UInt64] { try integers(id, count: count).decodeAll() }
      var firstRows: [Int] = []
      for first in try values(ChunkID.runFirstRow) {
        guard first < UInt64(head.rowCount),
          firstRows.isEmpty ? first == 0 : first > UInt64(firstRows[firstRows.count - 1])
        else { throw place(ChunkID.runFirstRow).damage("its rows do not ascend from 0") }
        firstRows.append(Int(first))
      }
      guard count > 0 || head.rowCount == 0 else { throw place(ChunkID.runFirstRow).damage("it is empty") }
      firstRows.append(head.rowCount)
      let minimum = summary.bounds.minimumStart
      return RunDirectory(
        firstRows: firstRows,
        services: try integers(ChunkID.runService, count: count).decodeCodes(maximum: UInt64(UInt32.max), scratch),
        names: try integers(ChunkID.runName, count: count).decodeCodes(maximum: UInt64(UInt32.max), scratch),
        kinds: try values(ChunkID.runKind).map { Int32(truncatingIfNeeded: unzigzag($0)) },
        errorCounts: try values(ChunkID.runErrorCount),
        minimumStarts: try values(ChunkID.runMinimumStart).map { minimum &+ $0 },
        maximumStarts: try values(ChunkID.runMaximumStart).map { minimum &+ $0 },
        maximumDurations: try values(ChunkID.runMaximumDuration))
    }
  }

  func shapes(_ scratch: ReadScratch) throws -> StripeShapes {
    try part(.shapes) {
      let place = place(ChunkID.shapes)
      // The block verifies itself.
      guard let chunk = try checkedChunk(ChunkID.shapes) else {
        // Left out: every element has the shape without slots.
        return StripeShapes(SlotLists([[]]))
      }
      let shapes = try place.naming {
        try ShapeList.decode(
          chunk.bytes, shapeCount: head.shapeCount, keyCount: catalogue.count, decompressor: scratch.decompressor,
          at: place.fileOffset)
      }
      return StripeShapes(shapes.count == 0 ? SlotLists([[]]) : shapes)
    }
  }

  /// How many rows, events or links the stripe has.
  func elementCount(_ level: ColumnLevel) -> Int {
    switch level {
    case .span: head.rowCount
    case .event: head.eventCount
    case .link: head.linkCount
    case .resource, .scope: 0
    }
  }

  /// The shape of each row, event or link.
  func shapeColumn(_ level: ColumnLevel) throws -> IntegerChunk {
    let id =
      switch level {
      case .event: ChunkID.eventShape
      case .link: ChunkID.linkShape
      default: ChunkID.shape
      }
    return try integers(id, count: elementCount(level))
  }

  func shapeMap(_ level: ColumnLevel, _ scratch: ReadScratch) throws -> ShapeMap {
    try part(.shapeMap(level)) {
      let shapes = try shapes(scratch)
      let codes = try ShapeCodes(shapeColumn(level), shapeCount: shapes.count, scratch)
      let map = ShapeMap(codes: codes, shapes: shapes)
      try check(map, isOf: level)
      return map
    }
  }

  /// The values of a key of another level are as many as the elements of that level say: a shape that names such a key
  /// would look for more of them than there are.
  private func check(_ map: ShapeMap, isOf level: ColumnLevel) throws {
    for (shape, isUsed) in map.usedShapes.enumerated() where isUsed {
      for entry in map.shapes.entries(shape) where catalogue[Int(entry)].level != level {
        throw place(ChunkID.shapes).damage("a shape of the level \(level) names a key of another one")
      }
    }
  }

  /// For each block of elements, how many values of a catalogue entry stand before it, then how many there are.
  func prefix(of entry: UInt32, in map: ShapeMap) throws -> [UInt32] {
    try part(.prefix(entry)) {
      guard let prefix = map.prefix(of: entry) else {
        throw place(ChunkID.shapes).damage("its shapes have more values than a column may hold")
      }
      return NumberList(prefix)
    }.values
  }
}
