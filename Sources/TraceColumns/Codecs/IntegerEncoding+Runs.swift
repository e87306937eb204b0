import TraceBytes

/// Runs of equal values. Body: run count varint, length width u8, the run values packed at the page's width, the run
/// lengths less one packed at the length width. The lengths add up to the page's count.
enum RunIntegers {
  static func estimate(_ statistics: IntegerStatistics) -> IntegerPlan {
    let width = BitPacking.width(of: statistics.maximum)
    let lengthWidth = BitPacking.width(of: UInt64(max(statistics.longestRun, 1) - 1))
    let byteCount =
      (statistics.runCount < 128 ? 1 : 2) + 1 + BitPacking.byteCount(count: statistics.runCount, width: width)
      + BitPacking.byteCount(count: statistics.runCount, width: lengthWidth)
    return IntegerPlan(encoding: .runs, byteCount: byteCount, width: width, highWidth: lengthWidth)
  }

  static func encode(
    _ plan: IntegerPlan, _ statistics: IntegerStatistics, _ workspace: IntegerWorkspace, into writer: inout ByteWriter
  ) {
    let values = workspace.reduced
    let runValues = workspace.first
    let runLengths = workspace.second
    var found = 0
    var start = 0
    var index = 1
    while index <= statistics.count {
      if index == statistics.count || values[index] != values[start] {
        runValues[found] = values[start]
        runLengths[found] = UInt64(index &- start &- 1)
        found &+= 1
        start = index
      }
      index &+= 1
    }
    writer.appendVarint(found)
    writer.append(UInt8(plan.highWidth))
    BitPacking.pack(UnsafeBufferPointer(start: runValues, count: found), width: plan.width, into: &writer)
    BitPacking.pack(UnsafeBufferPointer(start: runLengths, count: found), width: plan.highWidth, into: &writer)
  }

  static func decode(_ page: IntegerPage, into output: UnsafeMutableBufferPointer<UInt64>) throws(BytesError) {
    var reader = ByteReader(page.body)
    let runCount = try reader.readCount(limit: page.count)
    let lengthWidth = Int(try reader.readUInt8())
    let values = try page.readRun(&reader, count: runCount, width: page.width)
    let lengths = try page.readRun(&reader, count: runCount, width: lengthWidth)
    try page.requireEnd(reader)
    var place = 0
    var run = 0
    while run < runCount {
      let value = BitPacking.value(at: run, width: page.width, in: values)
      let less = BitPacking.value(at: run, width: lengthWidth, in: lengths)
      guard less < UInt64(output.count &- place) else { throw page.failure("has runs longer than the page") }
      let end = place &+ Int(less) &+ 1
      while place < end {
        output[place] = value
        place &+= 1
      }
      run &+= 1
    }
    guard place == output.count else { throw page.failure("has runs shorter than the page") }
  }

  static func value(at index: Int, in page: IntegerPage) throws(BytesError) -> UInt64 {
    var reader = ByteReader(page.body)
    let runCount = try reader.readCount(limit: page.count)
    let lengthWidth = Int(try reader.readUInt8())
    let values = try page.readRun(&reader, count: runCount, width: page.width)
    let lengths = try page.readRun(&reader, count: runCount, width: lengthWidth)
    try page.requireEnd(reader)
    // Lengths of foreign bytes may be anything: what is left never falls below zero.
    var left = UInt64(index)
    var run = 0
    while run < runCount {
      let less = BitPacking.value(at: run, width: lengthWidth, in: lengths)
      if left <= less { return BitPacking.value(at: run, width: page.width, in: values) }
      left &-= less &+ 1
      run &+= 1
    }
    throw page.failure("has runs shorter than the page")
  }

  static func describe(_ page: IntegerPage) -> String {
    var reader = ByteReader(page.body)
    guard let runCount = try? reader.readCount(limit: page.count) else { return " unreadable" }
    return " \(runCount) of \(page.width) bits"
  }
}
