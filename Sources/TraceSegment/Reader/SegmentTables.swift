import Synchronization
import TraceBytes
import TraceColumns
import TraceModel
import TraceOTLP
import TraceSource

/// What was asked of every value of a table: equal questions, equal answers.
struct TableQuestion: Hashable {
  /// A text of the value, or else an attribute with this key.
  private let text: SpanText?
  private let key: [UInt8]
  /// The name of the test.
  private let test: String

  init(_ text: SpanText, _ test: TextTest) { (self.text, key, self.test) = (text, [], test.name) }

  init(_ key: [UInt8], _ test: ValueTest) { (text, self.key, self.test) = (nil, key, test.name) }
}

/// Values that rows refer to by index, decoded with their neighbours when they are first asked for, with the answers to
/// leaves about them.
final class RecordTable<Value: Sendable>: @unchecked Sendable {
  private struct State: Sendable {
    var values: [Int: Value] = [:]
    var envelopes: [Int: SpanEnvelope] = [:]
    /// Of values and envelopes.
    var valueByteCount = 0
    var answers: [TableQuestion: [Bool]] = [:]
    /// The keys of all values.
    var keys: Set<[UInt8]>?
  }

  /// Answers that are remembered; each is a byte a value.
  private static var maximumAnswerCount: Int { 64 }

  private let records: TextColumn
  private let buffer: SegmentBuffer
  private let cache: BlockCache
  private let place: ChunkPlace
  private let decode: @Sendable (UnsafeRawBufferPointer) throws -> Value
  /// How many rows have each value.
  let spanCounts: [UInt64]
  private let state = Mutex(State())

  var count: Int { spanCounts.count }

  var residentByteCount: Int {
    state.withLock { buffer.byteCount + $0.valueByteCount + $0.answers.count * count + count * 8 }
  }

  init(
    _ buffer: SegmentBuffer, records: UnsafeRawBufferPointer, spanCounts: UnsafeRawBufferPointer, cache: BlockCache,
    place: ChunkPlace, decode: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Value
  ) throws {
    self.records = try cache.withScratch { try TextColumn(records, verifying: false, scratch: $0.columns) }
    self.spanCounts = try IntegerColumn(spanCounts, verifying: false).decodeAll()
    guard self.records.count == self.spanCounts.count else {
      throw place.damage("it has \(self.records.count) records and \(self.spanCounts.count) counts")
    }
    self.buffer = buffer
    self.cache = cache
    self.place = place
    self.decode = decode
  }

  func value(at index: Int) throws -> Value {
    guard index < count else { throw place.damage("record \(index) of \(count) is asked for") }
    if let known = state.withLock({ $0.values[index] }) { return known }
    // What stands beside it is mostly asked for before long, and is inflated with it.
    let neighbours = records.rowsInflated(with: index)
    var made: [(index: Int, value: Value, byteCount: Int)] = []
    try cache.withScratch { scratch in
      try place.naming {
        try records.reading(Array(neighbours), scratch) { place, bytes in
          let neighbour = neighbours.lowerBound + place
          // What is wrong with a neighbour is said when it is asked for.
          guard let value = neighbour == index ? try decode(bytes) : try? decode(bytes) else { return }
          made.append((neighbour, value, bytes.count))
        }
      }
    }
    return try state.withLock { state in
      for (neighbour, value, byteCount) in made where state.values[neighbour] == nil {
        state.values[neighbour] = value
        state.valueByteCount += byteCount * 4 + 256
      }
      guard let value = state.values[index] else { throw place.damage("record \(index) was not read") }
      return value
    }
  }

  /// A value as lists of names compare it.
  func envelope(at index: Int, _ make: (Value) -> SpanEnvelope) throws -> SpanEnvelope {
    if let known = state.withLock({ $0.envelopes[index] }) { return known }
    let envelope = make(try value(at: index))
    state.withLock {
      if $0.envelopes.updateValue(envelope, forKey: index) == nil { $0.valueByteCount += envelope.byteCount }
    }
    return envelope
  }

  /// Whether any value has an attribute with this key.
  func hasKey(_ key: [UInt8], attributes: (Value) -> [Attribute]) throws -> Bool {
    if let known = state.withLock({ $0.keys?.contains(key) }) { return known }
    var keys: Set<[UInt8]> = []
    for index in 0..<count {
      for attribute in attributes(try value(at: index)) { keys.insert(Array(attribute.key.utf8)) }
    }
    state.withLock { $0.keys = keys }
    return keys.contains(key)
  }

  /// For each value, whether `passes` holds; remembered as the answer to `question`. Empty when none passes.
  func passing(_ question: TableQuestion, _ passes: (Value) -> Bool) throws -> [Bool] {
    if let known = state.withLock({ $0.answers[question] }) { return known }
    var answer: [Bool] = []
    answer.reserveCapacity(count)
    for index in 0..<count { answer.append(passes(try value(at: index))) }
    if !answer.contains(true) { answer = [] }
    state.withLock {
      if $0.answers.count >= Self.maximumAnswerCount { $0.answers.removeAll() }
      $0.answers[question] = answer
    }
    return answer
  }
}

/// The resources of a segment.
final class ResourceTable: Sendable {
  private let table: RecordTable<Resource>
  /// Codes in the segment's strings.
  let services: [UInt64]

