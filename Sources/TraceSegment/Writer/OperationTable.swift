/// Finds operations by their parts: open addressing over a growing list.
struct OperationTable {
  private var slots = [UInt32](repeating: .max, count: 1 << 10)

  mutating func number(
    service: UInt32, name: UInt32, kind: Int32, in operations: inout [SegmentPlan.Operation]
  ) -> Int {
    var place = slot(service, name, kind)
    while slots[place] != .max {
      let operation = operations[Int(slots[place])]
      if operation.name == name, operation.service == service, operation.kind == kind { return Int(slots[place]) }
      place = (place &+ 1) & (slots.count &- 1)
    }
    slots[place] = UInt32(operations.count)
    operations.append(
      SegmentPlan.Operation(service: service, name: name, kind: kind, spanCount: 0, errorCount: 0))
    if operations.count * 2 > slots.count { grow(operations) }
    return operations.count - 1
  }

  private func slot(_ service: UInt32, _ name: UInt32, _ kind: Int32) -> Int {
    let mixed = (UInt64(service) << 32 | UInt64(name)) &+ UInt64(UInt32(bitPattern: kind)) &* 0x9e37_79b9_7f4a_7c15
    let product = (mixed ^ mixed >> 29) &* 0xbf58_476d_1ce4_e5b9
    return Int(truncatingIfNeeded: product >> 32) & (slots.count &- 1)
  }

  private mutating func grow(_ operations: [SegmentPlan.Operation]) {
    slots = [UInt32](repeating: .max, count: slots.count * 2)
    for (index, operation) in operations.enumerated() {
      var place = slot(operation.service, operation.name, operation.kind)
      while slots[place] != .max { place = (place + 1) & (slots.count - 1) }
      slots[place] = UInt32(index)
    }
  }
}
