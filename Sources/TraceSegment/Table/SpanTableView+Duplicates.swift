package import TraceColumns
import TraceMerge

/// Finds rows of a table whose content stands in an earlier row, through a hash table over (trace, span id).
package struct DuplicateFinder {
  private var view: SpanTable.View
  private var slots: [UInt32] = []
  private var mask = 0

  package init(_ view: SpanTable.View) {
    self.view = view
    reserve()
  }

  /// Goes on with a longer view of the same table.
  package mutating func extend(to longer: SpanTable.View) {
    view = longer
    reserve()
  }

  private mutating func reserve() {
    var capacity = max(1024, slots.count)
    while capacity < view.rows.count * 2 { capacity *= 2 }
    if capacity == slots.count { return }
    let old = slots
    slots = [UInt32](repeating: 0, count: capacity)
    mask = capacity - 1
    for row in old where row != 0 {
      var slot = slot(of: view.rows.pointer(at: Int(row) - 1))
      while slots[slot] != 0 { slot = (slot &+ 1) & mask }
      slots[slot] = row
    }
  }

  @inline(__always)
  private func slot(of row: UnsafePointer<SpanRow>) -> Int {
    let mixed = (row.pointee.spanID ^ (UInt64(row.pointee.trace) &* 0x9e37_79b9_7f4a_7c15)).multipliedFullWidth(
      by: 0xd6e8_feb8_6659_fd93)
    return Int(truncatingIfNeeded: mixed.high ^ mixed.low) & mask
  }

  /// True when an earlier row has the same content; otherwise the row is remembered.
  package mutating func isRepeated(_ index: Int) throws -> Bool {
    let row = view.rows.pointer(at: index)
    let (spanID, trace) = (row.pointee.spanID, row.pointee.trace)
    var slot = slot(of: row)
    while slots[slot] != 0 {
      let other = Int(slots[slot]) - 1
      let stored = view.rows.pointer(at: other)
      if stored.pointee.trace == trace, stored.pointee.spanID == spanID, try isEqual(index, other) { return true }
      slot = (slot &+ 1) & mask
    }
    slots[slot] = UInt32(index) + 1
    return false
  }

  private func isEqual(_ left: Int, _ right: Int) throws -> Bool {
    let (a, b) = (view.rows[left], view.rows[right])
    // The common re-sent batch is equal in its interned form; anything that only looks different is decided by content.
    guard a.start == b.start, a.end == b.end, a.name == b.name, a.kind == b.kind else { return false }
    return try view.canonicalBytes(left) == view.canonicalBytes(right)
  }
}

extension SpanTable.View {
  /// The bytes that decide whether two records are equal.
  package func canonicalBytes(_ index: Int) throws -> [UInt8] {
    let row = rows[index]
    return ContentHash.canonicalBytes(
      resource: resources[Int(row.resource)].resource, scope: scopes[Int(row.scope)].scope, span: try record(index))
  }
}
