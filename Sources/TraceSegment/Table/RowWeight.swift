import TraceBytes
package import TraceColumns

/// How many bytes a row holds, each of its values counted in full: what bounds a merged segment besides its rows. A
/// function of the record alone, so that where segments are cut is one too.
package enum RowWeight {
  /// A row without its texts and children, and an event or a link without its texts.
  package static let row = 256
  package static let child = 64
  /// A value without its text.
  package static let slot = 8

  /// What a row of a table weighs.
  package static func of(_ row: SpanRow, in view: SpanTable.View) -> Int {
    var sum = Self.row + length(row.statusMessage, view) + length(row.traceState, view)
    sum += length(row.unknownFields, view) + length(row.statusUnknownFields, view)
    sum += list(row.shape, row.firstValue, view)
    for index in Int(row.firstEvent)..<Int(row.firstEvent) + Int(row.eventCount) {
      let event = view.events[index]
      sum += child + length(event.name, view) + length(event.unknownFields, view)
      sum += list(event.shape, event.firstValue, view)
    }
    for index in Int(row.firstLink)..<Int(row.firstLink) + Int(row.linkCount) {
      let link = view.links[index]
      sum += child + length(link.traceState, view) + length(link.unknownFields, view)
      sum += list(link.shape, link.firstValue, view)
    }
    return sum
  }

  private static func length(_ code: UInt32, _ view: SpanTable.View) -> Int { view.bytes(code).count }

  private static func list(_ shape: UInt32, _ first: UInt32, _ view: SpanTable.View) -> Int {
    let slots = view.slots(shape)
    var sum = slot * slots.count
    for index in 0..<slots.count where ShapeSlot(rawValue: slots[index]).type.isText {
      sum += length(UInt32(truncatingIfNeeded: view.values[Int(first) + index]), view)
    }
    return sum
  }
}
