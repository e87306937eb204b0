import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

/// Writes what stands behind the stripes.
struct SegmentSections {
  let context: StripeContext
  private let scratch: ColumnScratch

  init(context: StripeContext, options: SegmentOptions) {
    self.context = context
    scratch = ColumnScratch(level: options.compressionLevel)
  }

  mutating func write(
    stripes: [StripeSummary], filters: [UInt8], textHashes: [UInt64], services: [UInt32], partials: PartialRecords,
    to output: inout SegmentOutput
  ) throws {
    let strings = context.strings
    var writer = ByteWriter()
    SortedTextList.encode(
      count: strings.ids.count, text: { strings.bytes(strings.ids[$0]) }, into: &writer, scratch: scratch)
    try output.append(.strings, writer)
    try output.append(.keys, keyCatalogue())
    try output.append(
      .resources, envelopes(context.resources, [services.map { UInt64(strings.code($0)) }]))
    try output.append(.scopes, envelopes(context.scopes, []))
    let (head, blocks) = traceIndex()
    try output.append(.traceIndex, head)
    if let filter = traceFilter(partials) { try output.append(.traceFilter, filter) }
    writer = ByteWriter()
    var index = StripeIndex()
    index.stripes = stripes
    index.encode(into: &writer)
    try output.append(.stripeIndex, writer)
    if !filters.isEmpty {
      writer = ByteWriter()
      writer.bytes = filters
      try output.append(.valueFilters, writer)
    }
    try output.append(.operations, operations())
    if partials.count > 0 { try output.append(.partialSpans, partialSpans(partials)) }
    try output.append(.traceIndexBlocks, blocks)
    if let filter = textFilter(textHashes) { try output.append(.textFilter, filter) }
  }

  /// Texts that a filter is made of: it takes some hundred bytes each while it is made, and more of them in a segment are
  /// ids, whose stripes say quickly enough that they have not.
  private static let maximumFilteredTextCount = 1 << 19

  /// - Parameter hashes: of the texts that only one stripe's dictionary or column has.
  private func textFilter(_ hashes: [UInt64]) -> ByteWriter? {
    if context.keys.entries.contains(where: { $0.type == .opaqueAttribute }) { return nil }
    var hashes = hashes + [FilterHash.hash([])]
    let strings = context.strings
    for id in strings.ids { hashes.append(FilterHash.hash(strings.bytes(id))) }
    func add(_ attributes: [Attribute]) {
      for attribute in attributes {
        switch attribute.value {
        case .string(let text): hashes.append(FilterHash.hash(Array(text.utf8)))
        case .bytes(let bytes): hashes.append(FilterHash.hash(bytes))
        default: break
        }
      }
    }
    for source in context.resources.sources { add(context.view.resources[source].resource.attributes) }
    for source in context.scopes.sources { add(context.view.scopes[source].scope.attributes) }
    // A text of several stripes or columns comes several times.
    hashes.sort()
    var distinct: [UInt64] = []
    distinct.reserveCapacity(hashes.count)
    for hash in hashes where hash != distinct.last { distinct.append(hash) }
    // It stands before the filters of stripes, which are asked about what it lets through by mistake.
    guard distinct.count <= Self.maximumFilteredTextCount, let filter = FuseFilter(distinct, width: .four) else {
      return nil
    }
    var writer = ByteWriter()
    filter.encode(into: &writer)
    return writer
  }

  private func integers(_ values: [UInt64], into writer: inout ByteWriter) {
    var part = ByteWriter()
    IntegerColumn.encode(values, into: &part, scratch: scratch)
    PartList.append(part.bytes, to: &writer)
  }

  private func texts(_ values: [[UInt8]], into writer: inout ByteWriter) {
    var part = ByteWriter()
    TextColumn.encode(values, into: &part, scratch: scratch)
    PartList.append(part.bytes, to: &writer)
  }

  private func keyCatalogue() -> ByteWriter {
    var catalogue = KeyCatalogue()
    catalogue.entries = context.keys.entries.map { entry in
      KeyCatalogue.Entry(
        level: entry.level, key: context.strings.code(ofKey: entry.key), type: entry.type,
        valueCount: entry.valueCount)
    }
    var writer = ByteWriter()
    catalogue.encode(into: &writer)
    return writer
  }

