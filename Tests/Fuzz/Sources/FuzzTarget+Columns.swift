import TraceBytes
import TraceColumns
import TraceModel
import TraceSegment

extension FuzzTarget {
  func page(_ bytes: UnsafeRawBufferPointer) throws {
    let page = try IntegerPage(bytes)
    var all = [UInt64](repeating: 0, count: page.count)
    let isWhole = all.withUnsafeMutableBufferPointer { output in
      (try? page.decode(into: output)) != nil
    }
    for index in 0..<page.count {
      // A single value is served without looking at the whole page, so it may be had where the page is refused.
      if let value = try? page.value(at: index), isWhole {
        precondition(value == all[index], "one value alone is another than in its page")
      }
    }
    _ = page.describe()
  }

  func integers(_ bytes: UnsafeRawBufferPointer) throws {
    let column = try IntegerColumn(bytes)
    _ = column.describe()
    var page = [UInt64](repeating: 0, count: IntegerPage.maximumCount)
    for index in 0..<min(column.pageCount, 8) {
      _ = try page.withUnsafeMutableBufferPointer { try column.decodePage(index, into: $0) }
    }
    if column.count > 0 { _ = try column.value(at: column.count - 1) }
    _ = try column.gather(Array(stride(from: 0, to: min(column.count, 4096), by: 3)))
    if column.count <= 1 << 16 { _ = try column.decodeAll() }
  }

  func texts(_ bytes: UnsafeRawBufferPointer) throws {
    let scratch = ColumnScratch()
    let column = try TextColumn(bytes, scratch: scratch)
    _ = column.describe()
    // Legal, and long: millions of empty strings in a few bytes.
    guard column.count <= 4096 else { return }
    var claimed: [Int: [UInt8]] = [:]
    for text in ["GET", "id 1000", "", "user-00001"] {
      for row in try column.rows(equalTo: Array(text.utf8), scratch: scratch) {
        claimed[row] = Array(text.utf8)
        // A row alone is found by counts that only a pass over all rows could check, so it may be another.
        _ = try? column.value(at: row, scratch: scratch)
      }
    }
    try column.forEach(scratch: scratch) { row, text in
      precondition(claimed[row]?.elementsEqual(text) ?? true, "a row equals a text that it does not hold")
    }
    if column.count > 0 { _ = try column.value(at: column.count / 2, scratch: scratch) }
  }

  func list(_ bytes: UnsafeRawBufferPointer) throws {
    let scratch = ColumnScratch()
    let list = try SortedTextList(bytes)
    _ = list.describe()
    _ = try list.index(of: Array("user-500".utf8), scratch: scratch)
    if list.count > 0 { _ = try list.text(at: list.count - 1, scratch: scratch) }
    var count = 0
    try list.forEach(scratch: scratch) { _, _ in count += 1 }
    precondition(count == list.count, "a list gives another number of texts than it says")
  }

  func filter(_ bytes: UnsafeRawBufferPointer) throws {
    var reader = ByteReader(bytes)
    let filter = try FuseFilter(&reader)
    for hash in 0..<64 as Range<UInt64> { _ = filter.contains(hash &* 0x9e37_79b9_7f4a_7c15) }
    _ = filter.describe()
  }

  /// The small structures of a segment, each with the whole input.
  func chunks(_ bytes: UnsafeRawBufferPointer) {
    _ = try? SegmentHeader(bytes)
    _ = try? SegmentTrailer(bytes, fileByteCount: 1 << 20)
    _ = try? SegmentFooter(bytes, at: 1 << 20)
    _ = try? StripeHead(bytes, stripeByteCount: 1 << 20, at: 64)
    _ = try? TextChunkHead(bytes, at: 64)
    _ = try? DoubleChunkHead(bytes, at: 64)
    _ = try? KeyCatalogue(bytes, stringCount: 100, at: 64)
  }
}
