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
struct TextTokenizer: ~Copyable {
  static let maximumByteCount = 4096
  static let decimalMark: UInt8 = 1
  static let hexMark: UInt8 = 2
  static let identifierMark: UInt8 = 3
  static let paddedMark: UInt8 = 4
  private static let maximumHexByteCount = 128
  private static let minimumHexByteCount = 8
  private static let identifierByteCount = 36

  // No template is longer than its string: every number has at least as many digits as its mark has bytes.
  private let templateBytes = UnsafeMutablePointer<UInt8>.allocate(capacity: maximumByteCount)
  private let numbers = UnsafeMutablePointer<UInt64>.allocate(capacity: maximumByteCount)
  private var templateByteCount = 0
  private var slotCount = 0

  deinit {
    templateBytes.deallocate()
    numbers.deallocate()
  }

  /// The template of the last string; valid until the next one.
  var template: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: templateBytes, count: templateByteCount) }
  /// Its numbers, in order.
  var slots: UnsafeBufferPointer<UInt64> { UnsafeBufferPointer(start: numbers, count: slotCount) }

  @inline(__always)
  private mutating func note(_ number: UInt64) {
    numbers[slotCount] = number
    slotCount &+= 1
  }

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
    templateByteCount = 0
    slotCount = 0
    guard text.count <= Self.maximumByteCount else { return false }
    // A local pointer stays in a register; the stored properties would be read again after every byte.
    var output = templateBytes
    let isAccepted = Self.classes.withUnsafeBufferPointer { classes in
      var place = 0
      let count = text.count
      while place < count {
        let byte = text[place]
        let kind = classes[Int(byte)]
        if kind == 0 {
          output.pointee = byte
          output += 1
          place &+= 1
          continue
        }
        if kind == 3 { return false }
        // A run of hex digits is copied as it is found, and written over where it turns out to be a number.
        let runStart = output
        let end = Self.copyRun(text, from: place, classes, &output)
        let byteCount = end.place &- place
        if end.digitCount == 0 {
          place = end.place
          continue
        }
        output = runStart
        if byteCount == 8, isIdentifier(text, at: place, classes) {
          appendIdentifier(text, at: place, &output)
          place &+= Self.identifierByteCount
        } else if byteCount >= Self.minimumHexByteCount, byteCount <= Self.maximumHexByteCount,
          end.digitCount < byteCount
        {
          appendHex(text, place, end.place, &output)
          place = end.place
        } else {
          appendDecimals(text, place, end.place, classes, &output)
          place = end.place
        }
      }
      return true
    }
    templateByteCount = output - templateBytes
    return isAccepted
  }

  /// Copies the digits and letters `a`–`f` from `start` on; where they end, and how many are digits.
  @inline(__always)
  private static func copyRun(
    _ text: UnsafeRawBufferPointer, from start: Int, _ classes: UnsafeBufferPointer<UInt8>,
    _ output: inout UnsafeMutablePointer<UInt8>
  ) -> (place: Int, digitCount: Int) {
    var place = start
    var digitCount = 0
    while place < text.count {
      let byte = text[place]
      let kind = classes[Int(byte)]
      guard kind == 1 || kind == 2 else { break }
      digitCount &+= Int(2 &- kind)
      output.pointee = byte
      output += 1
      place &+= 1
    }
    return (place, digitCount)
  }

  /// The numbers among the digits and letters of `place..<end`.
  private mutating func appendDecimals(
    _ text: UnsafeRawBufferPointer, _ runStart: Int, _ end: Int, _ classes: UnsafeBufferPointer<UInt8>,
    _ output: inout UnsafeMutablePointer<UInt8>
  ) {
    func put(_ byte: UInt8) {
      output.pointee = byte
      output += 1
    }
    var place = runStart
    while place < end {
      guard classes[Int(text[place])] == 1 else {
        put(text[place])
        place &+= 1
        continue
      }
      let start = place
      while place < end, classes[Int(text[place])] == 1 { place &+= 1 }
      let byteCount = place &- start
      if text[start] != 0x30 || byteCount == 1 {
        if let value = Self.decimal(text, start, place) {
          put(Self.decimalMark)
          note(value)
          continue
        }
      } else if byteCount <= 19, let value = Self.decimal(text, start, place) {
        put(Self.paddedMark)
        put(UInt8(byteCount))
        note(value)
        continue
      }
      if byteCount <= Self.maximumHexByteCount {
        appendHex(text, start, place, &output)
      } else {
        for index in start..<place { put(text[index]) }
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
  private mutating func appendHex(
    _ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ output: inout UnsafeMutablePointer<UInt8>
  ) {
    var place = start
    while place < end {
      let groupEnd = min(place &+ 16, end)
      output[0] = Self.hexMark
      output[1] = UInt8(groupEnd &- place)
      output += 2
      var value: UInt64 = 0
      while place < groupEnd {
        value = value &<< 4 | Self.hexDigit(text[place])
        place &+= 1
      }
      note(value)
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

  private mutating func appendIdentifier(
    _ text: UnsafeRawBufferPointer, at start: Int, _ output: inout UnsafeMutablePointer<UInt8>
  ) {
    output.pointee = Self.identifierMark
    output += 1
    var value: UInt64 = 0
    for offset in 0..<Self.identifierByteCount {
      if offset == 8 || offset == 13 || offset == 18 || offset == 23 {
        if offset == 18 {
          note(value)
          value = 0
        }
        continue
      }
      value = value &<< 4 | Self.hexDigit(text[start &+ offset])
    }
    note(value)
  }
}
