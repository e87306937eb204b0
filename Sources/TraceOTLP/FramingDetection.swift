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

  // JSON.

  private var json: OTLPFrameReader.Framing? {
    guard let first = bytes.firstIndex(where: { !Self.isSpace($0) }), bytes[first] == UInt8(ascii: "{") else {
      return nil
    }
    // A protobuf message shows bytes early on that no JSON text has.
    guard bytes[first...].prefix(256).allSatisfy({ $0 >= 0x20 || Self.isSpace($0) }) else { return nil }
    guard let newline = bytes[first...].firstIndex(of: UInt8(ascii: "\n")) else { return .jsonLines }
    if isBalanced(bytes[first..<newline]) { return .jsonLines }
    // A damaged first line is told from an object over several lines by how the second begins.
    return bytes[newline...].dropFirst().first == UInt8(ascii: "{") ? .jsonLines : .json
  }

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

  /// 0 impossible, 1 the lengths make sense, 2 the payloads can be read, 3 and there are spans in them.
  private func payloadScore(_ range: Range<Int>) -> Int {
    // Zeros pass for a row of empty requests behind any kind of length: they say nothing.
    guard !range.isEmpty else { return 1 }
    var refusals: [OTLP.Refusal] = []
    guard let data = try? OTLP.decode(Array(bytes[range]), refusals: &refusals) else { return 1 }
    return data.isEmpty && refusals.isEmpty ? 2 : 3
  }

  private static let triedFrameCount = 4

  private func chainScore(_ length: (Int) -> (value: Int, headerByteCount: Int)?) -> Int {
    var place = 0
    var score = 0
    var frameCount = 0
    while place < bytes.count, frameCount < Self.triedFrameCount {
      guard let (byteCount, headerByteCount) = length(place) else { return brokenChainScore(score) }
      let start = place + headerByteCount
      guard bytes.count - start >= byteCount else {
        // A frame that goes on beyond the bytes at hand, or is cut short: requests begin with field 1.
        let looksRight = start < bytes.count && bytes[start] == 0x0a && byteCount < 1 << 24
        return max(looksRight ? 1 : 0, brokenChainScore(score))
      }
      score = max(score, payloadScore(start..<start + byteCount))
      place = start + byteCount
      frameCount += 1
    }
    return score
  }

  /// Spans behind a length are no accident, so the file is damaged rather than framed otherwise; anything less is weaker
  /// evidence than a chain that comes out even.
  private func brokenChainScore(_ score: Int) -> Int { isWhole && score < 3 ? score - 1 : score }

  private func bigEndianLength(_ place: Int) -> (value: Int, headerByteCount: Int)? {
    guard bytes.count - place >= 4 else { return nil }
    let value = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
    return value <= Limits.maximumRequestByteCount ? (value, 4) : nil
  }

  private func varintLength(_ place: Int) -> (value: Int, headerByteCount: Int)? {
    var value = 0
    for index in 0..<min(5, bytes.count - place) {
      value |= Int(bytes[place + index] & 0x7f) << (7 * index)
      if bytes[place + index] < 0x80 {
        return value <= Limits.maximumRequestByteCount ? (value, index + 1) : nil
      }
    }
    return nil
  }

  /// A bare request is a row of fields 1, and nothing else.
  private var messageScore: Int {
    var place = 0
    while place < bytes.count, bytes[place] == 0x0a, let (byteCount, headerByteCount) = varintLength(place + 1) {
      let end = place + 1 + headerByteCount + byteCount
      if end > bytes.count { break }
      place = end
    }
    if place == bytes.count { return payloadScore(0..<place) }
    guard bytes[place] == 0x0a else { return 0 }
    return place > 0 ? payloadScore(0..<place) : 1
  }
}
