/// Puts numbers back into a template.
enum TextTemplate {
  /// How many slots a template has; nil if it is no template.
  static func slotCount(_ template: UnsafeRawBufferPointer) -> Int? {
    var slotCount = 0
    var place = 0
    while place < template.count {
      switch template[place] {
      case TextTokenizer.decimalMark: slotCount += 1
      case TextTokenizer.identifierMark: slotCount += 2
      case TextTokenizer.hexMark, TextTokenizer.paddedMark:
        let limit: UInt8 = template[place] == TextTokenizer.hexMark ? 16 : 19
        place += 1
        guard place < template.count, template[place] >= 1, template[place] <= limit else { return nil }
        slotCount += 1
      default: break
      }
      place += 1
    }
    return slotCount
  }

  /// The most bytes that a template can become: a mark of one byte can stand for a UUID.
  static func maximumRenderedByteCount(_ template: UnsafeRawBufferPointer) -> Int { 36 &* template.count }

  /// Writes the string to `text`, which must have room for `maximumRenderedByteCount`, and returns its byte count.
  /// `template` must be one that `slotCount` accepts, `slots` as long as it says. Digits that do not fit a fixed
  /// width are dropped: only damaged bytes have them.
  static func render(
    _ template: UnsafeRawBufferPointer, slots: UnsafeBufferPointer<UInt64>, into text: UnsafeMutablePointer<UInt8>
  ) -> Int {
    var output = text
    var place = 0
    var slot = 0
    while place < template.count {
      let byte = template[place]
      place &+= 1
      if byte > TextTokenizer.paddedMark {
        output.pointee = byte
        output += 1
        continue
      }
      switch byte {
      case TextTokenizer.decimalMark: writeDecimal(slots[slot], &output)
      case TextTokenizer.hexMark:
        let width = Int(template[place])
        writeHex(slots[slot], from: 0, count: width, of: width, &output)
        place &+= 1
      case TextTokenizer.identifierMark:
        writeIdentifier(slots[slot], slots[slot &+ 1], &output)
        slot &+= 1
      case TextTokenizer.paddedMark:
        let width = Int(template[place])
        writeDigits(slots[slot], width, &output)
        place &+= 1
      default:
        output.pointee = byte
        output += 1
        continue
      }
      slot &+= 1
    }
    return output - text
  }

  @inline(__always)
  private static func writeDecimal(_ value: UInt64, _ output: inout UnsafeMutablePointer<UInt8>) {
    var count = 1
    var rest = value
    while rest >= 10 {
      rest /= 10
      count &+= 1
    }
    writeDigits(value, count, &output)
  }

  /// The last `count` digits.
  @inline(__always)
  private static func writeDigits(_ value: UInt64, _ count: Int, _ output: inout UnsafeMutablePointer<UInt8>) {
    var rest = value
    var place = count &- 1
    while place >= 0 {
      output[place] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
      place &-= 1
    }
    output += count
  }

  /// Digits `from..<(from + count)` of a number of `of` digits.
  @inline(__always)
  private static func writeHex(
    _ value: UInt64, from: Int, count: Int, of: Int, _ output: inout UnsafeMutablePointer<UInt8>
  ) {
    var digit = from
    while digit < from &+ count {
      let nibble = UInt8(truncatingIfNeeded: value &>> UInt64(4 &* (of &- 1 &- digit))) & 15
      output.pointee = nibble < 10 ? 0x30 &+ nibble : 0x57 &+ nibble
      output += 1
      digit &+= 1
    }
  }

  private static func writeIdentifier(_ first: UInt64, _ second: UInt64, _ output: inout UnsafeMutablePointer<UInt8>) {
    func hyphen() {
      output.pointee = 0x2d
      output += 1
    }
    writeHex(first, from: 0, count: 8, of: 16, &output)
    hyphen()
    writeHex(first, from: 8, count: 4, of: 16, &output)
    hyphen()
    writeHex(first, from: 12, count: 4, of: 16, &output)
    hyphen()
    writeHex(second, from: 0, count: 4, of: 16, &output)
    hyphen()
    writeHex(second, from: 4, count: 12, of: 16, &output)
  }
}
