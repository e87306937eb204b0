import TraceBytes

/// Values that go on from their neighbour by few different steps, counted round a cycle: a counter that several writers
/// share, numbers dealt out in turn. Wrapping round costs nothing, and what goes back by one goes on by the cycle less
/// one.
///
/// Body: cycle varint, first reduced value varint, step width u8, step count varint; the steps, packed at the step
/// width, the most frequent first; for each of the other `count - 1` values the index of its step, packed at the page's
/// width, or the step count where the step is none of them; those steps in order, packed at the step width.
enum StepIntegers {
  /// Fewer values than this are not worth a look.
  private static let minimumCount = 32

  /// Nil if it cannot take less than `limit` bytes. Leaves the steps in the workspace.
  ///
  /// - Parameter cycle: what the values are counted round if that is known and the page has no scale, else 0.
  static func estimate(
    _ statistics: IntegerStatistics, _ workspace: IntegerWorkspace, cycle: UInt64, below limit: Int
  ) -> IntegerPlan? {
    let count = statistics.count - 1
    guard count >= minimumCount, statistics.maximum < StepTable.maximumCycle else { return nil }
    var cycle = statistics.scale == .one ? cycle : 0
    if cycle <= statistics.maximum || cycle > StepTable.maximumCycle { cycle = statistics.maximum + 1 }
    let table = workspace.steps
    let stepWidth = max(1, BitPacking.width(of: cycle - 1))
    let bitLimit = limit == .max ? limit : limit * 8
    // A code takes a bit, and a step that occurs once its bits in full.
    guard bitLimit > count else { return nil }
    if limit != .max {
      guard let bitCount = table.sample(workspace.reduced, count: count, cycle: cycle, stepWidth: stepWidth),
        bitCount < bitLimit + bitLimit / 8
      else { return nil }
    }
    guard table.count(workspace.reduced, count: count, cycle: cycle, limit: (bitLimit - count) / stepWidth) else {
      return nil
    }
    let best = table.choice(stepWidth: stepWidth, total: count, tableBitCount: stepWidth)
    table.choose(best.stepCount)
    let head =
      varintByteCount(cycle) + varintByteCount(workspace.reduced[0]) + 1 + varintByteCount(UInt64(best.stepCount))
    let byteCount =
      head + BitPacking.byteCount(count: best.stepCount, width: stepWidth)
      + BitPacking.byteCount(count: count, width: best.width)
      + BitPacking.byteCount(count: best.escapeCount, width: stepWidth)
    guard byteCount < limit else { return nil }
    return IntegerPlan(
      encoding: .steps, byteCount: byteCount, width: best.width, exceptionCount: best.escapeCount,
      highWidth: stepWidth, cycle: cycle)
  }

  private static func varintByteCount(_ value: UInt64) -> Int { max(1, (BitPacking.width(of: value) + 6) / 7) }

  static func encode(
    _ plan: IntegerPlan, _ statistics: IntegerStatistics, _ workspace: IntegerWorkspace, into writer: inout ByteWriter
  ) {
    let table = workspace.steps
    let codes = workspace.first
    let escapes = workspace.second
    writer.appendVarint(plan.cycle)
    writer.appendVarint(workspace.reduced[0])
    writer.append(UInt8(plan.highWidth))
    writer.appendVarint(table.steps.count)
    table.steps.withUnsafeBufferPointer { BitPacking.pack($0, width: plan.highWidth, into: &writer) }
    var escapeCount = 0
    var index = 1
    while index < statistics.count {
      let step = StepTable.step(from: workspace.reduced[index &- 1], to: workspace.reduced[index], cycle: plan.cycle)
      let code = table.code(of: step)
      codes[index &- 1] = code
      if code == table.steps.count {
        escapes[escapeCount] = step
        escapeCount &+= 1
      }
      index &+= 1
    }
    BitPacking.pack(UnsafeBufferPointer(start: codes, count: statistics.count - 1), width: plan.width, into: &writer)
    BitPacking.pack(UnsafeBufferPointer(start: escapes, count: escapeCount), width: plan.highWidth, into: &writer)
  }

  /// What stands before the codes.
  private struct Head {
    let cycle: UInt64
    let first: UInt64
    let stepWidth: Int
    let stepCount: Int
    let steps: UnsafeRawBufferPointer

    init(_ reader: inout ByteReader, page: IntegerPage) throws(BytesError) {
      cycle = try reader.readVarint()
      first = try reader.readVarint()
      guard cycle <= StepTable.maximumCycle, first < cycle else { throw page.failure("leaves its cycle") }
      stepWidth = Int(try reader.readUInt8())
      stepCount = try reader.readCount(limit: StepTable.maximumCount)
      steps = try page.readRun(&reader, count: stepCount, width: stepWidth)
    }
  }

