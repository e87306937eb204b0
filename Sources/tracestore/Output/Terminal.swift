import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What standard output and standard error are connected to.
enum Terminal {
  static let isOutputInteractive = isatty(1) == 1
  static let isErrorInteractive = isatty(2) == 1

  /// Whether tables may use colour: on a terminal, unless `NO_COLOR` is set to anything.
  static let hasColour: Bool = {
    if let text = getenv("NO_COLOR"), text.pointee != 0 { return false }
    if let text = getenv("TERM"), String(cString: text) == "dumb" { return false }
    return isOutputInteractive
  }()

  /// Columns of the terminal, or of `COLUMNS`; 100 for files and pipes.
  static let width: Int = {
    var size = winsize()
    if ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return max(40, Int(size.ws_col)) }
    if let text = getenv("COLUMNS"), let value = Int(String(cString: text)), (40...1000).contains(value) {
      return value
    }
    return 100
  }()

  private static let hasProgress = Atomic(false)

  /// Replaces the line of progress on standard error; nothing where that is no terminal.
  static func showProgress(_ text: String) {
    guard isErrorInteractive else { return }
    hasProgress.store(true, ordering: .relaxed)
    StandardError.write("\r\u{1b}[2K" + text)
  }

  static func clearProgress() {
    if hasProgress.exchange(false, ordering: .relaxed) { StandardError.write("\r\u{1b}[2K") }
  }
}

/// A colour or weight for a piece of text.
enum Style {
  static func apply(_ codes: String, _ text: String) -> String {
    Terminal.hasColour && !text.isEmpty ? "\u{1b}[\(codes)m\(text)\u{1b}[0m" : text
  }

  static func bold(_ text: String) -> String { apply("1", text) }
  static func dim(_ text: String) -> String { apply("2", text) }
  static func red(_ text: String) -> String { apply("31", text) }
  static func yellow(_ text: String) -> String { apply("33", text) }

  /// Colours of the 256 that are readable on dark and on light ground.
  private static let palette = [33, 37, 64, 70, 91, 97, 130, 136, 166, 168, 31, 71, 105, 132, 172, 29]

  /// A colour that depends on the name alone, so that a service looks the same in every trace.
  static func named(_ name: String, _ text: String) -> String {
    var hash: UInt32 = 2_166_136_261
    for byte in name.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    return apply("38;5;\(palette[Int(hash >> 8) % palette.count])", text)
  }
}
