import TraceBytes

/// A packed run in which values that need more bits are completed by exceptions.
///
/// Exception count varint; if it is not zero, high width u8; the low bits of all values packed at the page's width;
/// the positions of the exceptions, ascending, at 10 bits; their remaining high bits packed at the high width.
struct PatchedBits {
  private let count: Int
  let width: Int
  let exceptionCount: Int
  let highWidth: Int
  private let low: UnsafeRawBufferPointer
  private let positions: UnsafeRawBufferPointer
  private let highs: UnsafeRawBufferPointer

  @inline(__always)
  static func byteCount(count: Int, width: Int, exceptionCount: Int, highWidth: Int) -> Int {
    let low = BitPacking.byteCount(count: count, width: width)
    guard exceptionCount > 0 else { return 1 &+ low }
    return (exceptionCount < 128 ? 2 : 3) &+ low
      &+ BitPacking.byteCount(count: exceptionCount, width: IntegerStatistics.positionWidth)
      &+ BitPacking.byteCount(count: exceptionCount, width: highWidth)
  }

  static func encode(
    _ values: UnsafeBufferPointer<UInt64>, _ plan: IntegerPlan, _ workspace: IntegerWorkspace,
    into writer: inout ByteWriter
  ) {
    writer.appendVarint(plan.exceptionCount)
    if plan.exceptionCount > 0 { writer.append(UInt8(plan.highWidth)) }
    BitPacking.pack(values, width: plan.width, into: &writer)
    guard plan.exceptionCount > 0 else { return }
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * plan.exceptionCount) { buffer in
      var found = 0
      var index = 0
      while index < values.count {
        // At most 63: a plan with exceptions packs at less than the full width.
        let high = values[index] &>> UInt64(plan.width)
        if high != 0 {
          buffer[found] = UInt64(index)
          buffer[plan.exceptionCount &+ found] = high
          found &+= 1
        }
        index &+= 1
      }
      precondition(found == plan.exceptionCount, "the histogram of widths and the values disagree")
      BitPacking.pack(
        UnsafeBufferPointer(rebasing: buffer[..<found]), width: IntegerStatistics.positionWidth, into: &writer)
      BitPacking.pack(UnsafeBufferPointer(rebasing: buffer[found...]), width: plan.highWidth, into: &writer)
    }
  }

  init(_ reader: inout ByteReader, count: Int, page: IntegerPage) throws(BytesError) {
    self.count = count
    width = page.width
    exceptionCount = try reader.readCount(limit: count)
    highWidth = exceptionCount == 0 ? 0 : Int(try reader.readUInt8())
    guard width &+ highWidth <= 64 else { throw page.failure("patches values to \(width &+ highWidth) bits") }
    low = try page.readRun(&reader, count: count, width: width)
    positions = try page.readRun(&reader, count: exceptionCount, width: IntegerStatistics.positionWidth)
    highs = try page.readRun(&reader, count: exceptionCount, width: highWidth)
  }

  /// Decodes the first values of the run, or all of them, into all of `output`.
  func decode(into output: UnsafeMutableBufferPointer<UInt64>, page: IntegerPage) throws(BytesError) {
    BitPacking.unpack(low, width: width, into: output)
    guard exceptionCount > 0 else { return }
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 &* exceptionCount) { memory throws(BytesError) in
      let positionValues = UnsafeMutableBufferPointer(rebasing: memory[..<exceptionCount])
      let highValues = UnsafeMutableBufferPointer(rebasing: memory[exceptionCount...])
      BitPacking.unpack(positions, width: IntegerStatistics.positionWidth, into: positionValues)
      BitPacking.unpack(highs, width: highWidth, into: highValues)
      var next: UInt64 = 0
      var index = 0
      while index < exceptionCount {
        let position = positionValues[index]
        guard position < UInt64(count) else { throw page.failure("patches a value outside of the page") }
        // `value(at:)` searches them.
        guard position >= next else { throw page.failure("patches values out of order") }
        guard position < UInt64(output.count) else { return }
        next = position &+ 1
        // A smart shift, because foreign bytes may say that the width is 64.
        output[Int(truncatingIfNeeded: position)] |= highValues[index] << UInt64(width)
        index &+= 1
      }
    }
  }

  func value(at index: Int) -> UInt64 {
    let value = BitPacking.value(at: index, width: width, in: low)
    var start = 0
    var end = exceptionCount
    while start < end {
      let middle = (start &+ end) >> 1
      let position = Int(BitPacking.value(at: middle, width: IntegerStatistics.positionWidth, in: positions))
      if position == index {
        return value | BitPacking.value(at: middle, width: highWidth, in: highs) << UInt64(width)
      }
      if position < index { start = middle &+ 1 } else { end = middle }
    }
    return value
  }

  /// The sum of the exceptions' high parts that stand before `end`, modulo 2^64.
  func sumOfExceptions(before end: Int) -> UInt64 {
    var sum: UInt64 = 0
    var index = 0
    while index < exceptionCount,
      BitPacking.value(at: index, width: IntegerStatistics.positionWidth, in: positions) < UInt64(end)
    {
      sum = sum &+ BitPacking.value(at: index, width: highWidth, in: highs)
      index &+= 1
    }
    return sum
  }
}
