import TraceBytes

/// All values are the base. Body: nothing.
enum ConstantIntegers {
  static func estimate(_ statistics: IntegerStatistics) -> IntegerPlan? {
    statistics.maximum == 0 ? IntegerPlan(encoding: .constant, byteCount: 0) : nil
  }

  static func decode(_ page: IntegerPage, into output: UnsafeMutableBufferPointer<UInt64>) throws(BytesError) {
    guard page.body.isEmpty else { throw page.failure("has a body") }
    output.update(repeating: 0)
  }

  static func describe(_ page: IntegerPage) -> String { " \(page.base)" }
}

/// Every value in as many bits as the greatest needs. Body: the values packed at the page's width.
enum PackedIntegers {
  static func estimate(_ statistics: IntegerStatistics) -> IntegerPlan {
    let width = BitPacking.width(of: statistics.maximum)
    return IntegerPlan(
      encoding: .packed, byteCount: BitPacking.byteCount(count: statistics.count, width: width), width: width)
  }

  static func encode(
    _ plan: IntegerPlan, _ statistics: IntegerStatistics, _ workspace: IntegerWorkspace, into writer: inout ByteWriter
  ) {
    BitPacking.pack(
      UnsafeBufferPointer(start: workspace.reduced, count: statistics.count), width: plan.width, into: &writer)
  }

  private static func run(_ page: IntegerPage) throws(BytesError) -> UnsafeRawBufferPointer {
    guard page.body.count == BitPacking.byteCount(count: page.count, width: page.width) else {
      throw page.failure("has \(page.body.count) bytes for \(page.count) values of \(page.width) bits")
    }
    return page.body
  }

  static func decode(_ page: IntegerPage, into output: UnsafeMutableBufferPointer<UInt64>) throws(BytesError) {
    BitPacking.unpack(try run(page), width: page.width, into: output)
  }

  static func value(at index: Int, in page: IntegerPage) throws(BytesError) -> UInt64 {
    BitPacking.value(at: index, width: page.width, in: try run(page))
  }

  static func describe(_ page: IntegerPage) -> String { " \(page.width) bits" }
}

/// Most values in few bits, the rest patched: `PatchedBits` of the reduced values.
enum PatchedIntegers {
  static func estimate(_ statistics: IntegerStatistics, _ workspace: IntegerWorkspace) -> IntegerPlan? {
    let maximumWidth = BitPacking.width(of: statistics.maximum)
    let best = IntegerStatistics.bestPatch(workspace.widths, count: statistics.count, maximumWidth: maximumWidth)
    guard best.exceptionCount > 0 else { return nil }
    return IntegerPlan(
      encoding: .patched, byteCount: best.byteCount, width: best.width, exceptionCount: best.exceptionCount,
      highWidth: maximumWidth - best.width)
  }

  static func encode(
    _ plan: IntegerPlan, _ statistics: IntegerStatistics, _ workspace: IntegerWorkspace, into writer: inout ByteWriter
  ) {
    PatchedBits.encode(
      UnsafeBufferPointer(start: workspace.reduced, count: statistics.count), plan, workspace, into: &writer)
  }

  private static func bits(_ page: IntegerPage) throws(BytesError) -> PatchedBits {
    var reader = ByteReader(page.body)
    let bits = try PatchedBits(&reader, count: page.count, page: page)
    try page.requireEnd(reader)
    return bits
  }

  static func decode(_ page: IntegerPage, into output: UnsafeMutableBufferPointer<UInt64>) throws(BytesError) {
    try bits(page).decode(into: output, page: page)
  }

  static func value(at index: Int, in page: IntegerPage) throws(BytesError) -> UInt64 {
    try bits(page).value(at: index)
  }

  /// Where values without an exception are zero: the sum of those before `end`, modulo 2^64.
  static func sumOfExceptions(before end: Int, in page: IntegerPage) throws(BytesError) -> UInt64 {
    try bits(page).sumOfExceptions(before: end)
  }

  static func describe(_ page: IntegerPage) -> String {
    guard let bits = try? bits(page) else { return " unreadable" }
    return " \(page.width) bits, \(bits.exceptionCount) exceptions of \(bits.highWidth) more"
  }
}
