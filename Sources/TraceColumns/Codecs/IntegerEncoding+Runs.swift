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

  /// The body of a page.
  private struct Runs {
    let count: Int
    private let width: Int
    private let lengthWidth: Int
    private let values: UnsafeRawBufferPointer
    private let lengths: UnsafeRawBufferPointer

    init(_ page: IntegerPage) throws(BytesError) {
      var reader = ByteReader(page.body)
      count = try reader.readCount(limit: page.count)
      lengthWidth = Int(try reader.readUInt8())
      width = page.width
      values = try page.readRun(&reader, count: count, width: width)
      lengths = try page.readRun(&reader, count: count, width: lengthWidth)
      try page.requireEnd(reader)
    }

    @inline(__always)
    func value(_ run: Int) -> UInt64 { BitPacking.value(at: run, width: width, in: values) }
    @inline(__always)
    func lengthLessOne(_ run: Int) -> UInt64 { BitPacking.value(at: run, width: lengthWidth, in: lengths) }
  }

  static func decode(_ page: IntegerPage, into output: UnsafeMutableBufferPointer<UInt64>) throws(BytesError) {
    let runs = try Runs(page)
    var place = 0
    var run = 0
    while run < runs.count {
      let value = runs.value(run)
      let less = runs.lengthLessOne(run)
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
    let runs = try Runs(page)
    // Lengths of foreign bytes may be anything: what is left never falls below zero.
    var left = UInt64(index)
    var run = 0
    while run < runs.count {
      let less = runs.lengthLessOne(run)
      if left <= less { return runs.value(run) }
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
