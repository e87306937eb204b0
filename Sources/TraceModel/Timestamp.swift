/// An instant in nanoseconds since 1970-01-01T00:00:00Z, unsigned as in OTLP (until the year 2554).
///
/// Zero means "not set" wherever OTLP says so.
@frozen
public struct Timestamp: Hashable, BitwiseCopyable, Sendable, Comparable, Codable {
  public var nanoseconds: UInt64

  @inlinable public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// The instant that OTLP writes for "not set".
  public static let zero = Timestamp(nanoseconds: 0)
  /// The greatest instant; as an upper bound it means "unbounded".
  public static let maximum = Timestamp(nanoseconds: .max)

  @inlinable
  public static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }
}

extension Timestamp {
  /// RFC 3339 in UTC with the fewest fractional digits that lose nothing: `2026-01-07T10:00:00.5Z`.
  public var rfc3339: String {
    let seconds = nanoseconds / 1_000_000_000
    let (year, month, day) = CivilDate.fromDays(Int(seconds / 86_400))
    let secondOfDay = Int(seconds % 86_400)
    func padded(_ value: Int, _ width: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    var text = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T"
    text += "\(padded(secondOfDay / 3600, 2)):\(padded(secondOfDay / 60 % 60, 2)):\(padded(secondOfDay % 60, 2))"
    var fraction = padded(Int(nanoseconds % 1_000_000_000), 9)
    while fraction.last == "0" { fraction.removeLast() }
    return text + (fraction.isEmpty ? "" : "." + fraction) + "Z"
  }

  /// Reads RFC 3339 with any offset and up to nine fractional digits, or an integer count of nanoseconds.
  /// Instants before 1970 or after 2554 are refused.
  public init?(text: some StringProtocol) {
    if let value = UInt64(text) {
      self.init(nanoseconds: value)
      return
    }
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes[4] == 45, bytes[7] == 45, bytes[13] == 58, bytes[16] == 58,
      [84, 116, 32].contains(bytes[10])
    else { return nil }
    func number(_ range: Range<Int>) -> Int? {
      guard range.upperBound <= bytes.count else { return nil }
      var value = 0
      for byte in bytes[range] {
        guard (48...57).contains(byte) else { return nil }
        value = value * 10 + Int(byte) - 48
      }
      return value
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
      let minute = number(14..<16), let second = number(17..<19),
      (1...12).contains(month), (1...CivilDate.dayCount(year: year, month: month)).contains(day),
      hour < 24, minute < 60, second < 61
    else { return nil }
    var place = 19
    var fraction: UInt64 = 0
    if bytes[place] == 46 {
      place += 1
      var scale: UInt64 = 100_000_000
      let first = place
      while place < bytes.count, (48...57).contains(bytes[place]) {
        guard scale > 0 else { return nil }
        fraction += UInt64(bytes[place] - 48) * scale
        scale /= 10
        place += 1
      }
      guard place > first else { return nil }
    }
    guard place < bytes.count else { return nil }
    var offsetSeconds = 0
    switch bytes[place] {
    case 90, 122:
      guard place + 1 == bytes.count else { return nil }
    case 43, 45:
      guard place + 6 == bytes.count, bytes[place + 3] == 58, let hours = number(place + 1..<place + 3),
        let minutes = number(place + 4..<place + 6), hours < 24, minutes < 60
      else { return nil }
      offsetSeconds = (hours * 3600 + minutes * 60) * (bytes[place] == 43 ? 1 : -1)
    default: return nil
    }
    let seconds =
      CivilDate.days(year: year, month: month, day: day) * 86_400 + hour * 3600 + minute * 60 + second - offsetSeconds
    guard seconds >= 0 else { return nil }
    let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (value, carry) = whole.addingReportingOverflow(fraction)
    guard !overflow, !carry else { return nil }
    self.init(nanoseconds: value)
  }
}

extension Timestamp: CustomStringConvertible {
  public var description: String { rfc3339 }
}

/// The proleptic Gregorian calendar, counted in days from 1970-01-01
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013).
enum CivilDate {
  static func days(year: Int, month: Int, day: Int) -> Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  static func fromDays(_ days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    let month = monthIndex + (monthIndex < 10 ? 3 : -9)
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthIndex + 2) / 5 + 1)
  }

  static func dayCount(year: Int, month: Int) -> Int {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }
}
