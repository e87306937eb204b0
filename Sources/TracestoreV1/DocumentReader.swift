import TraceModel
import TraceText

/// Reads a foreign JSON document: values in the spellings that producers use, within the limits of `Limits`, and with
/// the place in every error.
struct DocumentReader {
  private(set) var reader: JSONReader
  private let bytes: UnsafeRawBufferPointer
  private var spanCount = 0
  private var elementCount = 0

  /// - Parameter bytes: the document, which must outlive the reader.
  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    reader = JSONReader(bytes)
  }

  /// Reads a document from its first byte to its last.
  static func read<Value>(
    _ bytes: [UInt8], _ document: String, _ body: (inout DocumentReader) throws -> Value
  ) throws(TracestoreError) -> Value {
    guard bytes.count <= Limits.maximumRequestByteCount else {
      throw TracestoreError(
        .limitExceeded, "The \(document) has more than \(Limits.maximumRequestByteCount) bytes; split it", offset: 0)
    }
    do {
      return try bytes.withUnsafeBytes { buffer in
        var reader = DocumentReader(buffer)
        let value = try body(&reader)
        try reader.reader.finish()
        return value
      }
    } catch {
      throw DocumentFault.error(error, reading: document)
    }
  }

  // Containers.

  /// The kind of the next value, and where it begins.
  mutating func peek() throws -> (kind: JSONReader.Kind, offset: Int) { (try reader.peek(), reader.offset) }

  /// Visits the members of an object. One that is null is not set; one that `member` does not take is ignored.
  mutating func object(_ member: (inout DocumentReader, String) throws -> Bool) throws {
    try reader.beginObject()
    while let name = try reader.nextKey() {
      do {
        if try reader.peek() == .null {
          try reader.null()
        } else if try !member(&self, name) {
          try reader.skip()
        }
      } catch {
        throw DocumentFault.inside(Self.shortened(name), error)
      }
    }
  }

  /// Visits the elements of an array.
  mutating func list(_ element: (inout DocumentReader) throws -> Void) throws {
    try reader.beginArray()
    var index = 0
    while try reader.nextElement() {
      do {
        try element(&self)
      } catch {
        throw DocumentFault.inside("[\(index)]", error)
      }
      index += 1
    }
  }

  /// A text for a message.
  static func shortened(_ text: String) -> String { text.utf8.count <= 40 ? text : text.prefix(40) + "…" }

  // Limits.

  mutating func countSpan() throws {
    guard spanCount < Limits.maximumSpanCount else {
      throw DocumentFault(
        .limitExceeded, at: reader.offset, "a document has at most \(Limits.maximumSpanCount) spans")
    }
    spanCount += 1
  }

  /// Counts one of the things that take a few bytes here and many in memory.
  mutating func countElement() throws {
    guard elementCount < Limits.maximumElementCount else {
      throw DocumentFault(
        .limitExceeded, at: reader.offset,
        "a document has at most \(Limits.maximumElementCount) tags, logs, references and nested values")
    }
    elementCount += 1
  }

  func checkAttributeCount(_ count: Int) throws {
    guard count < Limits.maximumAttributeCount else {
      throw DocumentFault(
        .limitExceeded, at: reader.offset, "an item has at most \(Limits.maximumAttributeCount) attributes")
    }
  }

  // Scalars.

  func fault(_ reason: String, at offset: Int) -> DocumentFault { DocumentFault(at: offset, reason) }

  mutating func text() throws -> String {
    let start = try peek().offset
    return try checked(try reader.string(), start)
  }

  func checked(_ text: String, _ start: Int) throws -> String {
    guard text.utf8.count <= Limits.maximumValueByteCount else {
      throw DocumentFault(
        .limitExceeded, at: start, "a text has at most \(Limits.maximumValueByteCount) bytes")
    }
    return text
  }

  /// A string, a number or a truth value as text, arrays and objects as their JSON.
  mutating func anyText() throws -> String {
    let (kind, start) = try peek()
    switch kind {
    case .string: return try text()
    case .number: return try reader.number()
    case .bool: return try reader.bool() ? "true" : "false"
    case .null:
      try reader.null()
      return ""
    case .array, .object:
      try reader.skip()
      return try checked(String(decoding: bytes[start..<reader.offset], as: UTF8.self), start)
    }
  }

  /// A truth value, also as text.
  mutating func bool() throws -> Bool {
    let (kind, start) = try peek()
    if kind == .bool { return try reader.bool() }
    switch kind == .string ? try reader.string() : "" {
    case "true": return true
    case "false": return false
    default: throw fault("true or false should be here", at: start)
    }
  }

  /// The text of a number, which may stand in quotes.
  private mutating func number() throws -> (text: String, start: Int) {
    let (kind, start) = try peek()
    return (kind == .string ? try reader.string() : try reader.number(), start)
  }

  /// Nil for a text that is no decimal number.
  private static func decimal(_ text: String) -> Double? {
    let letters = Set("0123456789+-.eE".utf8)
    guard text.utf8.allSatisfy(letters.contains) else { return nil }
    return Double(text)
  }

  /// A whole number, also with an exponent or a fraction of zeros.
  mutating func integer<Value: FixedWidthInteger>() throws -> Value {
    let (text, start) = try number()
    if let value = Value(text) ?? Self.decimal(text).flatMap({ Value(exactly: $0) }) { return value }
    throw fault("no whole number of \(Value.bitWidth) bits: \(Self.shortened(text))", at: start)
  }

  mutating func double() throws -> Double {
    let (text, start) = try number()
    switch text {
    case "NaN": return .nan
    case "Infinity", "+Inf": return .infinity
    case "-Infinity", "-Inf": return -.infinity
    default:
      guard let value = Self.decimal(text), value.isFinite else {
        throw fault("no 64-bit floating point number: \(Self.shortened(text))", at: start)
      }
      return value
    }
  }

  /// Microseconds as nanoseconds. A fraction goes down to whole nanoseconds.
  mutating func microseconds() throws -> Int128 {
    let (text, start) = try number()
    if let value = Int64(text) { return Int128(value) * 1000 }
    guard let value = Self.decimal(text), value.magnitude < 1e17 else {
      throw fault("no microseconds of 64 bits: \(Self.shortened(text))", at: start)
    }
    return Int128((value * 1000).rounded(.down))
  }

  /// Microseconds since 1970.
  mutating func time() throws -> Timestamp {
    let start = try peek().offset
    guard let nanoseconds = UInt64(exactly: try microseconds()) else {
      throw fault("a time lies before 1970 or after 2554", at: start)
    }
    return Timestamp(nanoseconds: nanoseconds)
  }

  /// Microseconds, as nanoseconds at the bounds of 64 bits.
  mutating func duration() throws -> Int64 { Int64(clamping: try microseconds()) }

  mutating func traceID() throws -> TraceID {
    try id("a trace id has 1 to 32 hexadecimal digits", TraceID(high: 0, low: 0)) { TraceID(hex: $0) }
  }

  mutating func spanID() throws -> SpanID {
    try id("a span id has 1 to 16 hexadecimal digits", SpanID(0)) { SpanID(hex: $0) }
  }

  /// An id from its digits; an empty text says that there is none.
  private mutating func id<ID>(_ rule: String, _ none: ID, _ make: (String) -> ID?) throws -> ID {
    let start = try peek().offset
    let digits = try reader.string()
    if digits.isEmpty { return none }
    guard let id = make(digits) else { throw fault("\(rule): \(Self.shortened(digits))", at: start) }
    return id
  }

  mutating func base64() throws -> [UInt8] {
    let start = try peek().offset
    guard let value = Base64.bytes(try text()) else { throw fault("this is no base64", at: start) }
    return value
  }
}