  static func decode(_ page: IntegerPage, into output: UnsafeMutableBufferPointer<UInt64>) throws(BytesError) {
    try decode(page, prefix: output)
  }

  static func value(at index: Int, in page: IntegerPage) throws(BytesError) -> UInt64 {
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: IntegerPage.maximumCount) {
      buffer throws(BytesError) in
      try decode(page, prefix: UnsafeMutableBufferPointer(rebasing: buffer[...index]))
      return buffer[index]
    }
  }

  /// Decodes the first values, at least one: as many as `output` has room for.
  private static func decode(
    _ page: IntegerPage, prefix output: UnsafeMutableBufferPointer<UInt64>
  ) throws(BytesError) {
    var reader = ByteReader(page.body)
    let head = try Head(&reader, page: page)
    let codes = try page.readRun(&reader, count: page.count &- 1, width: page.width)
    let escapes = try reader.readBytes(reader.remaining)
    let codeValues = UnsafeMutableBufferPointer(rebasing: output[1...])
    BitPacking.unpack(codes, width: page.width, into: codeValues)
    let stepCount = UInt64(head.stepCount)
    let escapeCount = try escapeCount(of: codeValues, stepCount: stepCount, page)
    guard
      escapes.count >= BitPacking.byteCount(count: escapeCount, width: head.stepWidth),
      output.count < page.count || escapes.count == BitPacking.byteCount(count: escapeCount, width: head.stepWidth)
    else { throw page.failure("has \(escapes.count) bytes for \(escapeCount) rare steps") }
    // The known steps, a place for the next rare one, then the rare ones and a place behind the last.
    let capacity = head.stepCount &+ 1 &+ escapeCount &+ 1
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: capacity) { memory throws(BytesError) in
      memory.initialize(repeating: 0)
      let known = UnsafeMutableBufferPointer(rebasing: memory[..<(head.stepCount &+ 1)])
      let rare = UnsafeMutableBufferPointer(rebasing: memory[(head.stepCount &+ 1)...])
      BitPacking.unpack(
        head.steps, width: head.stepWidth, into: UnsafeMutableBufferPointer(rebasing: known[..<head.stepCount]))
      BitPacking.unpack(
        escapes, width: head.stepWidth, into: UnsafeMutableBufferPointer(rebasing: rare[..<escapeCount]))
      // Steps below the cycle keep values below it, so that one subtraction wraps them round.
      for step in memory where step >= head.cycle { throw page.failure("leaves its cycle") }
      let cycle = head.cycle
      var value = head.first
      output[0] = value
      known[head.stepCount] = rare[0]
      var rareIndex = 0
      var index = 1
      // Which code comes next cannot be predicted: there is no branch on it.
      while index < output.count {
        let code = output[index]
        value = value &+ known[Int(truncatingIfNeeded: code)]
        // Below the cycle, the difference is a number far above it.
        value = min(value, value &- cycle)
        output[index] = value
        rareIndex &+= code == stepCount ? 1 : 0
        known[Int(truncatingIfNeeded: stepCount)] = rare[rareIndex]
        index &+= 1
      }
    }
  }

  /// How many of the codes stand for rare steps. Throws when one stands for nothing.
  private static func escapeCount(
    of codes: UnsafeMutableBufferPointer<UInt64>, stepCount: UInt64, _ page: IntegerPage
  ) throws(BytesError) -> Int {
    var greatest: UInt64 = 0
    var escapeCount = 0
    var index = 0
    #if _endian(little)
      if page.width < 32 {
        // The upper half of a code is zero, so that two are compared as four numbers of 32 bits.
        let limit = SIMD4(Int32(truncatingIfNeeded: stepCount), .max, Int32(truncatingIfNeeded: stepCount), .max)
        var escapes = SIMD4<Int32>()
        var isGreater = SIMD4<Int32>()
        let bytes = UnsafeRawBufferPointer(codes)
        while index &+ 2 <= codes.count {
          let pair = bytes.loadUnaligned(fromByteOffset: index &* 8, as: SIMD4<Int32>.self)
          escapes &-= unsafeBitCast(pair .== limit, to: SIMD4<Int32>.self)
          isGreater |= unsafeBitCast(pair .> limit, to: SIMD4<Int32>.self)
          index &+= 2
        }
        escapeCount = Int(escapes.wrappedSum())
        if isGreater.min() < 0 { greatest = .max }
      }
    #endif
    while index < codes.count {
      greatest = max(greatest, codes[index])
      escapeCount &+= codes[index] == stepCount ? 1 : 0
      index &+= 1
    }
    guard greatest <= stepCount else { throw page.failure("has a step that is not there") }
    return escapeCount
  }

  static func describe(_ page: IntegerPage) -> String {
    var reader = ByteReader(page.body)
    guard let head = try? Head(&reader, page: page) else { return " unreadable" }
    return " \(head.stepCount) of \(page.width) bits, round \(head.cycle)"
  }
}
