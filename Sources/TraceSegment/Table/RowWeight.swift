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

  /// What a row of the table weighs.
  package static func of(_ row: SpanRow, in table: SpanTable) -> Int {
    var sum = Self.row + length(row.statusMessage, table) + length(row.traceState, table)
    sum += length(row.unknownFields, table) + length(row.statusUnknownFields, table)
    sum += list(row.shape, row.firstValue, table)
    for index in Int(row.firstEvent)..<Int(row.firstEvent) + Int(row.eventCount) {
      let event = table.events[index]
      sum += child + length(event.name, table) + length(event.unknownFields, table)
      sum += list(event.shape, event.firstValue, table)
    }
    for index in Int(row.firstLink)..<Int(row.firstLink) + Int(row.linkCount) {
      let link = table.links[index]
      sum += child + length(link.traceState, table) + length(link.unknownFields, table)
      sum += list(link.shape, link.firstValue, table)
    }
    return sum
  }

  private static func length(_ code: UInt32, _ table: SpanTable) -> Int { table.strings.bytes(code).count }

  private static func list(_ shape: UInt32, _ first: UInt32, _ table: SpanTable) -> Int {
    let slots = table.shapes.bytes(shape).bindMemory(to: UInt32.self)
    var sum = slot * slots.count
    for index in 0..<slots.count where ShapeSlot(rawValue: slots[index]).type.isText {
      sum += length(UInt32(truncatingIfNeeded: table.values[Int(first) + index]), table)
    }
    return sum
  }
}
