/// How many durations fall into each bucket of the log-linear scale, for many durations that come one by one: to count one
/// takes some nanoseconds, whatever is there.
///
/// Memory follows the octaves that have durations: a page of counts each, in the order they came. What is asked about
/// durations is asked of `BucketCounts`.
package struct OctaveCounts: Sendable {
  /// Empty before the first duration. Then which page each octave has, a byte each, 0 for none; behind that the pages, whose
  /// counts stay at the greatest number.
  private var words: [UInt32] = []

  private static let pageWordCount = 32
  private static let octaveCount = LogLinearScale.bucketCount / pageWordCount
  private static let indexWordCount = (octaveCount + 3) / 4

  package init() {}

  package init(_ buckets: BucketCounts) {
    for entry in buckets.entries { _ = add(bucket: entry.bucket, count: UInt32(clamping: entry.count)) }
  }

  /// Adds durations by their bucket, and returns by how many bytes the counts grew.
  ///
  /// - Precondition: the bucket lies on the scale.
  package mutating func add(bucket: UInt16, count: UInt32 = 1) -> Int {
    var grown = 0
    if words.isEmpty {
      words = Array(repeating: 0, count: Self.indexWordCount)
      grown = 4 * Self.indexWordCount
    }
    let octave = Int(bucket) / Self.pageWordCount
    var page = page(of: octave)
    if page == 0 {
      page = (words.count - Self.indexWordCount) / Self.pageWordCount + 1
      words[octave / 4] |= UInt32(truncatingIfNeeded: page) &<< Self.indexShift(octave)
      words += repeatElement(0, count: Self.pageWordCount)
      grown += 4 * Self.pageWordCount
    }
    let place = Self.firstWord(ofPage: page) &+ Int(bucket) % Self.pageWordCount
    let (sum, isTooMuch) = words[place].addingReportingOverflow(count)
    words[place] = isTooMuch ? .max : sum
    return grown
  }

  /// The same counts, ascending by bucket.
  package var buckets: BucketCounts {
    if words.isEmpty { return BucketCounts() }
    var entries: [BucketCounts.Entry] = []
    for octave in 0..<Self.octaveCount {
      let page = page(of: octave)
      if page == 0 { continue }
      let first = Self.firstWord(ofPage: page)
      for place in 0..<Self.pageWordCount where words[first + place] > 0 {
        let bucket = UInt16(truncatingIfNeeded: octave * Self.pageWordCount + place)
        entries.append(BucketCounts.Entry(bucket: bucket, count: UInt64(words[first + place])))
      }
    }
    // Never nil: 1,920 counts of 32 bits fit.
    return BucketCounts(entries) ?? BucketCounts()
  }

  @inline(__always)
  private func page(of octave: Int) -> Int {
    Int(truncatingIfNeeded: words[octave / 4] &>> Self.indexShift(octave) & 0xff)
  }

  private static func indexShift(_ octave: Int) -> UInt32 { UInt32(truncatingIfNeeded: 8 &* (octave & 3)) }

  private static func firstWord(ofPage page: Int) -> Int { indexWordCount &+ (page &- 1) &* pageWordCount }
}
