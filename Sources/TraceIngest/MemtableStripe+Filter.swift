import TraceBytes
package import TraceColumns
import TraceModel
import TraceSegment
package import TraceSource

extension MemtableStripe {
  package func filter(_ mask: inout RowMask, by leaf: SpanLeaf) throws {
    switch leaf {
    case .start(let range): keep(&mask) { range.contains($0.pointee.start) }
    case .duration(let range): keep(&mask) { range.contains($0.pointee.durationNanoseconds) }
    case .kind(let kind): keep(&mask) { $0.pointee.kind == kind }
    case .statusCode(let code):
      keep(&mask) { ($0.pointee.marks.contains(.hasStatus) ? $0.pointee.statusCode : 0) == code }
    case .name(let bytes): keepCode(&mask, bytes) { $0.pointee.name }
    case .statusMessage(let bytes): keepCode(&mask, bytes) { $0.pointee.statusMessage }
    case .traceState(let bytes): keepCode(&mask, bytes) { $0.pointee.traceState }
    case .service(let bytes):
      let passes = context.resourceMatches("service \(bytes)") { $0.serviceName.utf8.elementsEqual(bytes) }
      keep(&mask) { passes[Int($0.pointee.resource)] }
    case .scopeName(let bytes):
      let passes = context.scopeMatches("name \(bytes)") { $0.name.utf8.elementsEqual(bytes) }
      keep(&mask) { passes[Int($0.pointee.scope)] }
    case .scopeVersion(let bytes):
      let passes = context.scopeMatches("version \(bytes)") { $0.version.utf8.elementsEqual(bytes) }
      keep(&mask) { passes[Int($0.pointee.scope)] }
    case .eventName(let bytes):
      guard let code = context.code(of: bytes) else { return mask.clear(0..<rowCount) }
      let events = context.view.events
      keep(&mask) { row in
        (0..<Int(row.pointee.eventCount)).contains { events[Int(row.pointee.firstEvent) + $0].name == code }
      }
    case .attribute(let level, let key, let test): try filterAttribute(&mask, level: level, key: key, test: test)
    }
  }

  private func filterAttribute(_ mask: inout RowMask, level: ColumnLevel, key: [UInt8], test: ValueTest) throws {
    switch level {
    case .resource:
      let passes = context.resourceMatches("\(key) \(test.cacheKey)") { SpanLeaf.contains($0.attributes, key, test) }
      keep(&mask) { passes[Int($0.pointee.resource)] }
    case .scope:
      let passes = context.scopeMatches("\(key) \(test.cacheKey)") { SpanLeaf.contains($0.attributes, key, test) }
      keep(&mask) { passes[Int($0.pointee.scope)] }
    case .span, .event, .link:
      guard let keyCode = context.code(of: key), context.mayMatch(key: keyCode, test) else {
        return mask.clear(0..<rowCount)
      }
      let view = context.view
      var matcher = SlotMatcher(
        view: view, key: keyCode, text: test.isText ? context.code(of: test.bytes) : nil, test: test)
      try keepThrowing(&mask) { pointer in
        let row = pointer.pointee.attributeLists
        switch level {
        case .span: return try matcher.passes(shape: row.shape, firstValue: row.firstValue)
        case .event:
          for offset in 0..<Int(row.eventCount) {
            let event = view.events[Int(row.firstEvent) + offset]
            if try matcher.passes(shape: event.shape, firstValue: event.firstValue) { return true }
          }
          return false
        default:
          for offset in 0..<Int(row.linkCount) {
            let link = view.links[Int(row.firstLink) + offset]
            if try matcher.passes(shape: link.shape, firstValue: link.firstValue) { return true }
          }
          return false
        }
      }
    }
  }

  @inline(__always)
  private func keep(_ mask: inout RowMask, where passes: (UnsafePointer<SpanRow>) -> Bool) {
    let rows = context.view.rows
    var kept = mask
    mask.forEachSet { row in
      if !passes(rows.pointer(at: firstRow + row)) { kept.clear(row) }
    }
    mask = kept
  }

  private func keepThrowing(_ mask: inout RowMask, where passes: (UnsafePointer<SpanRow>) throws -> Bool) throws {
    let rows = context.view.rows
    var kept = mask
    try mask.forEachSet { row in
      if try !passes(rows.pointer(at: firstRow + row)) { kept.clear(row) }
    }
    mask = kept
  }

  private func keepCode(_ mask: inout RowMask, _ bytes: [UInt8], _ code: (UnsafePointer<SpanRow>) -> UInt32) {
    guard let wanted = context.code(of: bytes) else { return mask.clear(0..<rowCount) }
    keep(&mask) { code($0) == wanted }
  }
}

extension SpanRow {
  /// The few words of a row that lead to its attributes: rows are large, and most of them lead nowhere.
  fileprivate var attributeLists: AttributeLists {
    AttributeLists(
      shape: shape, firstValue: firstValue, firstEvent: firstEvent, eventCount: eventCount, firstLink: firstLink,
      linkCount: linkCount)
  }
}

private struct AttributeLists {
  var shape: UInt32
  var firstValue: UInt32
  var firstEvent: UInt32
  var eventCount: UInt32
  var firstLink: UInt32
  var linkCount: UInt32
}

/// Decides attribute lists by their shape: the slots of a key are looked up once for each shape.
private struct SlotMatcher {
  let view: SpanTable.View
  let key: UInt32
  /// The code of the sought text; nil when no value is this text.
  let text: UInt32?
  let test: ValueTest
  /// By shape: the slots to look at.
  private var candidates: [UInt32: [Int]] = [:]
  private var lastShape: UInt32 = .max
  private var lastSlots: [Int] = []

  init(view: SpanTable.View, key: UInt32, text: UInt32?, test: ValueTest) {
    self.view = view
    self.key = key
    self.text = text
    self.test = test
  }

  mutating func passes(shape: UInt32, firstValue: UInt32) throws -> Bool {
    if shape != lastShape {
      lastShape = shape
      lastSlots = slots(of: shape)
    }
    if lastSlots.isEmpty { return false }
    let slots = view.slots(shape)
    for index in lastSlots {
      let slot = ShapeSlot(rawValue: slots[index])
      let word = view.values[Int(firstValue) + index]
      switch slot.type {
      case .string: if let text, UInt64(text) == word { return true }
      case .absent, .empty, .bool, .int, .double: if test.matches(slot.type, bits: word) { return true }
      case .bytes, .array, .map, .opaque, .opaqueAttribute:
        if test.matches(try view.attribute(slot, word: word).value) { return true }
      }
    }
    return false
  }

  private mutating func slots(of shape: UInt32) -> [Int] {
    if let known = candidates[shape] { return known }
    let slots = view.slots(shape)
    let found = slots.indices.filter {
      let slot = ShapeSlot(rawValue: slots[$0])
      return slot.key == key && !test.cannotMatch(slot.type)
    }
    candidates[shape] = found
    return found
  }
}
