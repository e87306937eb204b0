import TraceBytes
package import TraceColumns
import TraceMerge
import TraceModel

/// Which partial records of a table contribute, decided on rows where that is plain and on records where it is not.
///
/// The plain case is that of `PlainUpdates`. Not thread-safe.
package struct PartialRows {
  private let view: SpanTable.View
  private let sequenceKey: UInt32?
  private let observedKey: UInt32?
  /// A row with one of these is never plain.
  private let otherKeys: [UInt32]
  private var facts: [UInt32: ShapeFacts] = [:]

  /// Where the stamp stands among the attributes of a shape.
  private struct ShapeFacts {
    var sequence: Int?
    var observed: Int?
    var isPlain = true
  }

  /// - Parameter code: the code of a text in the table's dictionary; nil when no row has it.
  package init(_ view: SpanTable.View, code: ([UInt8]) -> UInt32?) {
    self.view = view
    sequenceKey = code(Array(ControlKey.sequence.utf8))
    observedKey = code(Array(ControlKey.observed.utf8))
    otherKeys = [ControlKey.removed, ControlKey.partial, ControlKey.roleService, ControlKey.roleKind]
      .compactMap { code(Array($0.utf8)) }
  }

  /// For a table to which nothing is appended meanwhile.
  package init(_ view: SpanTable.View) {
    self.init(view) { bytes in bytes.withUnsafeBytes { view.table.strings.code(of: $0) } }
  }

  /// Of partial rows, those that contribute, in the order given.
  package mutating func contributing(_ rows: [UInt32]) throws -> [UInt32] {
    if rows.count < 2 { return rows }
    var order = Array(rows.indices)
    func key(_ place: Int) -> (UInt32, UInt64) {
      let row = view.rows.pointer(at: Int(rows[place]))
      return (row.pointee.trace, row.pointee.spanID)
    }
    order.sort { left, right in
      let (a, b) = (key(left), key(right))
      return a != b ? a < b : left < right
    }
    var isKept = [Bool](repeating: true, count: rows.count)
    var first = 0
    while first < order.count {
      var end = first + 1
      while end < order.count, key(order[end]) == key(order[first]) { end += 1 }
      try drop(order[first..<end], of: rows, &isKept)
      first = end
    }
    return rows.indices.filter { isKept[$0] }.map { rows[$0] }
  }

  /// - Parameter places: of the rows of one span.
  private mutating func drop(_ places: ArraySlice<Int>, of rows: [UInt32], _ isKept: inout [Bool]) throws {
    if places.count < 2 { return }
    let plain = dominated(places.map { Int(rows[$0]) })
    let open = places.filter { !plain.contains(Int(rows[$0])) }
    for place in places where plain.contains(Int(rows[place])) { isKept[place] = false }
    if open.count < 2 { return }
    let parts = try open.map { place -> SpanPart in
      let row = view.rows[Int(rows[place])]
      return SpanPart(
        resource: view.resources[Int(row.resource)].resource, scope: view.scopes[Int(row.scope)].scope,
        span: try view.record(Int(rows[place])), isPartial: true)
    }
    let contributing = Set(SpanPart.contributing(parts))
    for (index, place) in open.enumerated() where !contributing.contains(index) { isKept[place] = false }
  }

  /// Of the rows of one span (partial ones, and others that are left alone), those that plainly don't contribute.
  package mutating func dominated(_ rows: [Int]) -> Set<Int> {
    PlainUpdates.dominated(rows.compactMap { age($0) }, isAlike: isAlike)
  }

  /// Nil for a row that is not plain.
  private mutating func age(_ index: Int) -> PlainUpdates.Age? {
    let row = view.rows.pointer(at: index)
    guard row.pointee.marks.contains(.isPartial), !row.pointee.marks.contains(.isDead), row.pointee.eventCount == 0,
      row.pointee.linkCount == 0
    else { return nil }
    let facts = facts(of: row.pointee.shape)
    guard facts.isPlain else { return nil }
    func number(_ place: Int) -> Int64 { Int64(bitPattern: view.values[Int(row.pointee.firstValue) + place]) }
    return PlainUpdates.Age(
      place: index, sequence: facts.sequence.map(number), latest: max(row.pointee.start, row.pointee.end),
      stated: facts.observed.map(number))
  }

  private mutating func facts(of shape: UInt32) -> ShapeFacts {
    if let known = facts[shape] { return known }
    var made = ShapeFacts()
    let slots = view.slots(shape)
    for place in 0..<slots.count {
      let slot = ShapeSlot(rawValue: slots[place])
      if slot.key == sequenceKey || slot.key == observedKey {
        // A repeated key and a value of another type are left to the records.
        let isFirst = slot.key == sequenceKey ? made.sequence == nil : made.observed == nil
        if !isFirst || slot.type != .int { made.isPlain = false }
        if slot.key == sequenceKey { made.sequence = place } else { made.observed = place }
      } else if otherKeys.contains(slot.key) {
        made.isPlain = false
      }
    }
    facts[shape] = made
    return made
  }

  /// Whether two rows differ in the values of their attributes alone.
  private func isAlike(_ left: Int, _ right: Int) -> Bool {
    let (a, b) = (view.rows.pointer(at: left), view.rows.pointer(at: right))
    return a.pointee.resource == b.pointee.resource && a.pointee.scope == b.pointee.scope
      && a.pointee.shape == b.pointee.shape && a.pointee.name == b.pointee.name && a.pointee.kind == b.pointee.kind
      && a.pointee.start == b.pointee.start && a.pointee.parentSpanID == b.pointee.parentSpanID
      && a.pointee.marks == b.pointee.marks && a.pointee.traceState == b.pointee.traceState
      && a.pointee.flags == b.pointee.flags && a.pointee.statusCode == b.pointee.statusCode
      && a.pointee.statusMessage == b.pointee.statusMessage && a.pointee.unknownFields == b.pointee.unknownFields
      && a.pointee.statusUnknownFields == b.pointee.statusUnknownFields
      && a.pointee.droppedAttributeCount == b.pointee.droppedAttributeCount
      && a.pointee.droppedEventCount == b.pointee.droppedEventCount
      && a.pointee.droppedLinkCount == b.pointee.droppedLinkCount
  }
}
