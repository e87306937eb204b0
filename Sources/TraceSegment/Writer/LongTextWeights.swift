import TraceBytes
import TraceColumns

/// How many bytes of long text a row holds: what keeps a stripe of large values from growing without bound.
///
/// Short values don't count, so that most segments need no look at values at all.
struct LongTextWeights {
  /// The longest value that doesn't count, in bytes.
  static let shortByteCount = 256

  private let view: SpanTable.View
  /// For each of the table's strings: its byte count, or 0 when it is short.
  private var byteCounts: [UInt32]
  /// True when all values are short.
  let isEmpty: Bool

  init(_ view: SpanTable.View) {
    self.view = view
    var byteCounts = [UInt32](repeating: 0, count: view.strings.count)
    var isEmpty = true
    for code in byteCounts.indices {
      let byteCount = ByteDictionary.bytes(view.strings[code]).count
      guard byteCount > Self.shortByteCount else { continue }
      byteCounts[code] = UInt32(truncatingIfNeeded: byteCount)
      isEmpty = false
    }
    self.byteCounts = byteCounts
    self.isEmpty = isEmpty
  }

  /// The bytes of long text in the values that a stripe would hold for this row, repetitions included.
  func byteCount(_ row: SpanRow) -> Int {
    var sum = byteCount(row.statusMessage) + byteCount(row.traceState)
    sum += byteCount(row.unknownFields) + byteCount(row.statusUnknownFields)
    sum += byteCount(shape: row.shape, first: row.firstValue)
    for index in Int(row.firstEvent)..<Int(row.firstEvent) + Int(row.eventCount) {
      let event = view.events[index]
      sum += byteCount(event.name) + byteCount(event.unknownFields)
      sum += byteCount(shape: event.shape, first: event.firstValue)
    }
    for index in Int(row.firstLink)..<Int(row.firstLink) + Int(row.linkCount) {
      let link = view.links[index]
      sum += byteCount(link.traceState) + byteCount(link.unknownFields)
      sum += byteCount(shape: link.shape, first: link.firstValue)
    }
    return sum
  }

  @inline(__always)
  private func byteCount(_ code: UInt32) -> Int { Int(byteCounts[Int(code)]) }

  private func byteCount(shape: UInt32, first: UInt32) -> Int {
    if shape == 0 { return 0 }
    let slots = view.slots(shape)
    var sum = 0
    var index = 0
    while index < slots.count {
      if ShapeSlot(rawValue: slots[index]).type.isText {
        sum &+= byteCount(UInt32(truncatingIfNeeded: view.values[Int(first) &+ index]))
      }
      index &+= 1
    }
    return sum
  }
}
