/// The bytes that every match of a pattern has.
struct PatternLiterals: Equatable {
  /// Longer ones are cut: they make a search no faster.
  static let maximumByteCount = 256

  /// The only match, if there is only one.
  var exact: [UInt8]?
  /// What every match begins with, ends with, and the longest known to be in every match.
  var prefix: [UInt8]
  var suffix: [UInt8]
  var longest: [UInt8]

  private static let unknown = PatternLiterals(exact: nil, prefix: [], suffix: [], longest: [])

  private init(exact: [UInt8]?, prefix: [UInt8], suffix: [UInt8], longest: [UInt8]) {
    self.exact = exact
    self.prefix = Array(prefix.prefix(Self.maximumByteCount))
    self.suffix = Array(suffix.suffix(Self.maximumByteCount))
    self.longest = Array(longest.prefix(Self.maximumByteCount))
    if let exact, exact.count > Self.maximumByteCount { self.exact = nil }
  }

  private init(exact: [UInt8]) { self.init(exact: exact, prefix: exact, suffix: exact, longest: exact) }

  init(_ node: PatternNode) {
    switch node {
    case .empty: self.init(exact: [])
    case .set(let set):
      if let scalar = set.onlyScalar { self.init(exact: Array(String(scalar).utf8)) } else { self = .unknown }
    case .sequence(let items):
      self.init(exact: [])
      for item in items { append(PatternLiterals(item)) }
    case .choice(let branches):
      guard let first = branches.first else {
        self = .unknown
        return
      }
      self.init(first)
      for branch in branches.dropFirst() { formCommon(PatternLiterals(branch)) }
    case .repetition(let body, let minimum, let maximum):
      guard minimum > 0 else {
        self = maximum == 0 ? PatternLiterals(exact: []) : .unknown
        return
      }
      let one = PatternLiterals(body)
      self = one
      guard one.exact != nil else { return }
      // Past the limit nothing grows any more.
      for _ in 1..<max(minimum, 1) where longest.count < Self.maximumByteCount || exact != nil { append(one) }
      if maximum != minimum { exact = nil }
    }
  }

  private mutating func append(_ next: PatternLiterals) {
    let middle = suffix + next.prefix
    let candidates = [longest, next.longest, middle]
    let longer = candidates.reduce([]) { $1.count > $0.count ? $1 : $0 }
    self = PatternLiterals(
      exact: exact.flatMap { first in next.exact.map { first + $0 } },
      prefix: exact.map { $0 + next.prefix } ?? prefix,
      suffix: next.exact.map { suffix + $0 } ?? next.suffix,
      longest: longer)
  }

  private mutating func formCommon(_ other: PatternLiterals) {
    if exact != other.exact { exact = nil }
    prefix = Array(zip(prefix, other.prefix).prefix { $0.0 == $0.1 }.map(\.0))
    suffix = Array(zip(suffix.reversed(), other.suffix.reversed()).prefix { $0.0 == $0.1 }.map(\.0).reversed())
    longest = prefix.count >= suffix.count ? prefix : suffix
  }
}
