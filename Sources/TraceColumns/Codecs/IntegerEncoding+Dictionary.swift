import TraceBytes

/// Few distinct wide values. Body: distinct count varint, value width u8, the distinct values ascending, packed at
/// the value width; then one index a value, packed at the page's width.
enum DictionaryIntegers {
  /// The size of the distinct values with their header.
  static func tableByteCount(_ distinctCount: Int, valueWidth: Int) -> Int {
    (distinctCount < 128 ? 2 : 3) + BitPacking.byteCount(count: distinctCount, width: valueWidth)
  }

  /// Nil if it cannot take less than `limit` bytes. Leaves the distinct values, their counts and the indices in the
  /// workspace (`dictionary`, `second`), where the Huffman encoding looks for them.
  static func estimate(
    _ statistics: IntegerStatistics, _ workspace: IntegerWorkspace, below limit: Int
  ) -> IntegerPlan? {
    workspace.hasDictionary = false
    let valueWidth = BitPacking.width(of: statistics.maximum)
    // Two values are the fewest, and with both this and the Huffman encoding each takes a bit at least.
    guard statistics.count >= 2, limit > tableByteCount(2, valueWidth: valueWidth) + statistics.count / 8 else {
      return nil
    }
    let affordable = limit == .max ? SmallDictionary.maximumCount : max(2, limit * 8 / max(1, valueWidth))
    guard
      workspace.dictionary.gather(
        UnsafeBufferPointer(start: workspace.reduced, count: statistics.count), maximum: statistics.maximum,
        limit: affordable, indices: workspace.second)
    else { return nil }
    workspace.hasDictionary = true
    let distinctCount = workspace.dictionary.count
    let width = BitPacking.width(of: UInt64(distinctCount - 1))
    return IntegerPlan(
      encoding: .dictionary,
      byteCount: tableByteCount(distinctCount, valueWidth: valueWidth)
        + BitPacking.byteCount(count: statistics.count, width: width),
      width: width, highWidth: valueWidth)
  }

  static func encodeTable(_ plan: IntegerPlan, _ workspace: IntegerWorkspace, into writer: inout ByteWriter) {
    writer.appendVarint(workspace.dictionary.count)
    writer.append(UInt8(plan.highWidth))
    BitPacking.pack(workspace.dictionary.values, width: plan.highWidth, into: &writer)
  }

  static func encode(
    _ plan: IntegerPlan, _ statistics: IntegerStatistics, _ workspace: IntegerWorkspace, into writer: inout ByteWriter
  ) {
    encodeTable(plan, workspace, into: &writer)
    BitPacking.pack(
      UnsafeBufferPointer(start: workspace.second, count: statistics.count), width: plan.width, into: &writer)
  }

  struct Table {
    let distinctCount: Int
    let valueWidth: Int
    let values: UnsafeRawBufferPointer

    init(_ reader: inout ByteReader, page: IntegerPage) throws(BytesError) {
      distinctCount = try reader.readCount(limit: SmallDictionary.maximumCount)
      valueWidth = Int(try reader.readUInt8())
      values = try page.readRun(&reader, count: distinctCount, width: valueWidth)
    }

    func decode(into output: UnsafeMutableBufferPointer<UInt64>) {
      BitPacking.unpack(
        values, width: valueWidth, into: UnsafeMutableBufferPointer(rebasing: output[..<distinctCount]))
    }
  }

  static func decode(_ page: IntegerPage, into output: UnsafeMutableBufferPointer<UInt64>) throws(BytesError) {
    var reader = ByteReader(page.body)
    let table = try Table(&reader, page: page)
    let indices = try page.readRun(&reader, count: page.count, width: page.width)
    try page.requireEnd(reader)
    BitPacking.unpack(indices, width: page.width, into: output)
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: SmallDictionary.maximumCount) {
      values throws(BytesError) in
      table.decode(into: values)
      let distinctCount = UInt64(table.distinctCount)
      var index = 0
      while index < output.count {
        let code = output[index]
        guard code < distinctCount else { throw page.failure("has an index outside of its dictionary") }
        output[index] = values[Int(truncatingIfNeeded: code)]
        index &+= 1
      }
    }
  }

  static func value(at index: Int, in page: IntegerPage) throws(BytesError) -> UInt64 {
    var reader = ByteReader(page.body)
    let table = try Table(&reader, page: page)
    let indices = try page.readRun(&reader, count: page.count, width: page.width)
    try page.requireEnd(reader)
    let code = BitPacking.value(at: index, width: page.width, in: indices)
    guard code < UInt64(table.distinctCount) else { throw page.failure("has an index outside of its dictionary") }
    return BitPacking.value(at: Int(code), width: table.valueWidth, in: table.values)
  }

  static func describe(_ page: IntegerPage) -> String {
    var reader = ByteReader(page.body)
    guard let table = try? Table(&reader, page: page) else { return " unreadable" }
    return " \(table.distinctCount) of \(table.valueWidth) bits"
  }
}
