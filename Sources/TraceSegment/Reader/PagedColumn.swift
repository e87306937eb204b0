import Synchronization
import TraceBytes
import TraceColumns
import TraceModel

/// An integer column that stays in the file until it is asked for: page by page, and whole once that is cheaper.
///
/// Pages that are read alone are compared with their own checksums; the column as a whole with the one that the head of
/// the stripe has for it. Thread-safe.
final class PagedColumn: @unchecked Sendable {
  /// One page of so many is read alone, then the column as a whole: a read costs about as much as the bytes of some pages.
  private static let pagesPerPageReadAlone = 4

  private let bytes: StripeBytes
  /// Where it stands in the stripe.
  private let range: Range<Int>
  private let checksum: UInt32
  private let place: ChunkPlace
  private let count: Int
  private let pages: OnceTable
  private let directory = OnceTable(count: 1)
  private let whole = OnceTable(count: 1)
  /// How often a page was asked for that is not in memory.
  private let missCount = Atomic<Int>(0)

  init(_ bytes: StripeBytes, _ range: Range<Int>, checksum: UInt32, count: Int, place: ChunkPlace) {
    self.bytes = bytes
    self.range = range
    self.checksum = checksum
    self.count = count
    self.place = place
    pages = OnceTable(count: IntegerPage.count(of: count))
  }

  var residentByteCount: Int { 256 + pages.byteCount }

  /// The column whole, when it is in memory or when more pages are asked for than are read one by one.
  func column(forPages pageCount: Int) throws -> IntegerColumn? {
    let isDue = pageCount * Self.pagesPerPageReadAlone > pages.count
    return try isDue || whole.object(at: 0) != nil || bytes.held(range) != nil ? column() : nil
  }

  /// The column whole.
  func column() throws -> IntegerColumn {
    if let known = whole.object(at: 0, as: WholeColumn.self) { return try known.column.get() }
    let own = try WholeColumn(bytes, range, checksum: checksum, count: count, place: place)
    return try kept(own, in: whole, at: 0).column.get()
  }

  /// The page with an index below the number of pages.
  func page(at index: Int) throws -> IntegerPage {
    // What the column as a whole is known to be comes before what a page says of itself.
    if whole.object(at: 0) == nil {
      if let known = pages.object(at: index, as: ReadPage.self) { return known.page }
      missCount.add(1, ordering: .relaxed)
    }
    if let column = try column(forPages: missCount.load(ordering: .relaxed)) {
      return try place.naming { try column.page(at: index) }
    }
    let directory = try openDirectory()
    return try place.naming {
      let own = try directory.pages.byteRange(ofPage: index)
      let first = range.lowerBound + directory.pages.byteCount
      let buffer = try bytes.read((first + own.lowerBound)..<(first + own.upperBound))
      let page = try directory.pages.page(at: index, buffer.bytes, verifying: true)
      return try kept(ReadPage(page, buffer), in: pages, at: index).page
    }
  }

  private func openDirectory() throws -> ColumnDirectory {
    if let known = directory.object(at: 0, as: ColumnDirectory.self) { return known }
    return try kept(ColumnDirectory(bytes, range, count: count, place: place), in: directory, at: 0)
  }

  /// What came first, when two readers come at once.
  private func kept<Part: StripePart>(_ part: Part, in table: OnceTable, at place: Int) throws -> Part {
    guard table.put(part, at: place) else { return table.object(at: place, as: Part.self) ?? part }
    bytes.tally.add(part.residentByteCount)
    return part
  }
}

/// The directory of a column whose pages are not in memory.
private final class ColumnDirectory: StripePart {
  let pages: IntegerPageDirectory
  private let buffer: SegmentBuffer

  var residentByteCount: Int { buffer.byteCount + 128 }

  init(_ bytes: StripeBytes, _ range: Range<Int>, count: Int, place: ChunkPlace) throws {
    let byteCount = min(range.count, IntegerPageDirectory.maximumByteCount(count: count))
    buffer = try bytes.read(range.lowerBound..<(range.lowerBound + byteCount))
    let pages = try place.naming { [buffer] in try IntegerPageDirectory(buffer.bytes) }
    guard let pages, pages.count == count, pages.byteCount + pages.pagesByteCount == range.count else {
      throw place.damage("its directory is not that of \(count) values in \(range.count) bytes")
    }
    self.pages = pages
  }
}

private final class ReadPage: StripePart, @unchecked Sendable {
  let page: IntegerPage
  private let buffer: SegmentBuffer

  var residentByteCount: Int { buffer.byteCount + 192 }

  init(_ page: IntegerPage, _ buffer: SegmentBuffer) {
    self.page = page
    self.buffer = buffer
  }
}

/// A column in memory, or why its bytes are not to be trusted: that is found out once.
private final class WholeColumn: StripePart, @unchecked Sendable {
  let column: Result<IntegerColumn, TracestoreError>
  private let buffer: SegmentBuffer
  private let isOwn: Bool

  var residentByteCount: Int { (isOwn ? buffer.byteCount : 0) + 160 }

  /// Takes the bytes that are in memory, or reads them. When they are not those that the head names, each page is compared
  /// with its own checksum when it is read, so that damage costs what it hit.
  init(_ bytes: StripeBytes, _ range: Range<Int>, checksum: UInt32, count: Int, place: ChunkPlace) throws {
    let held = bytes.held(range)
    isOwn = held == nil
    buffer = try held?.owner ?? bytes.read(range)
    let chunk = held?.bytes ?? buffer.bytes
    let isIntact = bytes.chunkChecksum(chunk) == checksum
    do throws(BytesError) {
      let column = try IntegerColumn(chunk, verifying: !isIntact)
      if column.count != count {
        self.column = .failure(place.damage("\(count) values are due and \(column.count) are there"))
      } else if !isIntact, (0..<column.pageCount).allSatisfy({ (try? column.page(at: $0)) != nil }) {
        // With all pages well it is another chunk, or damage between the pages: nothing of it is trusted.
        self.column = .failure(place.damage("it does not match its checksum"))
      } else {
        self.column = .success(column)
      }
    } catch {
      column = .failure(place.damage(error))
    }
  }
}
