import TraceBytes
import TraceColumns

/// How many bytes of long text a row holds: what keeps a stripe of large values from growing without bound.
///
/// Short values don't count, so that most segments need no look at values at all.
struct LongTextWeights: ~Copyable {
  /// The longest value that doesn't count, in bytes.
  static let shortByteCount = 256

  private let view: SpanTable.View
  /// A bit for each of the table's strings: few enough to stay near, however many strings there are.
  private let isLong: UnsafeMutablePointer<UInt64>
  /// True when all values are short.
  let isEmpty: Bool

  init(_ view: SpanTable.View) {
    self.view = view
    let strings = view.strings
    isLong = .allocate(capacity: strings.count / 64 + 1)
    isLong.initialize(repeating: 0, count: strings.count / 64 + 1)
    var isEmpty = true
    for code in 0..<strings.count where ByteDictionary.bytes(strings[code]).count > Self.shortByteCount {
      isLong[code / 64] |= 1 << UInt64(code % 64)
      isEmpty = false
    }
    self.isEmpty = isEmpty
  }

  deinit { isLong.deallocate() }

  /// The bytes of long text in the values that a stripe would hold for this row, repetitions included.
  func byteCount(_ number: UInt32) -> Int {
    let row = view.rows.pointer(at: Int(number))
    var sum = length(row.pointee.statusMessage) + length(row.pointee.traceState)
    sum += length(row.pointee.unknownFields) + length(row.pointee.statusUnknownFields)
    sum += byteCount(shape: row.pointee.shape, first: row.pointee.firstValue)
    for index in Int(row.pointee.firstEvent)..<Int(row.pointee.firstEvent) + Int(row.pointee.eventCount) {
      let event = view.events[index]
      sum += length(event.name) + length(event.unknownFields)
      sum += byteCount(shape: event.shape, first: event.firstValue)
    }
    for index in Int(row.pointee.firstLink)..<Int(row.pointee.firstLink) + Int(row.pointee.linkCount) {
      let link = view.links[index]
      sum += length(link.traceState) + length(link.unknownFields)
      sum += byteCount(shape: link.shape, first: link.firstValue)
    }
    return sum
  }

  @inline(__always)
  private func length(_ code: UInt32) -> Int {
    if isLong[Int(code &>> 6)] &>> UInt64(code & 63) & 1 == 0 { return 0 }
    return view.bytes(code).count
  }

  private func byteCount(shape: UInt32, first: UInt32) -> Int {
    if shape == 0 { return 0 }
    let slots = view.slots(shape)
    var sum = 0
    var index = 0
    while index < slots.count {
      if ShapeSlot(rawValue: slots[index]).type.isText {
        sum &+= length(UInt32(truncatingIfNeeded: view.values[Int(first) &+ index]))
      }
      index &+= 1
    }
    return sum
  }
}
