/// Text that is not JSON, or not the JSON that was asked for, with the offset from the start of the buffer.
package struct JSONError: Error, Hashable, Sendable {
  package var offset: Int
  package var reason: String

  package init(offset: Int, reason: String) {
    self.offset = offset
    self.reason = reason
  }
}

/// A strict pull reader of JSON (RFC 8259) over borrowed UTF-8, which must outlive it.
///
/// The caller drives: `beginObject`, then `nextKey` until it returns nil, one value read or skipped after each key;
/// `beginArray`, then `nextElement` until it returns false. Numbers stay text, so nobody rounds them. Duplicate keys
/// are handed out as they come. Nesting is bounded, so no input exhausts the stack of a recursive caller.
package struct JSONReader {
  /// What the next value is.
  package enum Kind: Sendable {
    case object, array, string, number, bool, null
  }

  private let base: UnsafeRawPointer
  private let count: Int
  private let maximumDepth: Int
  /// The offset of the next byte to read.
  package private(set) var offset = 0
  /// One entry an open container: whether it holds something already.
  private var containers: [Bool] = []

  /// A level of nested attribute values takes at most four levels of JSON; a hundred of those and an envelope fit.
  package static let defaultMaximumDepth = 500

  package init(_ bytes: UnsafeRawBufferPointer, maximumDepth: Int = JSONReader.defaultMaximumDepth) {
    base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
    count = bytes.count
    self.maximumDepth = maximumDepth
  }

  package func failure(_ reason: String, at place: Int? = nil) -> JSONError {
    JSONError(offset: place ?? offset, reason: reason)
  }

  @inline(__always)
  private func byte(_ place: Int) -> UInt8? {
    place < count ? base.load(fromByteOffset: place, as: UInt8.self) : nil
  }

  private mutating func skipSpace() {
    while let next = byte(offset), next == 0x20 || next == 0x0a || next == 0x0d || next == 0x09 { offset &+= 1 }
  }

  /// The kind of the next value, which is not read.
  package mutating func peek() throws(JSONError) -> Kind {
    skipSpace()
    guard let next = byte(offset) else { throw failure("the text ends where a value should be") }
    switch next {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
    case UInt8(ascii: "n"): return .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
    default: throw failure("no JSON value begins here")
    }
  }

  private mutating func begin(_ bracket: UInt8, _ name: String) throws(JSONError) {
    skipSpace()
    guard byte(offset) == bracket else { throw failure("\(name) should be here") }
    guard containers.count < maximumDepth else { throw failure("JSON is nested deeper than \(maximumDepth) levels") }
    offset &+= 1
    containers.append(false)
  }

  package mutating func beginObject() throws(JSONError) { try begin(UInt8(ascii: "{"), "an object") }
  package mutating func beginArray() throws(JSONError) { try begin(UInt8(ascii: "["), "an array") }

  /// Steps to the next item of the innermost container; false when it ends here, which closes it.
  private mutating func advance(_ bracket: UInt8) throws(JSONError) -> Bool {
    skipSpace()
    guard let last = containers.indices.last else { throw failure("no container is open") }
    guard let next = byte(offset) else { throw failure("the text ends inside an object or array") }
    if next == bracket {
      offset &+= 1
      containers.removeLast()
      return false
    }
    if containers[last] {
      guard next == UInt8(ascii: ",") else { throw failure("a comma or a closing bracket should be here") }
      offset &+= 1
      skipSpace()
      if byte(offset) == bracket { throw failure("a value should follow the comma") }
    }
    containers[last] = true
    return true
  }

  /// The next key of the innermost object, or nil at its end. The value stands next.
  package mutating func nextKey() throws(JSONError) -> String? {
    guard try advance(UInt8(ascii: "}")) else { return nil }
    let key = try string()
    skipSpace()
    guard byte(offset) == UInt8(ascii: ":") else { throw failure("a colon should be here") }
    offset &+= 1
    return key
  }

  /// True when another element of the innermost array stands next; false at its end.
  package mutating func nextElement() throws(JSONError) -> Bool { try advance(UInt8(ascii: "]")) }

  package mutating func null() throws(JSONError) { try word("null") }

  package mutating func bool() throws(JSONError) -> Bool {
    skipSpace()
    let isTrue = byte(offset) == UInt8(ascii: "t")
    try word(isTrue ? "true" : "false")
    return isTrue
  }

  private mutating func word(_ word: StaticString) throws(JSONError) {
    skipSpace()
    let length = word.utf8CodeUnitCount
    var index = 0
    while index < length {
      guard byte(offset &+ index) == word.utf8Start[index] else { throw failure("\(word) should be here") }
      index &+= 1
    }
    offset &+= length
  }

  /// The text of a number, checked against the grammar and not interpreted.
  package mutating func number() throws(JSONError) -> String {
    skipSpace()
    let start = offset
    var place = offset
    func digits() -> Bool {
      let first = place
      while let next = byte(place), next >= 0x30, next <= 0x39 { place &+= 1 }
      return place > first
    }
    if byte(place) == UInt8(ascii: "-") { place &+= 1 }
    if byte(place) == UInt8(ascii: "0") {
      place &+= 1
    } else {
      guard digits() else { throw failure("a number should be here") }
    }
    if byte(place) == UInt8(ascii: ".") {
      place &+= 1
      guard digits() else { throw failure("a digit should follow the decimal point", at: place) }
    }
    if let exponent = byte(place), exponent | 0x20 == UInt8(ascii: "e") {
      place &+= 1
      if let sign = byte(place), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { place &+= 1 }
      guard digits() else { throw failure("a digit should follow the exponent's sign", at: place) }
    }
    if let next = byte(place),
      next == UInt8(ascii: ".") || (next >= 0x30 && next <= 0x39) || next | 0x20 >= 0x61 && next | 0x20 <= 0x7a
    {
      throw failure("this is no JSON number", at: start)
    }
    offset = place
    return String(decoding: UnsafeRawBufferPointer(start: base + start, count: place - start), as: UTF8.self)
  }

  /// Steps over the next value, whatever it is.
  package mutating func skip() throws(JSONError) {
    let depth = containers.count
    var isObject: [Bool] = []
    repeat {
      if containers.count > depth {
        if isObject.last == true {
          guard try nextKey() != nil else {
            isObject.removeLast()
            continue
          }
        } else {
          guard try nextElement() else {
            isObject.removeLast()
            continue
          }
        }
      }
      switch try peek() {
      case .object:
        try beginObject()
        isObject.append(true)
      case .array:
        try beginArray()
        isObject.append(false)
      case .string: _ = try string()
      case .number: _ = try number()
      case .bool: _ = try bool()
      case .null: try null()
      }
    } while containers.count > depth
  }

  /// Checks that nothing but white space is left.
  package mutating func finish() throws(JSONError) {
    skipSpace()
    guard offset == count else { throw failure("more text follows the value") }
  }
}

