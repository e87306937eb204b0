import TraceBytes
import TraceModel
import TraceText

extension JSONDecoding {
  /// Visits the fields of an object. Names come in lowerCamelCase, whichever way they are written. A field that is null
  /// is not set; one that `field` does not take is ignored.
  mutating func object(_ field: (inout JSONDecoding, String) throws -> Bool) throws {
    try reader.beginObject()
    while let name = try reader.nextKey() {
      if try reader.peek() == .null {
        try reader.null()
      } else if try !field(&self, name.utf8.contains(UInt8(ascii: "_")) ? Self.camelCase(name) : name) {
        try reader.skip()
      }
    }
  }

  mutating func list(_ element: (inout JSONDecoding) throws -> Void) throws {
    try reader.beginArray()
    while try reader.nextElement() { try element(&self) }
  }

  static func camelCase(_ name: String) -> String {
    var text: [UInt8] = []
    var isUpper = false
    for byte in name.utf8 {
      if byte == UInt8(ascii: "_") {
        isUpper = true
        continue
      }
      text.append(isUpper && (0x61...0x7a).contains(byte) ? byte - 0x20 : byte)
      isUpper = false
    }
    return String(decoding: text, as: UTF8.self)
  }

  mutating func text() throws -> String {
    let start = reader.offset
    let text = try reader.string()
    guard text.utf8.count <= Limits.maximumValueByteCount else { throw WireFault(offset: start, reason: .longValue) }
    return text
  }

  mutating func bool() throws -> Bool {
    guard try reader.peek() == .bool else { throw reader.failure("a bool should be here") }
    return try reader.bool()
  }

  /// An integer as a number or as a string, with an exponent or a zero fraction if it must be.
  mutating func integer<Value: FixedWidthInteger>() throws -> Value {
    let kind = try reader.peek()
    let start = reader.offset
    let text = kind == .string ? try reader.string() : try reader.number()
    if let value = Value(text) { return value }
    let isPlain = !text.utf8.contains { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }
    guard !isPlain, Self.isNumber(text), let double = Double(text), let value = Value(exactly: double) else {
      throw reader.failure("no integer of \(Value.bitWidth) bits: \(text.prefix(40))", at: start)
    }
    return value
  }

  mutating func double() throws -> Double {
    let kind = try reader.peek()
    let start = reader.offset
    let text = kind == .string ? try reader.string() : try reader.number()
    switch text {
    case "NaN": return .nan
    case "Infinity": return .infinity
    case "-Infinity": return -.infinity
    default:
      guard Self.isNumber(text), let value = Double(text), value.isFinite else {
        throw reader.failure("no 64-bit floating point number: \(text.prefix(40))", at: start)
      }
      return value
    }
  }

  /// True for texts of JSON's number grammar, so that no other spelling that Swift knows gets in.
  private static func isNumber(_ text: String) -> Bool {
    Array(text.utf8).withUnsafeBytes { buffer in
      var reader = JSONReader(buffer)
      guard let number = try? reader.number() else { return false }
      return number.utf8.count == buffer.count
    }
  }

  mutating func enumeration(prefix: String, _ value: (Substring) -> Int32?) throws -> Int32 {
    guard try reader.peek() == .string else { return try integer() }
    let start = reader.offset
    let name = try reader.string()
    if let number = Int32(name) { return number }
    guard name.hasPrefix(prefix), let number = value(name.dropFirst(prefix.count)) else {
      throw reader.failure("an unknown enumeration name: \(name.prefix(40))", at: start)
    }
    return number
  }

  mutating func base64() throws -> [UInt8] {
    _ = try reader.peek()
    let start = reader.offset
    guard let bytes = Base64.bytes(try reader.string()) else { throw reader.failure("this is no base64", at: start) }
    guard bytes.count <= Limits.maximumValueByteCount else { throw WireFault(offset: start, reason: .longValue) }
    return bytes
  }

  /// An id as its bytes: pairs of hexadecimal digits in either case.
  mutating func id() throws -> [UInt8] {
    _ = try reader.peek()
    let start = reader.offset
    let digits = Array(try reader.string().utf8)
    guard digits.count % 2 == 0 else { throw reader.failure("an id has an odd number of digits", at: start) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Hexadecimal.value(digits[index]), let low = Hexadecimal.value(digits[index + 1]) else {
        throw reader.failure("an id is not hexadecimal", at: start)
      }
      bytes.append(high << 4 | low)
    }
    return bytes
  }
}

extension TraceID {
  /// Nil unless there are 16 bytes.
  init?(bytes: [UInt8]) {
    guard bytes.count == 16 else { return nil }
    self.init(
      high: bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }, low: bytes[8...].reduce(0) { $0 << 8 | UInt64($1) })
  }
}

extension SpanID {
  /// Nil unless there are 8 bytes.
  init?(bytes: [UInt8]) {
    guard bytes.count == 8 else { return nil }
    self.init(bytes.reduce(0) { $0 << 8 | UInt64($1) })
  }
}

extension OddField {
  /// Keeps an id of a length that no id has as the protobuf field that it would be.
  static func keep(_ id: [UInt8], _ head: UInt32, unless isKnown: Bool, in unknownFields: inout [UInt8]) {
    guard !isKnown, !id.isEmpty else { return }
    var writer = ReverseWriter()
    writer.presentField(head, bytes: id)
    unknownFields += writer.bytes
  }
}