  init(_ buffer: SegmentBuffer, _ parts: [UnsafeRawBufferPointer], cache: BlockCache, place: ChunkPlace) throws {
    table = try RecordTable(
      buffer, records: parts[0], spanCounts: parts[1], cache: cache, place: place, decode: EnvelopeDecoding.resource)
    services = try IntegerColumn(parts[2], verifying: false).decodeAll()
    guard services.count == table.count else { throw place.damage("it has \(services.count) services") }
  }

  var count: Int { table.count }
  var spanCounts: [UInt64] { table.spanCounts }
  var residentByteCount: Int { table.residentByteCount + services.count * 8 }

  func value(at index: Int) throws -> Resource { try table.value(at: index) }

  func envelope(at index: Int) throws -> SpanEnvelope { try table.envelope(at: index, SpanEnvelope.resource) }

  /// For each resource, whether an attribute passes; empty when none does anywhere.
  func passing(_ key: [UInt8], _ test: ValueTest) throws -> [Bool] {
    guard try table.hasKey(key, attributes: { $0.attributes }) else { return [] }
    return try table.passing(TableQuestion(key, test)) { SpanLeaf.contains($0.attributes, key, test) }
  }

  /// For each resource, whether a text of it passes; empty when it passes nowhere.
  func passing(_ text: SpanText, _ test: TextTest) throws -> [Bool] {
    try table.passing(TableQuestion(text, test)) { test.matches(text.value(resource: $0)) }
  }
}

/// The scopes of a segment.
final class ScopeTable: Sendable {
  private let table: RecordTable<InstrumentationScope>

  init(_ buffer: SegmentBuffer, _ parts: [UnsafeRawBufferPointer], cache: BlockCache, place: ChunkPlace) throws {
    table = try RecordTable(
      buffer, records: parts[0], spanCounts: parts[1], cache: cache, place: place, decode: EnvelopeDecoding.scope)
  }

  var count: Int { table.count }
  var spanCounts: [UInt64] { table.spanCounts }
  var residentByteCount: Int { table.residentByteCount }

  func value(at index: Int) throws -> InstrumentationScope { try table.value(at: index) }

  func envelope(at index: Int) throws -> SpanEnvelope { try table.envelope(at: index, SpanEnvelope.scope) }

  /// For each scope, whether an attribute passes; empty when none does anywhere.
  func passing(_ key: [UInt8], _ test: ValueTest) throws -> [Bool] {
    guard try table.hasKey(key, attributes: { $0.attributes }) else { return [] }
    return try table.passing(TableQuestion(key, test)) { SpanLeaf.contains($0.attributes, key, test) }
  }

  /// For each scope, whether a text of it passes; empty when it passes nowhere.
  func passing(_ text: SpanText, _ test: TextTest) throws -> [Bool] {
    try table.passing(TableQuestion(text, test)) { test.matches(text.value(scope: $0)) }
  }
}

/// Canonical `ResourceSpans` and `ScopeSpans` messages without spans, back into the model.
enum EnvelopeDecoding {
  /// A field with a length.
  private static func wrapped(field: UInt8, _ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var writer = ByteWriter(reserving: bytes.count + 8)
    writer.append(field << 3 | 2)
    writer.appendLengthPrefixed(bytes)
    return writer.bytes
  }

  static func resource(_ bytes: UnsafeRawBufferPointer) throws -> Resource {
    let data = try OTLP.decode(wrapped(field: 1, bytes))
    return data.resourceSpans.first?.resource ?? Resource()
  }

  static func scope(_ bytes: UnsafeRawBufferPointer) throws -> InstrumentationScope {
    let resourceSpans = wrapped(field: 2, bytes)
    let data = try OTLP.decode(resourceSpans.withUnsafeBytes { wrapped(field: 1, $0) })
    return data.resourceSpans.first?.scopeSpans.first?.scope ?? InstrumentationScope()
  }
}

/// The distinct (service, name, kind) of a segment with their counts.
final class OperationCounts: CachedBlock {
  /// Codes in the segment's strings.
  let services: [UInt32]
  let names: [UInt32]
  let kinds: [Int32]
  let spanCounts: [UInt64]
  let errorCounts: [UInt64]

  var count: Int { services.count }
  var residentByteCount: Int { count * 28 + 64 }

  init(_ parts: [UnsafeRawBufferPointer], stringCount: Int, place: ChunkPlace) throws {
    let columns = try parts.map { try IntegerColumn($0, verifying: false).decodeAll() }
    let count = columns[0].count
    guard columns.allSatisfy({ $0.count == count }) else { throw place.damage("its columns differ in count") }
    func codes(_ values: [UInt64]) throws -> [UInt32] {
      try values.map { value in
        guard value < UInt64(stringCount) else { throw place.damage("string \(value) of \(stringCount) is named") }
        return UInt32(value)
      }
    }
    services = try codes(columns[0])
    names = try codes(columns[1])
    kinds = columns[2].map { Int32(truncatingIfNeeded: unzigzag($0)) }
    spanCounts = columns[3]
    errorCounts = columns[4]
    var sum: UInt64 = 0
    for count in spanCounts {
      guard count <= SegmentFormat.maximumTotalCount - sum else { throw place.damage("its counts add up to too much") }
      sum += count
    }
  }
}
