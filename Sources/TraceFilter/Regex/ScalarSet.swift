/// A set of Unicode scalars: sorted ranges that neither touch nor hold surrogates, which no text has.
struct ScalarSet: Sendable, Equatable {
  typealias Range = ClosedRange<UInt32>

  static let maximum: UInt32 = 0x10ffff
  static let all = ScalarSet([0...maximum])
  private static let surrogates: Range = 0xd800...0xdfff

  private(set) var ranges: [Range]

  /// From ranges in any order, which may overlap.
  init(_ unordered: [Range]) {
    var result: [Range] = []
    for range in unordered.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = result.last, range.lowerBound <= last.upperBound + 1 {
        result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        result.append(range)
      }
    }
    ranges = []
    for range in result {
      guard range.overlaps(Self.surrogates) else {
        ranges.append(range)
        continue
      }
      if range.lowerBound < Self.surrogates.lowerBound {
        ranges.append(range.lowerBound...(Self.surrogates.lowerBound - 1))
      }
      if range.upperBound > Self.surrogates.upperBound {
        ranges.append((Self.surrogates.upperBound + 1)...range.upperBound)
      }
    }
  }

  init(_ scalar: UInt32) { self.init([scalar...scalar]) }

  var inverted: ScalarSet {
    var result: [Range] = []
    var next: UInt32 = 0
    for range in ranges {
      if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
      next = range.upperBound + 1
    }
    if next <= Self.maximum { result.append(next...Self.maximum) }
    return ScalarSet(result)
  }

  /// The scalar of a set of one.
  var onlyScalar: Unicode.Scalar? {
    guard ranges.count == 1, ranges[0].lowerBound == ranges[0].upperBound else { return nil }
    return Unicode.Scalar(ranges[0].lowerBound)
  }

  /// The index of the first range that ends at or after `scalar`.
  func firstIndex(endingAtOrAfter scalar: UInt32) -> Int {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < scalar { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
