public import TraceBytes
package import TraceModel

/// Spans as interned rows: what a memtable is made of, and what a segment is written from.
///
/// Text is a code in `strings`; an ordered list of (key, type) is a code in `shapes`; attribute values are 64-bit
/// words in `values`, one for each slot of the shape. Rows never move and never change after they were appended,
/// except that the newest row of a trace is found through `traces`. One writer appends; readers hold a `View`.
public final class SpanTable: @unchecked Sendable {
  package let strings: ByteDictionary
  /// Entries are arrays of `ShapeSlot` raw values.
  package let shapes: ByteDictionary
  /// Entries are canonical `ResourceSpans` messages without spans.
  package let resourceRecords: ByteDictionary
  /// Entries are canonical `ScopeSpans` messages without spans.
  package let scopeRecords: ByteDictionary
  @exclusivity(unchecked) package private(set) var rows: SlabVector<SpanRow>
  @exclusivity(unchecked) package private(set) var values: SlabVector<UInt64>
  @exclusivity(unchecked) package private(set) var events: SlabVector<EventRow>
  @exclusivity(unchecked) package private(set) var links: SlabVector<LinkRow>
  @exclusivity(unchecked) package private(set) var traces: TraceIndex
  /// Indexed by the codes of `resourceRecords`.
  package private(set) var resources: [ResourceEntry] = []
  /// Indexed by the codes of `scopeRecords`.
  package private(set) var scopes: [ScopeEntry] = []

  /// Row numbers are 32-bit and one segment is written from one table: more rows only delay the seal.
  package static let maximumRowCount = 1 << 24
  private let maximumStringCount: Int

  /// - Parameters:
  ///   - maximumStringCount: how many strings there is room for; tests lower it.
  ///   - isSmall: for some hundreds of rows: memory is taken in pieces of a sixteenth.
  package init(
    hash: SeededHash = .process, maximumStringCount: Int = ByteDictionary.maximumCount, isSmall: Bool = false
  ) {
    let shift = isSmall ? 4 : 0
    func dictionary(slabShift: Int) -> ByteDictionary {
      ByteDictionary(hash: hash, slabShift: slabShift, arenaByteCount: 1 << (18 - shift))
    }
    self.maximumStringCount = min(maximumStringCount, ByteDictionary.maximumCount)
    strings = dictionary(slabShift: 12 - shift)
    shapes = dictionary(slabShift: 8)
    resourceRecords = dictionary(slabShift: 8)
    scopeRecords = dictionary(slabShift: 8)
    rows = SlabVector(slabShift: 12 - shift, maximumCount: Self.maximumRowCount)
    values = SlabVector(slabShift: 15 - shift, maximumCount: 1 << 31)
    events = SlabVector(slabShift: 10, maximumCount: 1 << 28)
    links = SlabVector(slabShift: 10, maximumCount: 1 << 28)
    traces = TraceIndex(hash: hash)
    resources.append(ResourceEntry(resource: Resource(), service: 0))
    scopes.append(ScopeEntry(scope: InstrumentationScope()))
  }

  package var rowCount: Int { rows.count }

  /// Whether so many rows with so many strings can be appended. What appends more traps.
  package func hasRoom(rowCount: Int, stringCount: Int) -> Bool {
    rows.count + rowCount <= Self.maximumRowCount && strings.count + stringCount <= maximumStringCount
  }

  /// Bytes held, within a few percent.
  package var byteCount: Int {
    rows.byteCount + values.byteCount + events.byteCount + links.byteCount + strings.byteCount + shapes.byteCount
      + resourceRecords.byteCount + scopeRecords.byteCount + traces.byteCount
  }

  // MARK: Appending (the writer only)

  /// The index of a resource, adding it when new. `record` is its canonical encoding; `make` decodes it.
  package func resourceIndex(record: UnsafeRawBufferPointer, make: () throws -> Resource) rethrows -> UInt32 {
    if let code = resourceRecords.code(of: record) { return code }
    let resource = try make()
    let code = resourceRecords.intern(record)
    resources.append(ResourceEntry(resource: resource, service: strings.intern(resource.serviceName)))
    return code
  }

