/// Cuts a string into literals and numbers.
///
/// The template of a string is the string itself with a mark in place of each number:
///
/// | mark | number | slots |
/// |---|---|---|
/// | `01` | decimal without leading zero, at most 2^64 − 1 | 1 |
/// | `02 w` | `w` lower-case hex digits, `w` in 1...16 | 1 |
/// | `03` | a UUID in lower case, 8-4-4-4-12 | 2: the first and the last 16 digits |
/// | `04 w` | `w` decimal digits of which the first is zero, `w` in 2...19 | 1 |
///
/// Strings that hold a byte in 1...4 themselves, or more than 4 KiB, have no template.
struct TextTokenizer {
  static let maximumByteCount = 4096
  static let decimalMark: UInt8 = 1
  static let hexMark: UInt8 = 2
  static let identifierMark: UInt8 = 3
  static let paddedMark: UInt8 = 4
  private static let maximumHexByteCount = 128
  private static let minimumHexByteCount = 8
  private static let identifierByteCount = 36

  /// The template of the last string.
  private(set) var template: [UInt8] = []
  /// Its numbers, in order.
  private(set) var slots: [UInt64] = []

  /// 0 for other bytes, 1 for digits, 2 for `a`–`f`, 3 for bytes that are marks.
  private static let classes: [UInt8] = (0..<256).map { byte in
    switch UInt8(byte) {
    case 1...4: 3
    case 0x30...0x39: 1
    case 0x61...0x66: 2
    default: 0
    }
  }

  /// Sets `template` and `slots`; false if the string can have no template.
  mutating func tokenize(_ text: UnsafeRawBufferPointer) -> Bool {
    template.removeAll(keepingCapacity: true)
    slots.removeAll(keepingCapacity: true)
    guard text.count <= Self.maximumByteCount else { return false }
    return Self.classes.withUnsafeBufferPointer { classes in
      var literalStart = 0
      var place = 0
      let count = text.count
      while place < count {
        let kind = classes[Int(text[place])]
        if kind == 0 {
          place &+= 1
          continue
        }
        if kind == 3 { return false }
        var end = place
        var digitCount = 0
        while end < count {
          let next = classes[Int(text[end])]
          guard next == 1 || next == 2 else { break }
          digitCount &+= next == 1 ? 1 : 0
          end &+= 1
        }
        let byteCount = end &- place
        if digitCount == 0 {
          place = end
        } else if byteCount == 8, isIdentifier(text, at: place, classes) {
          flush(text, literalStart, place)
          appendIdentifier(text, at: place)
          place &+= Self.identifierByteCount
          literalStart = place
        } else if byteCount >= Self.minimumHexByteCount, byteCount <= Self.maximumHexByteCount, digitCount < byteCount {
          flush(text, literalStart, place)
          appendHex(text, place, end)
          place = end
          literalStart = end
        } else {
          appendDecimals(text, &place, end, &literalStart, classes)
        }
      }
      flush(text, literalStart, count)
      return true
    }
  }