  private func envelopes(_ envelopes: SegmentEnvelopes, _ columns: [[UInt64]]) -> ByteWriter {
    var writer = ByteWriter()
    texts(envelopes.records, into: &writer)
    integers(envelopes.spanCounts, into: &writer)
    for column in columns { integers(column, into: &writer) }
    return writer
  }

  private func operations() -> ByteWriter {
    struct Entry {
      var key: (UInt32, UInt32, UInt64)
      var operation: SegmentPlan.Operation
    }
    var entries = context.plan.operations.map { operation in
      Entry(
        key: (
          context.strings.code(operation.service), context.strings.code(operation.name), zigzag(Int64(operation.kind))
        ), operation: operation)
    }
    entries.sort { $0.key < $1.key }
    var writer = ByteWriter()
    integers(entries.map { UInt64($0.key.0) }, into: &writer)
    integers(entries.map { UInt64($0.key.1) }, into: &writer)
    integers(entries.map(\.key.2), into: &writer)
    integers(entries.map(\.operation.spanCount), into: &writer)
    integers(entries.map(\.operation.errorCount), into: &writer)
    return writer
  }

  private func traceIndex() -> (head: ByteWriter, blocks: ByteWriter) {
    struct Entry {
      var key: UInt64
      var stripe: UInt32
      var ordinal: UInt32
    }
    var entries: [Entry] = []
    entries.reserveCapacity(context.plan.traces.count)
    for (stripe, fragments) in context.plan.stripes.enumerated() {
      for (ordinal, fragment) in fragments.enumerated() {
        let hash = TraceKey.hash(context.plan.traces[fragment.trace].id)
        entries.append(Entry(key: TraceKey.indexKey(hash), stripe: UInt32(stripe), ordinal: UInt32(ordinal)))
      }
    }
    entries.sort { ($0.key, $0.stripe, $0.ordinal) < ($1.key, $1.stripe, $1.ordinal) }
    var head = TraceIndexHead()
    var blocks = ByteWriter()
    var first = 0
    while first < entries.count {
      let block = entries[first..<min(first + SegmentFormat.traceIndexBlockCount, entries.count)]
      let offset = blocks.count
      for values in [block.map(\.key), block.map { UInt64($0.stripe) }, block.map { UInt64($0.ordinal) }] {
        values.withUnsafeBufferPointer { IntegerCodec.encode($0, into: &blocks, scratch: scratch) }
      }
      head.blocks.append(
        TraceIndexHead.Block(
          firstKey: entries[first].key, offset: UInt32(offset), byteCount: UInt32(blocks.count - offset)))
      first = block.endIndex
    }
    var writer = ByteWriter()
    head.encode(into: &writer)
    return (writer, blocks)
  }

  private func traceFilter(_ partials: PartialRecords) -> ByteWriter? {
    var hashes = context.plan.traces.map { TraceKey.hash($0.id) }
    partials.forEachTrace { hashes.append(TraceKey.hash($0)) }
    guard let filter = FuseFilter(hashes, width: .eight) else { return nil }
    var writer = ByteWriter()
    filter.encode(into: &writer)
    return writer
  }

  private func partialSpans(_ partials: PartialRecords) -> ByteWriter {
    var writer = ByteWriter()
    integers(partials.words(\.traceHigh), into: &writer)
    integers(partials.words(\.traceLow), into: &writer)
    integers(partials.words(\.spanID), into: &writer)
    integers(partials.words { UInt64(context.resources.indices[Int($0.resource)]) }, into: &writer)
    integers(partials.words { UInt64(context.scopes.indices[Int($0.scope)]) }, into: &writer)
    integers(partials.words(\.start), into: &writer)
    integers(partials.words(\.end), into: &writer)
    var records = ByteWriter()
    TextColumn.encode(count: partials.count, value: partials.text, into: &records, scratch: scratch)
    PartList.append(records.bytes, to: &writer)
    return writer
  }
}
