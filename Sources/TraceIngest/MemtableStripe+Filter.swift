import TraceBytes
package import TraceColumns
import TraceModel
import TraceSegment
package import TraceSource

extension MemtableStripe {
  package func filter(_ mask: inout RowMask, by leaf: SpanLeaf) throws {
    switch leaf {
    case .text(let text, let test): keepText(&mask, text, test)
    case .start(let range): keep(&mask) { range.contains($0.pointee.start) }
    case .end(let range): keep(&mask) { range.contains($0.pointee.end) }
    case .duration(let range): keep(&mask) { range.contains($0.pointee.durationNanoseconds) }
    case .kind(let kinds): keep(&mask) { kinds.contains($0.pointee.kind) }
    case .statusCode(let codes):
      keep(&mask) { codes.contains($0.pointee.marks.contains(.hasStatus) ? $0.pointee.statusCode : 0) }
    case .traceID(let id): keep(&mask) { $0.pointee.traceHigh == id.high && $0.pointee.traceLow == id.low }
    case .spanID(let id): keep(&mask) { $0.pointee.spanID == id }
    // An id that is not there stands as zero.
    case .parent(nil): keep(&mask) { $0.pointee.parentSpanID == 0 }
    case .parent(let id?): keep(&mask) { $0.pointee.marks.contains(.hasParent) && $0.pointee.parentSpanID == id }
    case .attribute(let level, let key, let test): try filterAttribute(&mask, level: level, key: key, test: test)
    case .some(let level, let predicate): try keepOwners(&mask, of: level, predicate)
    case .record(let test):
      let view = context.view
      var kept = mask
      try mask.forEachSet { row in
        let stored = view.rows[firstRow + row]
        let passes = test.matches(
          resource: view.resources[Int(stored.resource)].resource, scope: view.scopes[Int(stored.scope)].scope,
          span: try view.record(firstRow + row))
        if !passes { kept.clear(row) }
      }
      mask = kept
    }
  }

  private func keepText(_ mask: inout RowMask, _ text: SpanText, _ test: TextTest) {
    switch text {
    case .name: keepCode(&mask, test) { $0.pointee.name }
    case .statusMessage: keepCode(&mask, test) { $0.pointee.statusMessage }
    case .traceState: keepCode(&mask, test) { $0.pointee.traceState }
    case .service, .resourceSchemaURL:
      let passes = context.resourceMatches("\(text.rawValue) \(test.name)") { test.matches(text.value(resource: $0)) }
      keep(&mask) { passes[Int($0.pointee.resource)] }
    case .scopeName, .scopeVersion, .scopeSchemaURL:
      let passes = context.scopeMatches("\(text.rawValue) \(test.name)") { test.matches(text.value(scope: $0)) }
      keep(&mask) { passes[Int($0.pointee.scope)] }
    }
  }

  private func filterAttribute(_ mask: inout RowMask, level: ColumnLevel, key: [UInt8], test: ValueTest) throws {
    switch level {
    case .resource:
      let passes = context.resourceMatches("\(key) \(test.name)") { SpanLeaf.contains($0.attributes, key, test) }
      keep(&mask) { passes[Int($0.pointee.resource)] }
    case .scope:
      let passes = context.scopeMatches("\(key) \(test.name)") { SpanLeaf.contains($0.attributes, key, test) }
      keep(&mask) { passes[Int($0.pointee.scope)] }
    case .span, .event, .link:
      guard let keyCode = context.code(of: key), context.mayMatch(key: keyCode, test) else {
        return mask.clear(0..<rowCount)
      }
      let view = context.view
      var matcher = SlotMatcher(context, key: keyCode, test)
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

  private func keepCode(_ mask: inout RowMask, _ test: TextTest, _ code: (UnsafePointer<SpanRow>) -> UInt32) {
    var decision = CodeDecision(context, test)
    keep(&mask) { decision.passes(code($0)) }
  }
}

/// Decides codes of a table's strings: each string is looked at once.
struct CodeDecision {
  private let view: SpanTable.View
  /// The codes of the texts that are asked for, when the test is a list.
  private let wanted: CodeList?
  private let decide: (UnsafeRawBufferPointer) -> Bool
  private var answers: [UInt32: Bool] = [:]

  init(_ context: MemtableContext, _ test: TextTest) {
    view = context.view
    wanted = test.list.map { context.codes(of: $0) }
    decide = test.makeDecision()
  }

  mutating func passes(_ code: UInt32) -> Bool {
    if let wanted { return wanted.contains(code) }
    if let known = answers[code] { return known }
    let passes = decide(view.bytes(code))
    answers[code] = passes
    return passes
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
struct SlotMatcher {
  private let view: SpanTable.View
  private let key: UInt32
  private let test: ValueTest
  private var strings: CodeDecision
  /// By shape: the slots to look at.
  private var candidates: [UInt32: [Int]] = [:]
  private var lastShape: UInt32 = .max
  private var lastSlots: [Int] = []

  init(_ context: MemtableContext, key: UInt32, _ test: ValueTest) {
    view = context.view
    self.key = key
    self.test = test
    strings = CodeDecision(context, test.strings)
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
      case .string: if strings.passes(UInt32(truncatingIfNeeded: word)) { return true }
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
