/// The numbers that a segment file is built from.
///
/// ```
/// header (64) | stripes, each at a multiple of 64 | sections | footer | trailer (40)
/// ```
/// Integers are little-endian, bytes between the parts are zero, and every byte stands under a CRC-32C or a Hash128.
package enum SegmentFormat {
  /// A newer number is refused as `unsupportedFormat`.
  package static let version: UInt16 = 1
  package static let headerMagic: [UInt8] = Array("TSSEGMT1".utf8)
  package static let trailerMagic: [UInt8] = Array("TSSEGEND".utf8)
  package static let stripeMagicBytes: [UInt8] = Array("TSST".utf8)
  package static let headerByteCount = 64
  package static let trailerByteCount = 40
  /// Feature bits that this version understands; any other must-understand bit refuses the file.
  package static let knownFeatures = mixedChecksumsFeature
  /// Feature bit that must be understood: checksums of chunks are mixed. Without it they are plain.
  package static let mixedChecksumsFeature: UInt64 = 1
  /// Feature bit that may be ignored: stripes say when their traces start (`ChunkID.traceStart`).
  package static let traceStartsFeature: UInt64 = 1
  /// Stripes begin at multiples of this.
  package static let stripeAlignment = 64
  /// Entries of one block of the trace index: one block is read to find a trace.
  package static let traceIndexBlockCount = 512
  /// The first chunk id of attribute columns: the id is this plus the index in the key catalogue.
  package static let firstAttributeChunk: UInt32 = 0x10000
  /// The base of a trace is its first start rounded down to a multiple of this: starts on a microsecond or
  /// millisecond clock keep their trailing zeros.
  package static let baseGranuleNanoseconds: UInt64 = 1_000_000

  // Limits of what a reader accepts. Each line says what breaks if it grows.

  /// Rows of one stripe: a stripe is decoded with 32-bit row numbers and held whole.
  package static let maximumStripeRowCount = 1 << 24
  /// Events or links of one stripe: as rows.
  package static let maximumChildCount = 1 << 28
  /// Chunks of one stripe: the head is read whole.
  package static let maximumChunkCount = 1 << 20
  /// Bytes of one stripe: chunk offsets are 32-bit.
  package static let maximumStripeByteCount = 1 << 32 - 1
  /// Bytes of the footer: it is read whole at open.
  package static let maximumFooterByteCount = 1 << 20
  /// The most of anything that a footer counts, so that sums over segments stay inside 63 bits.
  package static let maximumTotalCount: UInt64 = 1 << 48
  /// Stripes of one segment: the stripe index is resident.
  package static let maximumStripeCount = 1 << 20
  /// Entries of the key catalogue: it is resident.
  package static let maximumKeyCount = 1 << 24
}

/// What a section holds. Sections stand in the order of their kinds.
package enum SectionKind: UInt16, CaseIterable, Sendable {
  /// `SortedTextList` of the strings that several stripes share; a string's code is its rank.
  case strings = 1
  /// `KeyCatalogue`.
  case keys = 2
  /// `PartList`: `TextColumn` of canonical `ResourceSpans` messages without spans in ascending byte order;
  /// `IntegerColumn` of span counts; `IntegerColumn` of the service names' string codes.
  case resources = 3
  /// `PartList`: `TextColumn` of canonical `ScopeSpans` messages without spans in ascending byte order;
  /// `IntegerColumn` of span counts.
  case scopes = 4
  /// `TraceIndexHead`: where the blocks of `traceIndexBlocks` stand.
  case traceIndex = 5
  /// `FuseFilter` over `TraceKey.hash` of every trace with rows or partial records. A segment without it has
  /// to be asked.
  case traceFilter = 6
  /// `StripeIndex`: one `StripeSummary` for each stripe.
  case stripeIndex = 7
  /// Fuse filters one after another, each found through `TextSummary`; left out when there are none.
  case valueFilters = 8
  /// `PartList` of five `IntegerColumn`s, ascending by the first three: service code, name code, kind (zigzag),
  /// span count, error count.
  case operations = 9
  /// `PartList`: `IntegerColumn`s of trace id high, trace id low, span id, resource index, scope index, start, end;
  /// `TextColumn` of canonical `Span` messages. Ascending by (trace id, span id, Hash128 of the message, resource
  /// index, scope index). Left out when there are none.
  case partialSpans = 10
  // 11 aggregate cells, 12 correction marks, 13 metrics: reserved.
  /// Blocks of up to 512 entries, one for each (trace, stripe), ascending by (key, stripe, ordinal): three
  /// `IntegerPage`s one after another: `TraceKey.indexKey`, stripe number, trace ordinal in the stripe. Traces with
  /// equal keys stand side by side, even across a block boundary; the id in the stripe decides.
  case traceIndexBlocks = 14
  /// `FuseFilter` over the `FilterHash` of every string and every bytes value that an attribute of a row, its events,
  /// links, resource or scope has, of the empty text, and maybe of others. Left out where an attribute stands in a form of
  /// its own (`opaqueAttribute`), whose value may be anything; a segment without it has to be asked.
  case textFilter = 15

  /// Sections of later versions with this bit in their flags refuse the file when they are not understood.
  package static let mustUnderstandFlag: UInt16 = 1
}

