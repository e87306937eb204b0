import TraceText

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
    guard let low = Hexadecimal.value(of: digits[split...]) else { return nil }
    guard let high = split == 0 ? 0 : Hexadecimal.value(of: digits[..<split]) else { return nil }
    self.init(high: high, low: low)
  }

  /// True for the all-zero id, which OpenTelemetry calls invalid.
  public var isZero: Bool { high == 0 && low == 0 }

  /// 32 lower-case hexadecimal digits.
  public var hex: String { Hexadecimal.text(high) + Hexadecimal.text(low) }

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
    guard let value = Hexadecimal.value(of: hex.utf8) else { return nil }
    self.init(value)
  }

  /// True for the all-zero id, which OpenTelemetry calls invalid.
  public var isZero: Bool { rawValue == 0 }

  /// 16 lower-case hexadecimal digits.
  public var hex: String { Hexadecimal.text(rawValue) }

  @inlinable
  public static func < (left: SpanID, right: SpanID) -> Bool { left.rawValue < right.rawValue }
}

extension TraceID: CustomStringConvertible {
  public var description: String { hex }
}

extension SpanID: CustomStringConvertible {
  public var description: String { hex }
}
