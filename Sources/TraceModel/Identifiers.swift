/// The 16-byte identity of a trace, ordered as its big-endian bytes.
@frozen
public struct TraceID: Hashable, BitwiseCopyable, Sendable, Comparable, Codable {
  /// The first eight bytes, big-endian.
  public var high: UInt64
  /// The last eight bytes, big-endian.
  public var low: UInt64

  @inlinable
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Reads 1 to 32 hexadecimal digits, either case; shorter texts are zero-extended on the left.
  public init?(hex: some StringProtocol) {
    let digits = Array(hex.utf8)
    guard (1...32).contains(digits.count) else { return nil }
    let split = max(0, digits.count - 16)
    guard let high = HexText.value(digits[..<split]), let low = HexText.value(digits[split...]) else { return nil }
    self.init(high: high, low: low)
  }

  /// True for the all-zero id, which OpenTelemetry calls invalid.
  public var isZero: Bool { high == 0 && low == 0 }

  /// 32 lower-case hexadecimal digits.
  public var hex: String { HexText.text(high, digits: 16) + HexText.text(low, digits: 16) }

  @inlinable
  public static func < (left: TraceID, right: TraceID) -> Bool {
    left.high != right.high ? left.high < right.high : left.low < right.low
  }
}

/// The 8-byte identity of a span inside its trace, ordered as its big-endian bytes.
@frozen
public struct SpanID: Hashable, BitwiseCopyable, Sendable, Comparable, Codable {
  /// The eight bytes, big-endian.
  public var rawValue: UInt64

  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// Reads 1 to 16 hexadecimal digits, either case; shorter texts are zero-extended on the left.
  public init?(hex: some StringProtocol) {
    let digits = Array(hex.utf8)
    guard (1...16).contains(digits.count), let value = HexText.value(digits[...]) else { return nil }
    self.init(value)
  }

  /// True for the all-zero id, which OpenTelemetry calls invalid.
  public var isZero: Bool { rawValue == 0 }

  /// 16 lower-case hexadecimal digits.
  public var hex: String { HexText.text(rawValue, digits: 16) }

  @inlinable
  public static func < (left: SpanID, right: SpanID) -> Bool { left.rawValue < right.rawValue }
}

extension TraceID: CustomStringConvertible {
  public var description: String { hex }
}

extension SpanID: CustomStringConvertible {
  public var description: String { hex }
}

/// Hexadecimal text for fixed-width integers.
enum HexText {
  static func text(_ value: UInt64, digits: Int) -> String {
    String(unsafeUninitializedCapacity: digits) { buffer in
      for index in 0..<digits {
        let nibble = UInt8(truncatingIfNeeded: value >> UInt64(4 * (digits - 1 - index))) & 15
        buffer[index] = nibble < 10 ? 48 + nibble : 87 + nibble
      }
      return digits
    }
  }

  static func value(_ digits: ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for digit in digits {
      let nibble: UInt8
      switch digit {
      case 48...57: nibble = digit - 48
      case 65...70: nibble = digit - 55
      case 97...102: nibble = digit - 87
      default: return nil
      }
      value = value << 4 | UInt64(nibble)
    }
    return value
  }
}
