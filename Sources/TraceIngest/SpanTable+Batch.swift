package import TraceBytes
package import TraceColumns
import TraceMerge
import TraceModel
package import TraceOTLP
package import TraceSource

/// Interns decoded batches into a span table. Not thread-safe: one per memtable, used under its lock.
package struct BatchAppender {
  private let table: SpanTable
  private let endZeroMeansOpen: Bool
  /// Whether any row that was appended is a partial record.
  private(set) var hasPartials = false
  /// Interned once: keys that ingest itself looks at.
  private let partialKey: UInt32
  private let stateKey: UInt32
  /// Resource and scope messages as they came, to the index of their canonical record: decoding happens once for each
  /// distinct encoding.
  private let rawResources: ByteDictionary
  private let rawScopes: ByteDictionary
  private var resourceIndices: [UInt32] = [0]
  private var scopeIndices: [UInt32] = [0]
  private let lists = AttributeLists()
  private var key: [UInt8] = []

  package init(table: SpanTable, endZeroMeansOpen: Bool, hash: SeededHash = .process) {
    self.table = table
    self.endZeroMeansOpen = endZeroMeansOpen
    partialKey = table.strings.intern(ControlKey.partial)
    stateKey = table.strings.intern(ControlKey.state)
    rawResources = ByteDictionary(hash: hash, slabShift: 8)
    rawScopes = ByteDictionary(hash: hash, slabShift: 8)
  }

  /// Appends every accepted span of the batch and widens `bounds` (one per slab of rows) by them.
  package mutating func append(_ batch: SpanBatch, bounds: inout [StripeBounds]) throws {
    var resources: [UInt32] = []
    var scopes: [UInt32] = []
    resources.reserveCapacity(batch.resources.count)
    scopes.reserveCapacity(batch.scopes.count)
    // Unreadable resources must refuse the batch before the first row of it stands in the table.
    for index in 0..<batch.resources.count { resources.append(try resourceIndex(batch, batch.resources[index])) }
    for index in 0..<batch.scopes.count { scopes.append(try scopeIndex(batch, batch.scopes[index])) }
    var row = SpanRow()
    for span in batch.spans {
      fill(&row, batch, span, resources: resources, scopes: scopes)
      let slab = table.rowCount >> Memtable.stripeShift
      if slab == bounds.count { bounds.append(StripeBounds()) }
      bounds[slab].include(start: row.start, end: row.end)
      if row.marks.contains(.isPartial) { hasPartials = true }
      _ = table.appendRow(copying: &row)
    }
  }

  /// Makes the row of a span, except for its place in its trace.
  private mutating func fill(
    _ row: inout SpanRow, _ batch: SpanBatch, _ span: BatchSpan, resources: [UInt32], scopes: [UInt32]
  ) {
    row.marks = []
    row.traceHigh = span.traceHigh
    row.traceLow = span.traceLow
    row.spanID = span.spanID
    row.parentSpanID = span.parentSpanID
    row.start = span.start
    row.end = span.end
    row.name = intern(batch, span.name)
    row.resource = resources[Int(span.resourceIndex)]
    row.scope = scopes[Int(span.scopeIndex)]
    row.kind = span.kind
    row.statusCode = span.statusCode
    row.flags = span.flags
    row.traceState = intern(batch, span.traceState)
    row.statusMessage = intern(batch, span.statusMessage)
    row.unknownFields = intern(batch, span.unknownFields)
    row.statusUnknownFields = intern(batch, span.statusUnknownFields)
    row.droppedAttributeCount = span.droppedAttributeCount
    row.droppedEventCount = span.droppedEventCount
    row.droppedLinkCount = span.droppedLinkCount
    if span.hasParent { row.marks.insert(.hasParent) }
    if span.hasStatus { row.marks.insert(.hasStatus) }
    if endZeroMeansOpen, span.end == 0 { row.marks.insert(.isPartial) }
    let isFlagged = internAttributes(batch, first: span.firstAttribute, count: span.attributeCount)
    if isFlagged { row.marks.insert(.isPartial) }
    (row.shape, row.firstValue) = appendAttributes()
    row.firstEvent = table.nextEventIndex
    row.eventCount = span.eventCount
    for index in 0..<Int(span.eventCount) {
      let event = batch.events[Int(span.firstEvent) + index]
      var stored = EventRow()
      stored.time = event.time
      stored.name = intern(batch, event.name)
      stored.droppedAttributeCount = event.droppedAttributeCount
      stored.unknownFields = intern(batch, event.unknownFields)
      _ = internAttributes(batch, first: event.firstAttribute, count: event.attributeCount)
      (stored.shape, stored.firstValue) = appendAttributes()
      table.appendEvent(stored)
    }
    row.firstLink = table.nextLinkIndex
    row.linkCount = span.linkCount
    for index in 0..<Int(span.linkCount) {
      let link = batch.links[Int(span.firstLink) + index]
      var stored = LinkRow()
      stored.traceHigh = link.traceHigh
      stored.traceLow = link.traceLow
      stored.spanID = link.spanID
      stored.hasTraceID = link.hasTraceID
      stored.hasSpanID = link.hasSpanID
      stored.traceState = intern(batch, link.traceState)
      stored.flags = link.flags
      stored.droppedAttributeCount = link.droppedAttributeCount
      stored.unknownFields = intern(batch, link.unknownFields)
      _ = internAttributes(batch, first: link.firstAttribute, count: link.attributeCount)
      (stored.shape, stored.firstValue) = appendAttributes()
      table.appendLink(stored)
    }
  }

  @inline(__always)
  private func intern(_ batch: SpanBatch, _ range: ByteRange) -> UInt32 {
    range.count == 0 ? 0 : table.strings.intern(batch.bytes(range))
  }

  /// Fills `slots` and `words`; true when the attributes flag the record as partial.
  private mutating func internAttributes(_ batch: SpanBatch, first: UInt32, count: UInt32) -> Bool {
    lists.reserve(Int(count))
    let (slots, words) = (lists.slots, lists.words)
    let attributes = batch.attributes
    var found = 0
    var isPartial = false
    var index = Int(first)
    let end = index &+ Int(count)
    while index < end {
      let attribute = attributes[index]
      index &+= 1
      // Spans that follow each other mostly have the same keys in the same order.
      let guess = ShapeSlot(rawValue: slots[found]).key
      let key = table.strings.intern(batch.bytes(attribute.key), guess: guess)
      if key == stateKey { continue }
      if key == partialKey, attribute.type == .bool, attribute.value != 0 { isPartial = true }
      slots[found] = ShapeSlot(key: key, type: attribute.type).rawValue
      words[found] = attribute.type.isText ? UInt64(intern(batch, attribute.range)) : attribute.value
      found &+= 1
    }
    lists.count = found
    return isPartial
  }

  private func appendAttributes() -> (shape: UInt32, firstValue: UInt32) {
    let first = table.nextValueIndex
    if lists.count == 0 { return (0, first) }
    table.appendValues(UnsafeBufferPointer(start: lists.words, count: lists.count))
    return (table.shapes.intern(UnsafeRawBufferPointer(start: lists.slots, count: 4 * lists.count)), first)
  }

  private mutating func resourceIndex(_ batch: SpanBatch, _ resource: BatchResource) throws -> UInt32 {
    let raw = rawKey(batch, resource.source, resource.schemaURL, resource.envelopeUnknownFields)
    if let code = raw.withUnsafeBytes({ rawResources.code(of: $0) }) { return resourceIndices[Int(code)] }
    let model = try OTLP.decodeResource(
      batch.bytes(resource.source), schemaURL: String(decoding: batch.bytes(resource.schemaURL), as: UTF8.self),
      envelopeUnknownFields: batch.bytes(resource.envelopeUnknownFields).array)
    let index = OTLP.identity(of: model).withUnsafeBytes { table.resourceIndex(record: $0) { model } }
    let code = rawResources.intern(raw)
    if Int(code) == resourceIndices.count { resourceIndices.append(index) } else { resourceIndices[Int(code)] = index }
    return index
  }

  private mutating func scopeIndex(_ batch: SpanBatch, _ scope: BatchScope) throws -> UInt32 {
    let raw = rawKey(batch, scope.source, scope.schemaURL, scope.envelopeUnknownFields)
    if let code = raw.withUnsafeBytes({ rawScopes.code(of: $0) }) { return scopeIndices[Int(code)] }
    let model = try OTLP.decodeScope(
      batch.bytes(scope.source), schemaURL: String(decoding: batch.bytes(scope.schemaURL), as: UTF8.self),
      envelopeUnknownFields: batch.bytes(scope.envelopeUnknownFields).array)
    let index = OTLP.identity(of: model).withUnsafeBytes { table.scopeIndex(record: $0) { model } }
    let code = rawScopes.intern(raw)
    if Int(code) == scopeIndices.count { scopeIndices.append(index) } else { scopeIndices[Int(code)] = index }
    return index
  }

  /// The parts with their lengths, so that no two triples share a key. Never empty.
  private mutating func rawKey(_ batch: SpanBatch, _ parts: ByteRange...) -> [UInt8] {
    key.removeAll(keepingCapacity: true)
    for part in parts {
      withUnsafeBytes(of: part.count.littleEndian) { key.append(contentsOf: $0) }
      key.append(contentsOf: batch.bytes(part))
    }
    return key
  }
}

/// The attribute list that is being interned: memory that is used again for every one. Until they are written over,
/// slots are those of the list before, or empty.
private final class AttributeLists {
  private(set) var slots: UnsafeMutablePointer<UInt32>
  private(set) var words: UnsafeMutablePointer<UInt64>
  var count = 0
  private var capacity = 64

  init() {
    slots = .allocate(capacity: capacity)
    slots.initialize(repeating: 0, count: capacity)
    words = .allocate(capacity: capacity)
  }

  deinit {
    slots.deallocate()
    words.deallocate()
  }

  /// Room for a list.
  func reserve(_ newCount: Int) {
    count = 0
    guard newCount > capacity else { return }
    slots.deallocate()
    words.deallocate()
    capacity = 2 * newCount
    slots = .allocate(capacity: capacity)
    slots.initialize(repeating: 0, count: capacity)
    words = .allocate(capacity: capacity)
  }
}