  @inline(__always)
  private mutating func flush(_ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int) {
    if start < end { template.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<end])) }
  }

  /// The numbers among the digits and letters of `place..<end`.
  private mutating func appendDecimals(
    _ text: UnsafeRawBufferPointer, _ place: inout Int, _ end: Int, _ literalStart: inout Int,
    _ classes: UnsafeBufferPointer<UInt8>
  ) {
    while place < end {
      guard classes[Int(text[place])] == 1 else {
        place &+= 1
        continue
      }
      let start = place
      while place < end, classes[Int(text[place])] == 1 { place &+= 1 }
      let byteCount = place &- start
      if text[start] != 0x30 || byteCount == 1 {
        if let value = Self.decimal(text, start, place) {
          flush(text, literalStart, start)
          template.append(Self.decimalMark)
          slots.append(value)
          literalStart = place
          continue
        }
      } else if byteCount <= 19, let value = Self.decimal(text, start, place) {
        flush(text, literalStart, start)
        template.append(Self.paddedMark)
        template.append(UInt8(byteCount))
        slots.append(value)
        literalStart = place
        continue
      }
      if byteCount <= Self.maximumHexByteCount {
        flush(text, literalStart, start)
        appendHex(text, start, place)
        literalStart = place
      }
    }
  }

  /// Nil if the digits exceed 64 bits.
  private static func decimal(_ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> UInt64? {
    guard end &- start <= 20 else { return nil }
    var value: UInt64 = 0
    var place = start
    let safeEnd = min(end, start &+ 19)
    while place < safeEnd {
      value = value &* 10 &+ UInt64(text[place] &- 0x30)
      place &+= 1
    }
    guard place < end else { return value }
    let (product, overflowsProduct) = value.multipliedReportingOverflow(by: 10)
    let (sum, overflowsSum) = product.addingReportingOverflow(UInt64(text[place] &- 0x30))
    return overflowsProduct || overflowsSum ? nil : sum
  }

  @inline(__always)
  private static func hexDigit(_ byte: UInt8) -> UInt64 { UInt64(byte < 0x3a ? byte &- 0x30 : byte &- 0x57) }

  /// Groups of 16 digits from the left; the last group takes the rest.
  private mutating func appendHex(_ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int) {
    var place = start
    while place < end {
      let groupEnd = min(place &+ 16, end)
      template.append(Self.hexMark)
      template.append(UInt8(groupEnd &- place))
      var value: UInt64 = 0
      while place < groupEnd {
        value = value &<< 4 | Self.hexDigit(text[place])
        place &+= 1
      }
      slots.append(value)
    }
  }

  private func isIdentifier(_ text: UnsafeRawBufferPointer, at start: Int, _ classes: UnsafeBufferPointer<UInt8>)
    -> Bool
  {
    guard text.count &- start >= Self.identifierByteCount else { return false }
    for offset in 0..<Self.identifierByteCount {
      let byte = text[start &+ offset]
      switch offset {
      case 8, 13, 18, 23: guard byte == 0x2d else { return false }
      default: guard classes[Int(byte)] == 1 || classes[Int(byte)] == 2 else { return false }
      }
    }
    return true
  }

  private mutating func appendIdentifier(_ text: UnsafeRawBufferPointer, at start: Int) {
    template.append(Self.identifierMark)
    var value: UInt64 = 0
    for offset in 0..<Self.identifierByteCount {
      if offset == 8 || offset == 13 || offset == 18 || offset == 23 {
        if offset == 18 {
          slots.append(value)
          value = 0
        }
        continue
      }
      value = value &<< 4 | Self.hexDigit(text[start &+ offset])
    }
    slots.append(value)
  }
}

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

  /// Appends the string. `template` must be one that `slotCount` accepts, `slots` as long as it says. Digits that do
  /// not fit a fixed width are dropped: only damaged bytes have them.
  static func render(
    _ template: UnsafeRawBufferPointer, slots: UnsafeBufferPointer<UInt64>, into text: inout [UInt8]
  ) {
    var place = 0
    var slot = 0
    var literalStart = 0
    while place < template.count {
      let byte = template[place]
      guard byte >= 1, byte <= 4 else {
        place &+= 1
        continue
      }
      if literalStart < place {
        text.append(contentsOf: UnsafeRawBufferPointer(rebasing: template[literalStart..<place]))
      }
      switch byte {
      case TextTokenizer.decimalMark: appendDecimal(slots[slot], width: 0, &text)
      case TextTokenizer.hexMark:
        place &+= 1
        appendHex(slots[slot], from: 0, count: Int(template[place]), of: Int(template[place]), &text)
      case TextTokenizer.identifierMark:
        appendHex(slots[slot], from: 0, count: 8, of: 16, &text)
        text.append(0x2d)
        appendHex(slots[slot], from: 8, count: 4, of: 16, &text)
        text.append(0x2d)
        appendHex(slots[slot], from: 12, count: 4, of: 16, &text)
        text.append(0x2d)
        slot &+= 1
        appendHex(slots[slot], from: 0, count: 4, of: 16, &text)
        text.append(0x2d)
        appendHex(slots[slot], from: 4, count: 12, of: 16, &text)
      default:
        place &+= 1
        appendDecimal(slots[slot], width: Int(template[place]), &text)
      }
      slot &+= 1
      place &+= 1
      literalStart = place
    }
    if literalStart < place {
      text.append(contentsOf: UnsafeRawBufferPointer(rebasing: template[literalStart..<place]))
    }
  }

  /// `width` 0 means as many digits as the value has.
  private static func appendDecimal(_ value: UInt64, width: Int, _ text: inout [UInt8]) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var rest = value
      var place = 20
      repeat {
        place &-= 1
        digits[place] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while width == 0 ? rest > 0 : place > 20 &- width
      text.append(contentsOf: UnsafeBufferPointer(rebasing: digits[place...]))
    }
  }

  /// Digits `from..<(from + count)` of a number of `of` digits.
  private static func appendHex(_ value: UInt64, from: Int, count: Int, of: Int, _ text: inout [UInt8]) {
    var digit = from
    while digit < from &+ count {
      let nibble = UInt8(truncatingIfNeeded: value &>> UInt64(4 &* (of &- 1 &- digit))) & 15
      text.append(nibble < 10 ? 0x30 &+ nibble : 0x57 &+ nibble)
      digit &+= 1
    }
  }
}