/// What a chunk of a stripe holds. Chunks are `IntegerColumn`s unless their line says otherwise.
///
/// A chunk whose values are all zero or empty is left out; readers yield zeros or empty strings for it.
/// Traces, rows, events and links have their order from the writer: see `StripeHead`.
package enum ChunkID {
  // One value for each trace, in ordinal order.
  package static let traceHigh: UInt32 = 1
  package static let traceLow: UInt32 = 2
  /// The least start of the trace in this stripe, rounded down to a multiple of `baseGranuleNanoseconds`.
  package static let traceBase: UInt32 = 3
  package static let traceSpanCount: UInt32 = 4
  /// The greatest end − base, modulo 2^64.
  package static let traceEnd: UInt32 = 5
  /// Bit 0: the trace has rows in another stripe of this segment.
  package static let traceFlags: UInt32 = 6
  /// The least start in this stripe − base; in segments with `traceStartsFeature`, otherwise nothing is known.
  package static let traceStart: UInt32 = 7

  // One value for each run: a maximal range of rows with the same service, name and kind.
  package static let runFirstRow: UInt32 = 10
  /// String code.
  package static let runService: UInt32 = 11
  /// String code.
  package static let runName: UInt32 = 12
  /// Zigzag.
  package static let runKind: UInt32 = 13
  /// Rows whose status code is 2.
  package static let runErrorCount: UInt32 = 14
  /// Less the stripe's minimum start.
  package static let runMinimumStart: UInt32 = 15
  /// Less the stripe's minimum start.
  package static let runMaximumStart: UInt32 = 16
  /// The greatest max(0, end − start).
  package static let runMaximumDuration: UInt32 = 17

  // One value for each row.
  package static let traceOrdinal: UInt32 = 20
  /// start − base of the row's trace.
  package static let start: UInt32 = 21
  /// end − start modulo 2^64: a span is inverted exactly when start + duration overflows.
  package static let duration: UInt32 = 22
  package static let spanID: UInt32 = 23
  /// 0: none. 1: the next value of `escapedParent`. k + 2: the span id of the k-th row of the same trace in this
  /// stripe, in row order.
  package static let parent: UInt32 = 24
  /// One value for each row with parent 1, in row order.
  package static let escapedParent: UInt32 = 25
  /// Index in the stripe's `resources`.
  package static let resource: UInt32 = 26
  /// Index in the stripe's `scopes`.
  package static let scope: UInt32 = 27
  /// Zigzag.
  package static let statusCode: UInt32 = 28
  /// 1 where the span carries no status message.
  package static let statusAbsence: UInt32 = 29
  /// Text chunk.
  package static let statusMessage: UInt32 = 30
  /// Text chunk.
  package static let traceState: UInt32 = 31
  package static let flags: UInt32 = 32
  package static let droppedAttributeCount: UInt32 = 33
  package static let droppedEventCount: UInt32 = 34
  package static let droppedLinkCount: UInt32 = 35
  /// Text chunk.
  package static let unknownFields: UInt32 = 36
  /// Text chunk.
  package static let statusUnknownFields: UInt32 = 37
  /// Index in the stripe's `shapes`.
  package static let shape: UInt32 = 38
  package static let eventCount: UInt32 = 39
  package static let linkCount: UInt32 = 40

  // One value for each event: rows in order, events of a row in order.
  /// Zigzag of (time − start of the span, modulo 2^64).
  package static let eventTime: UInt32 = 50
  /// Text chunk.
  package static let eventName: UInt32 = 51
  package static let eventDroppedAttributeCount: UInt32 = 52
  /// Text chunk.
  package static let eventUnknownFields: UInt32 = 53
  package static let eventShape: UInt32 = 54

  // One value for each link: rows in order, links of a row in order.
  package static let linkTraceHigh: UInt32 = 60
  package static let linkTraceLow: UInt32 = 61
  package static let linkSpanID: UInt32 = 62
  /// Bit 0: the link names no trace. Bit 1: it names no span.
  package static let linkAbsence: UInt32 = 63
  /// Text chunk.
  package static let linkTraceState: UInt32 = 64
  package static let linkFlags: UInt32 = 65
  package static let linkDroppedAttributeCount: UInt32 = 66
  /// Text chunk.
  package static let linkUnknownFields: UInt32 = 67
  package static let linkShape: UInt32 = 68

  /// `ShapeList` of spans, events and links.
  package static let shapes: UInt32 = 70
  /// Indices in the segment's resources, ascending.
  package static let resources: UInt32 = 71
  /// Indices in the segment's scopes, ascending.
  package static let scopes: UInt32 = 72

  /// Above every id so far but those of attributes.
  package static let fixedEnd: UInt32 = 73

  /// The chunks whose values are strings, apart from attribute columns.
  package static let fixedTexts: [UInt32] = [
    statusMessage, traceState, unknownFields, statusUnknownFields, eventName, eventUnknownFields, linkTraceState,
    linkUnknownFields,
  ]

  /// The fixed text chunks that a query can look into: the others have no value filter.
  package static let searchableFixedTexts: [UInt32] = [statusMessage, traceState, eventName]

  /// The name that people see, without the key of an attribute column.
  package static func name(_ id: UInt32) -> String {
    id >= SegmentFormat.firstAttributeChunk ? "attribute" : names[id] ?? "chunk \(id)"
  }

  private static let names: [UInt32: String] = [
    traceHigh: "trace.id.high", traceLow: "trace.id.low", traceBase: "trace.base", traceSpanCount: "trace.spanCount",
    traceEnd: "trace.end", traceFlags: "trace.flags", traceStart: "trace.start", runFirstRow: "run.firstRow",
    runService: "run.service",
    runName: "run.name", runKind: "run.kind", runErrorCount: "run.errorCount", runMinimumStart: "run.minimumStart",
    runMaximumStart: "run.maximumStart", runMaximumDuration: "run.maximumDuration", traceOrdinal: "span.traceOrdinal",
    start: "span.start", duration: "span.duration", spanID: "span.id", parent: "span.parent",
    escapedParent: "span.escapedParent", resource: "span.resource", scope: "span.scope",
    statusCode: "span.statusCode", statusAbsence: "span.statusAbsence", statusMessage: "span.statusMessage",
    traceState: "span.traceState", flags: "span.flags", droppedAttributeCount: "span.droppedAttributeCount",
    droppedEventCount: "span.droppedEventCount", droppedLinkCount: "span.droppedLinkCount",
    unknownFields: "span.unknownFields", statusUnknownFields: "span.statusUnknownFields", shape: "span.shape",
    eventCount: "span.eventCount", linkCount: "span.linkCount", eventTime: "event.time", eventName: "event.name",
    eventDroppedAttributeCount: "event.droppedAttributeCount", eventUnknownFields: "event.unknownFields",
    eventShape: "event.shape", linkTraceHigh: "link.trace.high", linkTraceLow: "link.trace.low",
    linkSpanID: "link.span", linkAbsence: "link.absence", linkTraceState: "link.traceState",
    linkFlags: "link.flags", linkDroppedAttributeCount: "link.droppedAttributeCount",
    linkUnknownFields: "link.unknownFields", linkShape: "link.shape", shapes: "shapes", resources: "resources",
    scopes: "scopes",
  ]
}
