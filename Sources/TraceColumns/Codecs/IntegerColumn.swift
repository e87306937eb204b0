package import TraceBytes

/// Any number of integers in pages of 1,024.
///
/// Up to 1,024 values are one page and nothing else (an empty column is a page of no values). More open with the byte
/// 0x81, the count as a varint, the end of each page as a u32 counted from the first page's start, and the crc32c of
/// all that; then follow the pages, all full but the last.
///
/// The view borrows its bytes. It is immutable and may be used from several threads at once.
package struct IntegerColumn: @unchecked Sendable {
  /// The most values in a column; more would overflow the 32-bit page ends of columns that do not compress.
  package static let maximumCount = 1 << 28

  /// How many values the column holds.
  package let count: Int
  /// How many bytes the column takes; the next thing may follow there.
  package let byteCount: Int
  private let isVerifying: Bool
  /// Nil for a single page.
  private let directory: IntegerPageDirectory?
  private let pages: UnsafeRawBufferPointer

  /// Appends the column of `values`. Cost: about 5–10 ns a value, and the scratch is the only allocation besides
  /// the output.
  ///
  /// - Parameter cycle: what all values are below, if they may go round it; see `IntegerCodec`.
  package static func encode(
    _ values: UnsafeBufferPointer<UInt64>, cycle: UInt64 = 0, into writer: inout ByteWriter, scratch: ColumnScratch
  ) {
    precondition(values.count <= maximumCount, "a column holds at most \(maximumCount) values")
    guard values.count > IntegerPage.maximumCount else {
      IntegerCodec.encode(values, cycle: cycle, into: &writer, scratch: scratch)
      return
    }
    let start = writer.count
    writer.append(IntegerPageDirectory.marker)
    writer.appendVarint(values.count)
    let pageCount = IntegerPage.count(of: values.count)
    let directory = writer.count
    for _ in 0...pageCount { writer.appendInteger(UInt32(0)) }
    let base = writer.count
    for page in 0..<pageCount {
      let first = page * IntegerPage.maximumCount
      let end = min(first + IntegerPage.maximumCount, values.count)
      IntegerCodec.encode(
        UnsafeBufferPointer(rebasing: values[first..<end]), cycle: cycle, into: &writer, scratch: scratch)
      writer.patch(UInt32(writer.count - base), at: directory + 4 * page)
    }
    let checksum = writer.bytes.withUnsafeBytes {
      CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[start..<(directory + 4 * pageCount)]))
    }
    writer.patch(checksum, at: directory + 4 * pageCount)
  }

  package static func encode(_ values: [UInt64], into writer: inout ByteWriter, scratch: ColumnScratch) {
    values.withUnsafeBufferPointer { encode($0, into: &writer, scratch: scratch) }
  }

  /// Opens the column at the start of `bytes`, which may go on after it. Pages are verified when they are read.
  ///
  /// - Parameter verifying: whether to compare checksums; a caller that has verified these bytes before may say no.
  package init(_ bytes: UnsafeRawBufferPointer, verifying: Bool = true) throws(BytesError) {
    isVerifying = verifying
    directory = try IntegerPageDirectory(bytes, verifying: verifying)
    guard let directory else {
      let page = try IntegerPage(bytes, verifying: verifying)
      count = page.count
      byteCount = page.byteCount
      pages = UnsafeRawBufferPointer(rebasing: bytes[..<page.byteCount])
      return
    }
    var reader = ByteReader(bytes)
    try reader.skip(directory.byteCount)
    count = directory.count
    pages = try reader.readBytes(directory.pagesByteCount)
    byteCount = reader.offset
  }

  /// How many pages there are; at least one.
  package var pageCount: Int { directory?.pageCount ?? 1 }

  /// The rows of page `index`.
  package func rows(ofPage index: Int) -> Range<Int> {
    let first = index * IntegerPage.maximumCount
    return first..<min(first + IntegerPage.maximumCount, count)
  }

  /// Opens page `index`, which must be below `pageCount`.
  package func page(at index: Int) throws(BytesError) -> IntegerPage {
    precondition(index >= 0 && index < pageCount, "a page outside of its column")
    guard let directory else { return try IntegerPage(pages, verifying: false) }
    let bytes = UnsafeRawBufferPointer(rebasing: pages[try directory.byteRange(ofPage: index)])
    return try directory.page(at: index, bytes, verifying: isVerifying)
  }

  /// Decodes page `index` into the front of `output` and returns how many values it holds.
  @discardableResult
  package func decodePage(_ index: Int, into output: UnsafeMutableBufferPointer<UInt64>) throws(BytesError) -> Int {
    let page = try page(at: index)
    try page.decode(into: output)
    return page.count
  }

  /// Decodes everything into the front of `output`, which must have room for `count`.
  package func decodeAll(into output: UnsafeMutableBufferPointer<UInt64>) throws(BytesError) {
    precondition(output.count >= count, "a column is decoded into too small a buffer")
    for index in 0..<pageCount {
      try decodePage(index, into: UnsafeMutableBufferPointer(rebasing: output[rows(ofPage: index)]))
    }
  }

  /// Decodes everything. The count is bounded by the pages that are there: at most 1,024 values for 14 bytes.
  package func decodeAll() throws(BytesError) -> [UInt64] {
    var failure: BytesError?
    let values = [UInt64](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      do throws(BytesError) {
        try decodeAll(into: buffer)
        initializedCount = count
      } catch { failure = error }
    }
    if let failure { throw failure }
    return values
  }

  /// One value; see `IntegerPage.value(at:)` for the cost, to which the checksum of the page is added when verifying.
  package func value(at row: Int) throws(BytesError) -> UInt64 {
    precondition(row >= 0 && row < count, "a row outside of its column")
    return try page(at: row / IntegerPage.maximumCount).value(at: row % IntegerPage.maximumCount)
  }

  /// The values of a range of rows into the front of `output`. Few rows of a page are read one by one.
  package func decode(
    rows range: Range<Int>, into output: UnsafeMutableBufferPointer<UInt64>
  ) throws(BytesError) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "rows outside of their column")
    precondition(output.count >= range.count, "rows are decoded into too small a buffer")
    var row = range.lowerBound
    while row < range.upperBound {
      let pageIndex = row / IntegerPage.maximumCount
      let pageRows = rows(ofPage: pageIndex)
      let end = min(range.upperBound, pageRows.upperBound)
      let page = try page(at: pageIndex)
      if page.hasDirectAccess, (end &- row) &* 4 < page.count {
        while row < end {
          output[row &- range.lowerBound] = try page.value(at: row &- pageRows.lowerBound)
          row &+= 1
        }
      } else {
        try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: IntegerPage.maximumCount) {
          buffer throws(BytesError) in
          try page.decode(into: buffer)
          while row < end {
            output[row &- range.lowerBound] = buffer[row &- pageRows.lowerBound]
            row &+= 1
          }
        }
      }
    }
  }

  /// The values of `rows`, which ascend, into the front of `output`. Opens each page once.
  package func gather(
    _ rows: UnsafeBufferPointer<Int>, into output: UnsafeMutableBufferPointer<UInt64>
  ) throws(BytesError) {
    precondition(output.count >= rows.count, "rows are gathered into too small a buffer")
    var index = 0
    while index < rows.count {
      let pageIndex = rows[index] / IntegerPage.maximumCount
      let pageRows = self.rows(ofPage: pageIndex)
      var end = index
      while end < rows.count, pageRows.contains(rows[end]) { end &+= 1 }
      precondition(end > index, "gathered rows ascend and stay inside the column")
      let page = try page(at: pageIndex)
      if page.hasDirectAccess, (end &- index) &* 8 < page.count {
        while index < end {
          output[index] = try page.value(at: rows[index] &- pageRows.lowerBound)
          index &+= 1
        }
      } else {
        try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: IntegerPage.maximumCount) {
          buffer throws(BytesError) in
          try page.decode(into: buffer)
          while index < end {
            output[index] = buffer[rows[index] &- pageRows.lowerBound]
            index &+= 1
          }
        }
      }
    }
  }

  /// The values of `rows`, which ascend.
  package func gather(_ rows: [Int]) throws(BytesError) -> [UInt64] {
    var values = [UInt64](repeating: 0, count: rows.count)
    try rows.withUnsafeBufferPointer { rows throws(BytesError) in
      try values.withUnsafeMutableBufferPointer { values throws(BytesError) in try gather(rows, into: values) }
    }
    return values
  }

  /// Lines for people: a summary, then one line a page; a page that cannot be read says why.
  package func describe() -> [String] {
    var lines = ["integers: \(count) values in \(pageCount) pages, \(byteCount) bytes"]
    for index in 0..<pageCount {
      do throws(BytesError) {
        lines.append("page \(index): \(try page(at: index).describe())")
      } catch {
        lines.append("page \(index): \(error.reason)")
      }
    }
    return lines
  }
}
