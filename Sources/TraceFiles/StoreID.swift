/// The identity of one store, given once by whoever creates it: 16 bytes, kept as two little-endian words.
package struct StoreID: Hashable, Sendable, CustomStringConvertible {
  package var first: UInt64
  package var second: UInt64

  package init(first: UInt64, second: UInt64) {
    self.first = first
    self.second = second
  }

  package var description: String { hexadecimal(first.byteSwapped) + hexadecimal(second.byteSwapped) }
}

/// Sixteen lower-case digits: the form of every number in a file name.
package func hexadecimal(_ value: UInt64) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: 16 - digits.utf8.count) + digits
}

/// The inverse of `hexadecimal(_:)`: nil unless the text is exactly sixteen lower-case digits.
package func parsedHexadecimal(_ text: some StringProtocol) -> UInt64? {
  guard text.utf8.count == 16 else { return nil }
  var value: UInt64 = 0
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
    default: return nil
    }
  }
  return value
}
