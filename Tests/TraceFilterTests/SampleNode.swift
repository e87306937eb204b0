/// A pattern as a tree, with a matcher of its own that follows the definition: it maps the places where a match of a
/// part may begin to the places where it may end. Places are bits of an integer.
indirect enum SampleNode: Sendable {
  case empty
  /// One scalar, written as `text`.
  case leaf(text: String, contains: @Sendable (Unicode.Scalar) -> Bool)
  case sequence(SampleNode, SampleNode)
  case choice(SampleNode, SampleNode)
  case repetition(SampleNode, quantifier: Quantifier)

  struct Quantifier: Sendable {
    var text: String
    var minimum: Int
    var maximum: Int?
  }

  static func literal(_ scalar: Unicode.Scalar) -> SampleNode { .leaf(text: String(scalar)) { $0 == scalar } }

  var text: String {
    switch self {
    case .empty: "(?:)"
    case .leaf(let text, _): text
    case .sequence(let first, let second): first.textInSequence + second.textInSequence
    case .choice(let first, let second): "\(first.text)|\(second.text)"
    case .repetition(let body, let quantifier):
      switch body {
      case .leaf(let text, _): "\(text)\(quantifier.text)"
      default: "(\(body.text))\(quantifier.text)"
      }
    }
  }

  private var textInSequence: String {
    if case .choice = self { "(?:\(text))" } else { text }
  }

  func isFound<Places: FixedWidthInteger>(in text: SampleText<Places>) -> Bool {
    ends(of: ~0 >> (Places.bitWidth - text.byteCount - 1), in: text) != 0
  }

  private func ends<Places: FixedWidthInteger>(of starts: Places, in text: SampleText<Places>) -> Places {
    switch self {
    case .empty: return starts
    case .leaf(_, let contains):
      var ends: Places = 0
      for (place, scalar, end) in text.scalars where starts & (1 << place) != 0 && contains(scalar) { ends |= 1 << end }
      return ends
    case .sequence(let first, let second): return second.ends(of: first.ends(of: starts, in: text), in: text)
    case .choice(let first, let second): return first.ends(of: starts, in: text) | second.ends(of: starts, in: text)
    case .repetition(let body, let quantifier):
      var now = starts
      for _ in 0..<quantifier.minimum { now = body.ends(of: now, in: text) }
      var all = now
      var copyCount = quantifier.minimum
      while now != 0, copyCount < quantifier.maximum ?? .max {
        now = body.ends(of: now, in: text) & (quantifier.maximum == nil ? ~all : ~0)
        all |= now
        copyCount += 1
      }
      return all
    }
  }
}

/// A text, with the scalars that are well-formed in it and where they begin and end.
struct SampleText<Places: FixedWidthInteger> {
  var bytes: [UInt8]
  var byteCount: Int { bytes.count }
  var scalars: [(place: Int, scalar: Unicode.Scalar, end: Int)] = []

  init(_ bytes: [UInt8]) {
    precondition(bytes.count < Places.bitWidth)
    self.bytes = bytes
    for place in bytes.indices {
      for length in 1...4 where place + length <= bytes.count {
        let scalars = String(validating: bytes[place..<(place + length)], as: UTF8.self)?.unicodeScalars
        if let scalars, scalars.count == 1, let scalar = scalars.first {
          self.scalars.append((place, scalar, place + length))
        }
      }
    }
  }
}
