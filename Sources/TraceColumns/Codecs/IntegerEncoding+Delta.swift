import TraceBytes

/// Differences of neighbours. Body: first reduced value varint; for `delta` the delta base as a zigzag varint; then
/// `PatchedBits` of the other `count - 1` values, each `delta - base` or, for `zigzagDelta`, the zigzagged delta.
enum DeltaIntegers {
  static func estimate(_ statistics: IntegerStatistics, _ workspace: IntegerWorkspace) -> IntegerPlan? {
    guard statistics.count >= 2 else { return nil }
    let count = statistics.count - 1
    let head = varintByteCount(workspace.reduced[0])
    var best: IntegerPlan?
    func consider(
      _ encoding: IntegerEncoding, _ patch: (byteCount: Int, width: Int, exceptionCount: Int), _ maximumWidth: Int,
      _ base: Int64
    ) {
      var byteCount = head + patch.byteCount
      if encoding == .delta { byteCount += varintByteCount(zigzag(base)) }
      guard byteCount < best?.byteCount ?? .max else { return }
      best = IntegerPlan(
        encoding: encoding, byteCount: byteCount, width: patch.width, exceptionCount: patch.exceptionCount,
        highWidth: maximumWidth - patch.width, deltaBase: base)
    }
    // Reduced by the least delta, without exceptions: two numbers tell the width.
    let range = UInt64(bitPattern: statistics.maximumDelta) &- UInt64(bitPattern: statistics.minimumDelta)
    let rangeWidth = BitPacking.width(of: range)
    let plain = PatchedBits.byteCount(count: count, width: rangeWidth, exceptionCount: 0, highWidth: 0)
    consider(.delta, (plain, rangeWidth, 0), rangeWidth, statistics.minimumDelta)
    var maximumWidth = 64
    while maximumWidth > 0, workspace.deltaWidths[maximumWidth] == 0 { maximumWidth -= 1 }
    if statistics.minimumDelta >= 0, maximumWidth > 0 {
      // Never falling: the sign bit of the zigzag form is always zero, so every width is one less.
      withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 65) { histogram in
        histogram[0] = workspace.deltaWidths[0]
        for width in 1..<65 { histogram[width] = width < 64 ? workspace.deltaWidths[width + 1] : 0 }
        consider(
          .delta,
          IntegerStatistics.bestPatch(histogram.baseAddress!, count: count, maximumWidth: maximumWidth - 1),
          maximumWidth - 1, 0)
      }
    } else {
      consider(
        .zigzagDelta,
        IntegerStatistics.bestPatch(workspace.deltaWidths, count: count, maximumWidth: maximumWidth), maximumWidth, 0)
    }
    return best
  }

  private static func varintByteCount(_ value: UInt64) -> Int { max(1, (BitPacking.width(of: value) + 6) / 7) }

  static func encode(
    _ plan: IntegerPlan, _ statistics: IntegerStatistics, _ workspace: IntegerWorkspace, into writer: inout ByteWriter
  ) {
    let values = workspace.reduced
    let deltas = workspace.first
    writer.appendVarint(values[0])
    if plan.encoding == .delta { writer.appendVarint(zigzag(plan.deltaBase)) }
    let base = UInt64(bitPattern: plan.deltaBase)
    let isZigzag = plan.encoding == .zigzagDelta
    var index = 1
    while index < statistics.count {
      let delta = values[index] &- values[index &- 1]
      deltas[index &- 1] = isZigzag ? zigzag(Int64(bitPattern: delta)) : delta &- base
      index &+= 1
    }
    PatchedBits.encode(UnsafeBufferPointer(start: deltas, count: statistics.count - 1), plan, workspace, into: &writer)
  }

  static func decode(_ page: IntegerPage, into output: UnsafeMutableBufferPointer<UInt64>) throws(BytesError) {
    var reader = ByteReader(page.body)
    var value = try reader.readVarint()
    let base = page.encoding == .delta ? UInt64(bitPattern: unzigzag(try reader.readVarint())) : 0
    let bits = try PatchedBits(&reader, count: page.count &- 1, page: page)
    try page.requireEnd(reader)
    try bits.decode(into: UnsafeMutableBufferPointer(rebasing: output[1...]), page: page)
    output[0] = value
    var index = 1
    if page.encoding == .delta {
      while index < output.count {
        value = value &+ base &+ output[index]
        output[index] = value
        index &+= 1
      }
    } else {
      while index < output.count {
        value = value &+ UInt64(bitPattern: unzigzag(output[index]))
        output[index] = value
        index &+= 1
      }
    }
  }

  static func value(at index: Int, in page: IntegerPage) throws(BytesError) -> UInt64 {
    var reader = ByteReader(page.body)
    let first = try reader.readVarint()
    let base = page.encoding == .delta ? UInt64(bitPattern: unzigzag(try reader.readVarint())) : 0
    let bits = try PatchedBits(&reader, count: page.count &- 1, page: page)
    try page.requireEnd(reader)
    return try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: IntegerPage.maximumCount) {
      buffer throws(BytesError) in
      let deltas = UnsafeMutableBufferPointer(rebasing: buffer[..<index])
      try bits.decode(into: deltas, page: page)
      var sum = first
      var place = 0
      if page.encoding == .delta {
        sum = sum &+ base &* UInt64(index)
        while place < index {
          sum = sum &+ deltas[place]
          place &+= 1
        }
      } else {
        while place < index {
          sum = sum &+ UInt64(bitPattern: unzigzag(deltas[place]))
          place &+= 1
        }
      }
      return sum
    }
  }

  static func describe(_ page: IntegerPage) -> String { " \(page.width) bits" }
}