  /// The index of a scope, adding it when new. `record` is its canonical encoding; `make` decodes it.
  package func scopeIndex(record: UnsafeRawBufferPointer, make: () throws -> InstrumentationScope) rethrows -> UInt32 {
    if let code = scopeRecords.code(of: record) { return code }
    let scope = try make()
    let code = scopeRecords.intern(record)
    scopes.append(ScopeEntry(scope: scope))
    return code
  }

  package var nextValueIndex: UInt32 { UInt32(truncatingIfNeeded: values.count) }
  package var nextEventIndex: UInt32 { UInt32(truncatingIfNeeded: events.count) }
  package var nextLinkIndex: UInt32 { UInt32(truncatingIfNeeded: links.count) }

  package func appendValue(_ value: UInt64) { values.append(value) }
  package func appendValues(_ words: UnsafeBufferPointer<UInt64>) { values.append(contentsOf: words) }
  package func appendEvent(_ event: EventRow) { events.append(event) }
  package func appendLink(_ link: LinkRow) { links.append(link) }

  /// Appends a row and threads it into its trace. `row.trace` and `row.previousInTrace` are set here.
  package func appendRow(_ row: SpanRow) {
    var row = row
    let index = UInt32(rows.count)
    (row.trace, row.previousInTrace) = traces.thread(
      TraceID(high: row.traceHigh, low: row.traceLow), row: index, start: row.start)
    rows.append(row)
  }

  /// Appends a copy of a row. What it refers to is completed in the place that is given back.
  package func appendRow(copying row: UnsafePointer<SpanRow>) -> UnsafeMutablePointer<SpanRow> {
    let (trace, previous) = traces.thread(
      TraceID(high: row.pointee.traceHigh, low: row.pointee.traceLow), row: UInt32(rows.count), start: row.pointee.start
    )
    let target = rows.append(from: row)
    target.pointee.trace = trace
    target.pointee.previousInTrace = previous
    return target
  }

  /// Marks rows that nobody has seen yet as dead.
  package func kill(rows range: Range<Int>) {
    for index in range { rows.pointer(at: index).pointee.marks.insert(.isDead) }
  }

  // MARK: Reading

  /// What stands in the table now. Take it under the writer's lock; use it anywhere.
  package func view(rowCount: Int) -> View {
    var visible = rows
    visible.count = min(rowCount, rows.count)
    return View(
      table: self, rows: visible, values: values, events: events, links: links, strings: strings.entries,
      shapes: shapes.entries, resources: resources, scopes: scopes)
  }

  /// An immutable prefix of a table.
  public struct View: @unchecked Sendable {
    package let table: SpanTable
    package let rows: SlabVector<SpanRow>
    package let values: SlabVector<UInt64>
    package let events: SlabVector<EventRow>
    package let links: SlabVector<LinkRow>
    @usableFromInline package let strings: SlabVector<ByteDictionary.Entry>
    @usableFromInline package let shapes: SlabVector<ByteDictionary.Entry>
    package let resources: [ResourceEntry]
    package let scopes: [ScopeEntry]

    @inlinable
    public func bytes(_ code: UInt32) -> UnsafeRawBufferPointer { ByteDictionary.bytes(strings[Int(code)]) }

    /// The slots of a shape: one `ShapeSlot` raw value for each attribute, in order.
    @inlinable
    public func slots(_ shape: UInt32) -> UnsafeBufferPointer<UInt32> {
      let bytes = ByteDictionary.bytes(shapes[Int(shape)])
      return UnsafeBufferPointer(
        start: bytes.baseAddress?.assumingMemoryBound(to: UInt32.self), count: bytes.count &>> 2)
    }
  }
}

/// One slot of a shape: the code of the key in `strings`, and the type of the value.
@frozen
public struct ShapeSlot: Hashable, Sendable {
  public let rawValue: UInt32

  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable public init(key: UInt32, type: AttributeType) { rawValue = key << 4 | UInt32(type.rawValue) }
  @inlinable public var key: UInt32 { rawValue >> 4 }
  /// Shapes are built from valid types only.
  @inlinable public var type: AttributeType { AttributeType(rawValue: UInt8(rawValue & 15)).unsafelyUnwrapped }
}

