import TraceModel

/// Text from outside, made safe for a terminal.
enum Sanitized {
  /// Replaces control characters and marks that reorder text: a span's name must not move the cursor.
  static func line(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
    var result = ""
    for scalar in text.unicodeScalars { result.unicodeScalars.append(isUnsafe(scalar) ? "\u{fffd}" : scalar) }
    return result
  }

  private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7f..<0xa0, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: true
    default: false
    }
  }
}

/// How wide text is on a terminal.
enum DisplayWidth {
  static func of(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { $0 + width(of: $1) }
  }

  private static func width(of scalar: Unicode.Scalar) -> Int {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    switch scalar.value {
    case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
      0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f900...0x1f9ff, 0x20000...0x3fffd:
      return 2
    default: return 1
    }
  }

  /// The text, cut with an ellipsis where it would be wider than `width`.
  static func cut(_ text: String, to width: Int) -> String {
    guard of(text) > width else { return text }
    var result = ""
    var used = 0
    for scalar in text.unicodeScalars {
      let next = used + Self.width(of: scalar)
      if next > width - 1 { break }
      result.unicodeScalars.append(scalar)
      used = next
    }
    return result + (width > 0 ? "…" : "")
  }

  static func padded(_ text: String, to width: Int, isRight: Bool = false) -> String {
    let spaces = String(repeating: " ", count: max(0, width - of(text)))
    return isRight ? spaces + text : text + spaces
  }
}

/// Figures for people.
enum Figure {
  /// `1,234,567`.
  static func count(_ value: UInt64) -> String {
    var result = ""
    let digits = Array(String(value))
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
      result.append(digit)
    }
    return result
  }

  static func count(_ value: Int) -> String { count(UInt64(clamping: value)) }

  /// `1 span`, `2 spans`.
  static func count(_ value: Int, _ noun: String) -> String { "\(count(value)) \(noun)\(value == 1 ? "" : "s")" }

  /// `12.3 MB`, in thousands as disks are sold.
  static func bytes(_ value: UInt64) -> String {
    var scaled = Double(value)
    for unit in ["B", "kB", "MB", "GB", "TB"] {
      if scaled < 999.5 || unit == "TB" { return "\(unit == "B" ? "\(value)" : threeDigits(scaled)) \(unit)" }
      scaled /= 1000
    }
    return "\(value) B"
  }

  /// `231ms`, `12.3ms`, `1.25s`, `3m20s`.
  static func duration(_ nanoseconds: UInt64) -> String {
    switch nanoseconds {
    case ..<1000: return "\(nanoseconds)ns"
    case ..<999_500: return threeDigits(Double(nanoseconds) / 1e3) + "us"
    case ..<999_500_000: return threeDigits(Double(nanoseconds) / 1e6) + "ms"
    case ..<60_000_000_000: return threeDigits(Double(nanoseconds) / 1e9) + "s"
    default:
      let seconds = nanoseconds / 1_000_000_000
      if seconds < 3600 { return "\(seconds / 60)m\(seconds % 60)s" }
      if seconds < 86_400 { return "\(seconds / 3600)h\(seconds / 60 % 60)m" }
      return "\(seconds / 86_400)d\(seconds / 3600 % 24)h"
    }
  }

  /// Three significant digits below 1,000.
  static func threeDigits(_ value: Double) -> String {
    decimal(value, fractionDigits: value < 9.995 ? 2 : value < 99.95 ? 1 : 0)
  }

  static func decimal(_ value: Double, fractionDigits: Int) -> String {
    let scale = [1.0, 10, 100, 1000][min(3, max(0, fractionDigits))]
    let scaled = UInt64(max(0, min(value * scale, 1e18)).rounded())
    let whole = scaled / UInt64(scale)
    guard fractionDigits > 0 else { return String(whole) }
    let fraction = String(scaled % UInt64(scale))
    return "\(whole)." + String(repeating: "0", count: fractionDigits - fraction.count) + fraction
  }

  /// RFC 3339 with milliseconds.
  static func time(_ time: Timestamp) -> String {
    let rounded = Timestamp(nanoseconds: time.nanoseconds - time.nanoseconds % 1_000_000)
    var text = rounded.rfc3339
    guard text.utf8.last == UInt8(ascii: "Z") else { return text }
    text.removeLast()
    if !text.contains(".") { text += "." }
    let fractionDigits = text.utf8.count - 20
    return text + String(repeating: "0", count: max(0, 3 - fractionDigits)) + "Z"
  }

  /// A bar of up to `width` cells in eighths.
  static func bar(_ share: Double, width: Int) -> String {
    let eighths = Int((max(0, min(1, share)) * Double(width * 8)).rounded())
    let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
    return String(repeating: "█", count: eighths / 8) + parts[eighths % 8]
  }
}

/// Rows in columns, as wide as needed.
struct TextTable {
  var headings: [String]
  /// Columns of figures, which stand to the right.
  var rightColumns: Set<Int> = []
  var rows: [[String]] = []
  /// Paints a cell once its width is settled.
  var paint: (_ row: Int, _ column: Int, _ text: String) -> String = { $2 }

  init(_ headings: [String], right rightColumns: Set<Int> = []) {
    self.headings = headings
    self.rightColumns = rightColumns
  }

  mutating func add(_ row: [String]) { rows.append(row.map(Sanitized.line)) }

  func lines() -> [String] {
    let widths = headings.indices.map { column in
      rows.reduce(DisplayWidth.of(headings[column])) { max($0, DisplayWidth.of($1[column])) }
    }
    func line(_ cells: [String], _ paint: (Int, String) -> String) -> String {
      var line = ""
      for (column, cell) in cells.enumerated() {
        if column > 0 { line += "  " }
        let isLast = column == cells.count - 1
        let padded =
          isLast && !rightColumns.contains(column)
          ? cell : DisplayWidth.padded(cell, to: widths[column], isRight: rightColumns.contains(column))
        line += paint(column, padded)
      }
      return line
    }
    return [line(headings) { Style.bold($1) }]
      + rows.enumerated().map { index, row in line(row) { paint(index, $0, $1) } }
  }

  func print() {
    for line in lines() { StandardOutput.shared.writeLine(line) }
  }
}
