import TraceText

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
package func hexadecimal(_ value: UInt64) -> String { Hexadecimal.text(value) }

/// The inverse of `hexadecimal(_:)`: nil unless the text is exactly sixteen lower-case digits.
package func parsedHexadecimal(_ text: some StringProtocol) -> UInt64? {
  guard let value = Hexadecimal.value(of: text.utf8), hexadecimal(value).utf8.elementsEqual(text.utf8) else {
    return nil
  }
  return value
}