/// A span's fixed part.
@frozen
package struct SpanRow: BitwiseCopyable, Sendable {
  package var traceHigh: UInt64 = 0
  package var traceLow: UInt64 = 0
  package var spanID: UInt64 = 0
  package var parentSpanID: UInt64 = 0
  package var start: UInt64 = 0
  package var end: UInt64 = 0
  /// Code in `strings`.
  package var name: UInt32 = 0
  /// Index in `resources`.
  package var resource: UInt32 = 0
  /// Index in `scopes`.
  package var scope: UInt32 = 0
  /// Code in `shapes`.
  package var shape: UInt32 = 0
  /// Index in `values` of the first attribute's value.
  package var firstValue: UInt32 = 0
  package var firstEvent: UInt32 = 0
  package var eventCount: UInt32 = 0
  package var firstLink: UInt32 = 0
  package var linkCount: UInt32 = 0
  /// Codes in `strings`.
  package var traceState: UInt32 = 0
  package var statusMessage: UInt32 = 0
  package var unknownFields: UInt32 = 0
  package var statusUnknownFields: UInt32 = 0
  package var kind: Int32 = 0
  package var statusCode: Int32 = 0
  package var flags: UInt32 = 0
  package var droppedAttributeCount: UInt32 = 0
  package var droppedEventCount: UInt32 = 0
  package var droppedLinkCount: UInt32 = 0
  /// Index in the table's `traces`.
  package var trace: UInt32 = 0
  /// The row before this one in the same trace, or `noRow`.
  package var previousInTrace: UInt32 = SpanRow.noRow
  package var marks: SpanMarks = []
  /// A row fills its stride: it is copied as the memory that it is, and what follows a lone one is not its own.
  private var filling: (UInt8, UInt8, UInt8) = (0, 0, 0)

  package init() {}

  package static let noRow = UInt32.max

  package var durationNanoseconds: UInt64 { end > start ? end &- start : 0 }
}

/// Presence bits of a row.
@frozen
public struct SpanMarks: OptionSet, BitwiseCopyable, Sendable {
  public let rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
  @inlinable public static var hasParent: SpanMarks { SpanMarks(rawValue: 1) }
  @inlinable public static var hasStatus: SpanMarks { SpanMarks(rawValue: 2) }
  /// The record is partial: a snapshot of an open span, or an enrichment.
  @inlinable public static var isPartial: SpanMarks { SpanMarks(rawValue: 4) }
  /// The row's frame never became durable: it was never visible and never will be.
  @inlinable public static var isDead: SpanMarks { SpanMarks(rawValue: 8) }
  /// The row is no record but the view of several, and an enrichment is among them. Never in a file.
  @inlinable public static var isEnriched: SpanMarks { SpanMarks(rawValue: 16) }

  /// Whether the row is there and its record is final.
  @inlinable public var isFinal: Bool { rawValue & 12 == 0 }

  // What the protocol offers is called through its witness table, once for every row.
  @inlinable @inline(__always)
  public func contains(_ other: SpanMarks) -> Bool { rawValue & other.rawValue == other.rawValue }
  @inlinable @inline(__always) @discardableResult
  public mutating func insert(_ other: SpanMarks) -> (inserted: Bool, memberAfterInsert: SpanMarks) {
    defer { self = SpanMarks(rawValue: rawValue | other.rawValue) }
    return (!contains(other), other)
  }
}

/// An event's fixed part.
@frozen
package struct EventRow: BitwiseCopyable, Sendable {
  package var time: UInt64 = 0
  package var name: UInt32 = 0
  package var shape: UInt32 = 0
  package var firstValue: UInt32 = 0
  package var droppedAttributeCount: UInt32 = 0
  package var unknownFields: UInt32 = 0
  package init() {}
}

/// A link's fixed part.
@frozen
package struct LinkRow: BitwiseCopyable, Sendable {
  package var traceHigh: UInt64 = 0
  package var traceLow: UInt64 = 0
  package var spanID: UInt64 = 0
  package var traceState: UInt32 = 0
  package var shape: UInt32 = 0
  package var firstValue: UInt32 = 0
  package var flags: UInt32 = 0
  package var droppedAttributeCount: UInt32 = 0
  package var unknownFields: UInt32 = 0
  package var hasTraceID = false
  package var hasSpanID = false
  package init() {}
}

/// A resource that rows refer to, with the code of its service name.
package struct ResourceEntry: Sendable {
  package let resource: Resource
  package let service: UInt32
}

/// A scope that rows refer to.
package struct ScopeEntry: Sendable {
  package let scope: InstrumentationScope
}