extension JSONReader {
  /// A string with its escapes resolved.
  package mutating func string() throws(JSONError) -> String {
    skipSpace()
    let opening = offset
    guard byte(offset) == UInt8(ascii: "\"") else { throw failure("a string should be here") }
    offset &+= 1
    var start = offset
    var resolved: [UInt8] = []
    while true {
      guard let next = byte(offset) else { throw failure("the text ends inside a string", at: opening) }
      switch next {
      case UInt8(ascii: "\""):
        let tail = UnsafeRawBufferPointer(start: base + start, count: offset &- start)
        offset &+= 1
        if resolved.isEmpty {
          guard let text = String(validating: tail, as: UTF8.self) else {
            throw failure("a string is not UTF-8", at: opening)
          }
          return text
        }
        resolved.append(contentsOf: tail)
        guard let text = String(validating: resolved, as: UTF8.self) else {
          throw failure("a string is not UTF-8", at: opening)
        }
        return text
      case UInt8(ascii: "\\"):
        resolved.append(contentsOf: UnsafeRawBufferPointer(start: base + start, count: offset &- start))
        try escape(into: &resolved)
        start = offset
      case 0..<0x20: throw failure("a control character stands bare in a string")
      default: offset &+= 1
      }
    }
  }

  private mutating func escape(into resolved: inout [UInt8]) throws(JSONError) {
    let start = offset
    offset &+= 2
    switch byte(start &+ 1) {
    case UInt8(ascii: "\""): resolved.append(0x22)
    case UInt8(ascii: "\\"): resolved.append(0x5c)
    case UInt8(ascii: "/"): resolved.append(0x2f)
    case UInt8(ascii: "b"): resolved.append(0x08)
    case UInt8(ascii: "f"): resolved.append(0x0c)
    case UInt8(ascii: "n"): resolved.append(0x0a)
    case UInt8(ascii: "r"): resolved.append(0x0d)
    case UInt8(ascii: "t"): resolved.append(0x09)
    case UInt8(ascii: "u"):
      var scalar = try hexUnit(start)
      if scalar >= 0xd800, scalar < 0xdc00 {
        guard byte(offset) == UInt8(ascii: "\\"), byte(offset &+ 1) == UInt8(ascii: "u") else {
          throw failure("a high surrogate stands alone", at: start)
        }
        offset &+= 2
        let low = try hexUnit(start)
        guard low >= 0xdc00, low < 0xe000 else { throw failure("a high surrogate stands alone", at: start) }
        scalar = 0x10000 + (scalar - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let value = Unicode.Scalar(scalar) else { throw failure("a low surrogate stands alone", at: start) }
      resolved.append(contentsOf: UTF8.encode(value) ?? UTF8.encodedReplacementCharacter)
    default:
      throw failure("an escape is unknown", at: start)
    }
  }

  private mutating func hexUnit(_ start: Int) throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for index in 0..<4 {
      guard let digit = byte(offset &+ index).flatMap(Hexadecimal.value) else {
        throw failure("an escape needs four hexadecimal digits", at: start)
      }
      value = value << 4 | UInt32(digit)
    }
    offset &+= 4
    return value
  }
}
