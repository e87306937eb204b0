/// The distinct words of a column while they are few: codes, ports and flags, of which a stripe index may name all.
enum FewWords {
  /// The most that are named. A word more is a byte or two in the index of every stripe.
  static let maximumCount = 32

  /// The distinct words, in the order of their first places; empty when there are more than `maximumCount`.
  static func distinct(in words: UnsafeBufferPointer<UInt64>) -> [UInt64] {
    guard let first = words.first else { return [] }
    var distinct = [first]
    return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { recent in
      // Mostly a word has been met: one look at its place among recent ones says so.
      recent.initialize(repeating: first)
      for word in words {
        let place = Int(truncatingIfNeeded: (word &* 0x9e37_79b9_7f4a_7c15) &>> 58)
        if recent[place] == word { continue }
        recent[place] = word
        if distinct.contains(word) { continue }
        if distinct.count == maximumCount { return [] }
        distinct.append(word)
      }
      return distinct
    }
  }
}
