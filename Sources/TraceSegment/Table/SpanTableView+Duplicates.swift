import TraceBytes
package import TraceColumns
import TraceMerge

/// Finds rows of a table whose content stands in an earlier row, in a time that does not depend on how many rows share
/// their ids: through a hash table over what equal rows have in common without being materialised, and through content
/// hashes of the rows that differ from an earlier one in nothing else.
package struct DuplicateFinder {
  private var view: SpanTable.View
  /// One row of each key (`isAlike`), plus one; 0 is a free slot.
  private var slots: [UInt32] = []
  private var mask = 0
  /// Rows that are like an earlier row and yet different, by their content. Few, but in hostile input.
  private var variants: [Hash128: [UInt32]] = [:]

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
    let times = row.pointee.start &* 0xff51_afd7_ed55_8ccd ^ row.pointee.end &* 0xc4ce_b9fe_1a85_ec53
    let ids = row.pointee.spanID ^ UInt64(row.pointee.trace) &* 0x9e37_79b9_7f4a_7c15
    let mixed = (ids ^ times).multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
    return Int(truncatingIfNeeded: mixed.high ^ mixed.low) & mask
  }

  /// Whether two rows may have one content, by what can be seen without making them.
  @inline(__always)
  private static func isAlike(_ left: UnsafePointer<SpanRow>, _ right: UnsafePointer<SpanRow>) -> Bool {
    left.pointee.spanID == right.pointee.spanID && left.pointee.trace == right.pointee.trace
      && left.pointee.start == right.pointee.start && left.pointee.end == right.pointee.end
  }

  /// True when an earlier row has the same content; otherwise the row is remembered.
  package mutating func isRepeated(_ index: Int) throws -> Bool {
    let row = view.rows.pointer(at: index)
    var slot = slot(of: row)
    while slots[slot] != 0 {
      let other = Int(slots[slot]) - 1
      if Self.isAlike(view.rows.pointer(at: other), row) { return try isRepeated(index, like: other) }
      slot = (slot &+ 1) & mask
    }
    slots[slot] = UInt32(index) + 1
    return false
  }

  /// Of a row that is like an earlier one: the common case is a batch that was sent again.
  private mutating func isRepeated(_ index: Int, like first: Int) throws -> Bool {
    let content = try view.canonicalBytes(index)
    if try view.canonicalBytes(first) == content { return true }
    let hash = Hash128(of: content)
    // Where equal hashes would drop a row, its bytes are compared.
    for other in variants[hash, default: []] where try view.canonicalBytes(Int(other)) == content { return true }
    variants[hash, default: []].append(UInt32(index))
    return false
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
