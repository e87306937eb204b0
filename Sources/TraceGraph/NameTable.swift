/// Texts by code, in the order in which they came.
package struct NameTable: Sendable {
  /// Names by their bytes: `String`s are equal when they look equal.
  private var codes: [[UInt8]: UInt32] = [:]
  package private(set) var names: [[UInt8]] = []
  /// Bytes held, roughly.
  package private(set) var byteCount = 0

  /// Codes of texts by where they stand: those that are named again and again are not looked up each time.
  private var recent: [Recent] = []

  private struct Recent: Sendable {
    var address: UInt
    var byteCount: Int
    var code: UInt32
  }

  private static let recentCount = 256

  package init() {}

  /// The code of a text whose memory stays as it is for as long as the table is used.
  package mutating func code(ofLasting text: UnsafeRawBufferPointer) -> UInt32 {
    let address = UInt(bitPattern: text.baseAddress)
    // Texts start at multiples of four bytes.
    let place = Int(truncatingIfNeeded: address &>> 2 ^ address &>> 10) & (Self.recentCount - 1)
    if recent.isEmpty {
      recent = Array(repeating: Recent(address: 0, byteCount: -1, code: 0), count: Self.recentCount)
    }
    if recent[place].address == address, recent[place].byteCount == text.count { return recent[place].code }
    let code = code(of: Array(text))
    recent[place] = Recent(address: address, byteCount: text.count, code: code)
    return code
  }

  package mutating func code(of name: [UInt8]) -> UInt32 {
    if let known = codes[name] { return known }
    let code = UInt32(truncatingIfNeeded: names.count)
    codes[name] = code
    names.append(name)
    byteCount += name.count + 64
    return code
  }

  package func knownCode(of name: [UInt8]) -> UInt32? { codes[name] }

  package func precedes(_ left: UInt32, _ right: UInt32) -> Bool {
    names[Int(left)].lexicographicallyPrecedes(names[Int(right)])
  }
}
