import ArgumentParser
import TraceModel

/// A time as people and scripts write it: RFC 3339, or nanoseconds since 1970.
struct TimeArgument: ExpressibleByArgument {
  var time: Timestamp

  init?(argument: String) {
    guard let time = Timestamp(text: argument) else { return nil }
    self.time = time
  }
}

/// A duration: one or more figures with units, such as `250us`, `1.5s`, `1h30m`.
struct DurationArgument: ExpressibleByArgument {
  var nanoseconds: UInt64

  private static let units: [(name: String, nanoseconds: UInt64)] = [
    ("ns", 1), ("us", 1000), ("µs", 1000), ("μs", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
    ("m", 60_000_000_000), ("h", 3_600_000_000_000), ("d", 86_400_000_000_000),
  ]

  init?(argument: String) {
    var total: UInt64 = 0
    var rest = argument[...]
    guard !rest.isEmpty else { return nil }
    if rest == "0" {
      nanoseconds = 0
      return
    }
    while !rest.isEmpty {
      let figure = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
      let unit = rest[figure.endIndex...].prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
      guard let scale = Self.units.first(where: { $0.name == unit })?.nanoseconds,
        let part = scaled(figure, by: scale)
      else { return nil }
      let (sum, overflow) = total.addingReportingOverflow(part)
      if overflow { return nil }
      total = sum
      rest = rest[unit.endIndex...]
    }
    nanoseconds = total
  }
}

/// A number of bytes, alone or with a unit: `5000000`, `1.5GB`, `512MiB`.
struct ByteCountArgument: ExpressibleByArgument {
  var byteCount: UInt64

  private static let units: [Substring: UInt64] = [
    "": 1, "B": 1, "kB": 1000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000, "KiB": 1 << 10,
    "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
  ]

  init?(argument: String) {
    let figure = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    guard let scale = Self.units[argument[figure.endIndex...]], let product = scaled(figure, by: scale) else {
      return nil
    }
    byteCount = product
  }
}

/// Exact for whole figures; fractions below one are cut off.
private func scaled(_ figure: Substring, by scale: UInt64) -> UInt64? {
  let parts = figure.split(separator: ".", omittingEmptySubsequences: false)
  guard (1...2).contains(parts.count), let whole = UInt64(parts[0]) else { return nil }
  let (product, overflow) = whole.multipliedReportingOverflow(by: scale)
  if overflow { return nil }
  guard parts.count == 2 else { return product }
  guard !parts[1].isEmpty, parts[1].utf8.count <= 15, parts[1].allSatisfy(\.isNumber) else { return nil }
  var fraction: UInt64 = 0
  var unit = scale
  for digit in parts[1] {
    unit /= 10
    fraction += unit * UInt64(digit.wholeNumberValue ?? 0)
  }
  let (sum, carry) = product.addingReportingOverflow(fraction)
  return carry ? nil : sum
}

/// A trace id: 1 to 32 hexadecimal digits.
struct TraceIDArgument: ExpressibleByArgument {
  var traceID: TraceID

  init?(argument: String) {
    guard let traceID = TraceID(hex: argument) else { return nil }
    self.traceID = traceID
  }
}

struct SpanKindArgument: ExpressibleByArgument {
  var kind: SpanKind
  static let allValueStrings = ["unspecified", "internal", "server", "client", "producer", "consumer"]

  init?(argument: String) {
    guard let kind = SpanKind(word: argument) else { return nil }
    self.kind = kind
  }
}

struct StatusArgument: ExpressibleByArgument {
  var code: SpanStatus.Code
  static let allValueStrings = ["unset", "ok", "error"]

  init?(argument: String) {
    guard let code = SpanStatus.Code(word: argument) else { return nil }
    self.code = code
  }
}

/// `KEY=VALUE`; the value may hold further equals signs and may be empty.
struct AttributeArgument: ExpressibleByArgument {
  var attribute: Attribute

  init?(argument: String) {
    // By bytes: as a character the sign would take up a combining mark that the value begins with.
    let bytes = argument.utf8
    guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")), equals > bytes.startIndex else { return nil }
    let value = bytes[bytes.index(after: equals)...]
    attribute = Attribute(
      String(decoding: bytes[..<equals], as: UTF8.self), .string(String(decoding: value, as: UTF8.self)))
  }
}
