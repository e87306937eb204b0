import TraceModel

/// Small texts that both shapes share, made without formatting machinery.
enum TrafficText {
  static let schemaURL = "https://opentelemetry.io/schemas/1.37.0"
  /// Sampled, and known not to come from a remote parent.
  static let sampledFlags: UInt32 = 0x101

  static func padded(_ value: Int, _ digitCount: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, digitCount - digits.utf8.count)) + digits
  }

  static func hex(_ words: UInt64...) -> String { words.map { SpanID($0).hex }.joined() }

  private static let nibbles = [UInt8]("0123456789abcdef".utf8)

  /// A random UUID in its usual form.
  static func uuid(_ high: UInt64, _ low: UInt64) -> String {
    String(unsafeUninitializedCapacity: 36) { buffer in
      var place = 0
      for nibble in 0..<32 {
        if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
          buffer[place] = 45
          place += 1
        }
        let word = nibble < 16 ? high : low
        buffer[place] = nibbles[Int(word >> UInt64(60 - 4 * (nibble & 15)) & 15)]
        place += 1
      }
      return place
    }
  }

  /// `prefix`, a whole number of zero or more, `suffix`.
  static func joined(_ prefix: String, _ number: Int, _ suffix: String) -> String {
    var prefix = prefix
    var suffix = suffix
    return prefix.withUTF8 { prefix in
      suffix.withUTF8 { suffix in
        String(unsafeUninitializedCapacity: prefix.count + suffix.count + 20) { buffer in
          var place = 0
          for byte in prefix {
            buffer[place] = byte
            place += 1
          }
          var digitCount = 1
          var rest = number
          while rest >= 10 {
            rest /= 10
            digitCount += 1
          }
          rest = number
          for digit in 0..<digitCount {
            buffer[place + digitCount - 1 - digit] = UInt8(48 + rest % 10)
            rest /= 10
          }
          place += digitCount
          for byte in suffix {
            buffer[place] = byte
            place += 1
          }
          return place
        }
      }
    }
  }
}

extension TrafficText {
  static func capitalized(_ word: some StringProtocol) -> String { word.prefix(1).uppercased() + word.dropFirst() }
}

extension TrafficText {
  /// `prefix` and the low 32 bits in hexadecimal.
  static func word(_ prefix: String, _ value: UInt64) -> String { prefix + SpanID(value).hex.suffix(8) }
}
