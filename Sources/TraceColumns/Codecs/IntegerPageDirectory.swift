package import TraceBytes

/// Where the pages of an integer column of more than one page stand; the front of the column.
///
/// The view borrows its bytes. It is immutable and may be used from several threads at once.
package struct IntegerPageDirectory: @unchecked Sendable {
  static let marker: UInt8 = 0x81

  /// How many values the column holds.
  package let count: Int
  /// Bytes of the directory: the first page begins there.
  package let byteCount: Int
  /// The end of each page, counted from the first page's start, four bytes each.
  private let ends: UnsafeRawBufferPointer

  /// The most bytes that the directory of so many values takes.
  package static func maximumByteCount(count: Int) -> Int { 1 + 10 + 4 * IntegerPage.count(of: count) + 4 }

  /// Opens the directory at the start of `bytes`, which may go on after it; nil for a column of a single page.
  ///
  /// - Parameter verifying: whether to compare its checksum; a caller that has verified these bytes before may say no.
  package init?(_ bytes: UnsafeRawBufferPointer, verifying: Bool = true) throws(BytesError) {
    var reader = ByteReader(bytes)
    guard try reader.readUInt8() == Self.marker else { return nil }
    count = try reader.readCount(limit: IntegerColumn.maximumCount)
    guard count > IntegerPage.maximumCount else {
      throw BytesError(offset: 1, reason: "a paged integer column announces \(count) values")
    }
    ends = try reader.readBytes(4 * IntegerPage.count(of: count))
    let checkedByteCount = reader.offset
    let checksum = try reader.readUInt32()
    byteCount = reader.offset
    if verifying {
      guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<checkedByteCount])) == checksum else {
        throw BytesError(offset: 0, reason: "the page directory of an integer column does not match its checksum")
      }
    }
  }

  package var pageCount: Int { ends.count / 4 }
  /// Bytes of all pages.
  package var pagesByteCount: Int { end(ofPage: pageCount - 1) }

  /// Where page `index`, which must be below `pageCount`, stands behind the directory: inside `pagesByteCount`.
  package func byteRange(ofPage index: Int) throws(BytesError) -> Range<Int> {
    precondition(index >= 0 && index < pageCount, "a page outside of its column")
    let start = index == 0 ? 0 : end(ofPage: index - 1)
    let end = end(ofPage: index)
    guard start <= end, end <= pagesByteCount else {
      throw BytesError(offset: start, reason: "the page directory of an integer column is out of order")
    }
    return start..<end
  }

  /// Opens page `index` from its bytes.
  package func page(
    at index: Int, _ bytes: UnsafeRawBufferPointer, verifying: Bool
  ) throws(BytesError) -> IntegerPage {
    let page = try IntegerPage(bytes, verifying: verifying)
    let dueCount = min(IntegerPage.maximumCount, count - index * IntegerPage.maximumCount)
    guard page.count == dueCount, page.byteCount == bytes.count else {
      throw BytesError(offset: 0, reason: "page \(index) of an integer column is not what its directory announces")
    }
    return page
  }

  private func end(ofPage index: Int) -> Int {
    Int(UInt32(littleEndian: ends.loadUnaligned(fromByteOffset: 4 &* index, as: UInt32.self)))
  }
}
