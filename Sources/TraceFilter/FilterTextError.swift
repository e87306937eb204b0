public import TraceModel

/// A text that is not a filter, with the place where it stops being one.
public struct FilterTextError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong and what to do, as one sentence without the place.
  public var message: String
  /// The byte of the text's UTF-8 at which it is wrong; the length of the text when something is missing at its end.
  public var offset: Int

  public init(_ message: String, at offset: Int) {
    self.message = message
    self.offset = offset
  }

  public var description: String { "\(message) [at byte \(offset) of the filter]" }

  /// The line of the text that is wrong and, below it, a caret under the place.
  ///
  /// Control characters are shown as spaces, and of a long line only the surroundings, so that both lines fit a
  /// terminal and stand one below the other.
  public func rendered(in text: String) -> String {
    let bytes = Array(text.utf8)
    let place = min(max(0, offset), bytes.count)
    let newlines: (UInt8) -> Bool = { $0 == 10 || $0 == 13 }
    let start = bytes[..<place].lastIndex(where: newlines).map { $0 + 1 } ?? 0
    let end = bytes[place...].firstIndex(where: newlines) ?? bytes.count
    // Bytes that are no character by themselves, because the place is inside of one, become replacement characters.
    var before = Array(String(decoding: bytes[start..<place], as: UTF8.self))
    var after = Array(String(decoding: bytes[place..<end], as: UTF8.self))
    if before.count > Self.shownCount { before = ["\u{2026}"] + before.suffix(Self.shownCount) }
    if after.count > Self.shownCount { after = after.prefix(Self.shownCount) + ["\u{2026}"] }
    let line = String((before + after).map(Self.shown))
    return line + "\n" + String(repeating: " ", count: before.count) + "^"
  }

  /// Characters of a line that are shown on each side of the place.
  private static let shownCount = 60

  private static func shown(_ character: Character) -> Character {
    character.unicodeScalars.contains { $0.properties.generalCategory == .control } ? " " : character
  }
}

extension TracestoreError {
  /// As an error of a store: `invalidArgument` with the offset.
  public init(_ error: FilterTextError) {
    self.init(
      .invalidArgument, "The filter is not understood: \(error.message)", offset: UInt64(max(0, error.offset)))
  }
}
