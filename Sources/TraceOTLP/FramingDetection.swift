import TraceModel

/// Finds out how an input is framed from its first bytes.
///
/// No framing carries a mark, so each is tried on the first frames and the one whose payloads read best wins. Damage in
/// the payloads leaves the chain of lengths to go by.
struct FramingDetection {
  let bytes: [UInt8]
  /// True when `bytes` are the whole input.
  let isWhole: Bool

  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 }

  var framing: OTLPFrameReader.Framing {
    if let json { return json }
    // In this order, for short messages behind four bytes of length look like empty ones behind varints.
    let candidates: [(framing: OTLPFrameReader.Framing, score: Int)] = [
      (.lengthPrefixed, chainScore(bigEndianLength)), (.message, messageScore),
      (.varintDelimited, chainScore(varintLength)),
    ]
    var best = candidates[0]
    for candidate in candidates.dropFirst() where candidate.score > best.score { best = candidate }
    return best.score > 0 ? best.framing : .message
  }

  /// The framing once no further byte can change it, so that a pipe need not be waited for: the first line is a whole
  /// object, or one of the first frames is whole, has spans in it, and nothing else is possible. Nil before that, and for
  /// an input that is one message or one object, which has to be read to its end anyway.
  var settledFraming: OTLPFrameReader.Framing? {
    if isFirstLineWhole { return .jsonLines }
    guard json == nil else { return nil }
    // Nothing scores higher, and among equals this one wins.
    if chainScore(bigEndianLength, countsCutFrame: false) == Self.spanScore { return .lengthPrefixed }
    // A message begins with field 1, and what cannot be a length in four bytes will never be one.
    guard bytes.count >= 4, bytes[0] != 0x0a, bigEndianLength(0) == nil else { return nil }
    return chainScore(varintLength, countsCutFrame: false) == Self.spanScore ? .varintDelimited : nil
  }

  // JSON.

  private var json: OTLPFrameReader.Framing? {
    guard let first = bytes.firstIndex(where: { !Self.isSpace($0) }), bytes[first] == UInt8(ascii: "{") else {
      return nil
    }
    if isFirstLineWhole { return .jsonLines }
    // A protobuf message shows bytes early on that no JSON text has.
    guard Self.isText(bytes[first...].prefix(256)) else { return nil }
    guard let newline = bytes[first...].firstIndex(of: UInt8(ascii: "\n")) else { return .jsonLines }
    // A damaged first line is told from an object over several lines by how the second begins.
    return bytes[newline...].dropFirst().first == UInt8(ascii: "{") ? .jsonLines : .json
  }

  /// True when the first line that is not blank has ended and is an object.
  private var isFirstLineWhole: Bool {
    guard let first = bytes.firstIndex(where: { !Self.isSpace($0) }), bytes[first] == UInt8(ascii: "{"),
      let newline = bytes[first...].firstIndex(of: UInt8(ascii: "\n"))
    else { return false }
    let line = bytes[first..<newline]
    return Self.isText(line.prefix(256)) && isBalanced(line)
  }

  private static func isText(_ bytes: ArraySlice<UInt8>) -> Bool { bytes.allSatisfy { $0 >= 0x20 || isSpace($0) } }

  /// True when every bracket outside of strings is closed.
  private func isBalanced(_ text: ArraySlice<UInt8>) -> Bool {
    var depth = 0
    var isInString = false
    var isEscaped = false
    for byte in text {
      if isInString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isInString = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      default: break
      }
    }
    return depth == 0 && !isInString
  }

  // Protobuf.

  /// The highest score.
  private static let spanScore = 3

  /// 0 impossible, 1 the lengths make sense, 2 the payload can be a request, 3 and there are spans in it.
  ///
  /// - Parameter byteCount: of the payload, which may go on beyond the bytes at hand.
  private func payloadScore(at start: Int, byteCount: Int) -> Int {
    // Zeros pass for a row of empty requests behind any kind of length: they say nothing.
    guard byteCount > 0 else { return 1 }
    return requestScore(at: start, end: start + byteCount) ?? 1
  }

  /// The field in which requests hold resources, these scopes, and these spans.
  private static let nestedFields = [1, 2, 2]

  /// 2 when the bytes can be a request as far as they are at hand, 3 when there is a span in them, nil when they cannot:
  /// something reaches beyond what it stands in, or has another wire type than it must.
  private func requestScore(at start: Int, end: Int) -> Int? {
    var ends = [end]
    var place = start
    var score = 2
    while true {
      while let last = ends.last, place == last { ends.removeLast() }
      guard let end = ends.last, let key = varint(place, end: end) else { return score }
      let (field, wireType) = (Int(clamping: key.value >> 3), key.value & 7)
      let isNested = ends.count <= Self.nestedFields.count && field == Self.nestedFields[ends.count - 1]
      guard field > 0, !isNested || wireType == 2 else { return nil }
      if ends.count > Self.nestedFields.count { score = Self.spanScore }
      place += key.byteCount
      switch wireType {
      case 0:
        guard let value = varint(place, end: end) else { return score }
        place += value.byteCount
      case 1: place += 8
      case 5: place += 4
      case 2:
        guard let length = varint(place, end: end) else { return score }
        place += length.byteCount
        guard place <= end, length.value <= UInt64(end - place) else { return nil }
        let fieldEnd = place + Int(length.value)
        if isNested { ends.append(fieldEnd) } else { place = fieldEnd }
      default: return nil
      }
      guard place <= end else { return nil }
    }
  }

  /// Nil where the bytes at hand end. A varint that goes on beyond `end`, where what it stands in ends, or has more than ten
  /// bytes, is given as one that nothing can hold.
  private func varint(_ place: Int, end: Int) -> (value: UInt64, byteCount: Int)? {
    var value: UInt64 = 0
    for index in 0..<10 {
      guard place + index < end else { return (.max, index + 1) }
      guard place + index < bytes.count else { return nil }
      let byte = bytes[place + index]
      value |= UInt64(byte & 0x7f) << UInt64(7 * index)
      if byte < 0x80 { return (value, index + 1) }
    }
    return (.max, 10)
  }

  /// Requests without spans may come first, and say little.
  private static let triedFrameCount = 1024

  /// - Parameter countsCutFrame: false to go by the frames that are whole at hand, whatever comes behind them.
  private func chainScore(
    _ length: (Int) -> (value: Int, headerByteCount: Int)?, countsCutFrame: Bool = true
  ) -> Int {
    var place = 0
    var score = 0
    var frameCount = 0
    while place < bytes.count, frameCount < Self.triedFrameCount, score < Self.spanScore {
      guard let (byteCount, headerByteCount) = length(place) else { return brokenChainScore(score) }
      let start = place + headerByteCount
      guard bytes.count - start >= byteCount else {
        guard countsCutFrame else { return score }
        // A frame that goes on beyond the bytes at hand, or is cut short: requests begin with field 1.
        let looksRight = start < bytes.count && bytes[start] == 0x0a
        return max(looksRight ? payloadScore(at: start, byteCount: byteCount) : 0, brokenChainScore(score))
      }
      score = max(score, payloadScore(at: start, byteCount: byteCount))
      place = start + byteCount
      frameCount += 1
    }
    return score
  }

  /// Spans behind a length are no accident, so the file is damaged rather than framed otherwise; anything less is weaker
  /// evidence than a chain that comes out even.
  private func brokenChainScore(_ score: Int) -> Int { isWhole && score < Self.spanScore ? score - 1 : score }

  private func bigEndianLength(_ place: Int) -> (value: Int, headerByteCount: Int)? {
    guard bytes.count - place >= 4 else { return nil }
    let value = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
    return value <= Limits.maximumRequestByteCount ? (value, 4) : nil
  }

  private func varintLength(_ place: Int) -> (value: Int, headerByteCount: Int)? {
    guard let length = varint(place, end: .max), length.value <= UInt64(Limits.maximumRequestByteCount) else {
      return nil
    }
    return (Int(length.value), length.byteCount)
  }

  /// A bare request is a row of fields 1, and nothing else.
  private var messageScore: Int {
    var place = 0
    while place < bytes.count, bytes[place] == 0x0a, let (byteCount, headerByteCount) = varintLength(place + 1) {
      place += 1 + headerByteCount + byteCount
    }
    // The last field may go on beyond the bytes at hand, or be cut short.
    guard place >= bytes.count || bytes[place] == 0x0a else { return 0 }
    return payloadScore(at: 0, byteCount: max(place, bytes.count))
  }
}
