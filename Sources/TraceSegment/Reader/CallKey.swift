/// Tells lists of texts apart without looking at them again.
///
/// Names come from anywhere, and whoever can foresee a hash can choose two lists that share it, whose figures would then be
/// added up. So these are 128 bits of a hash (SipHash) under a key that is drawn for each process and never leaves it. They
/// mean nothing to another process, and are never stored.
package struct CallKey: Hashable, Sendable {
  private let first: Int
  private let second: Int

  package init(of texts: [[UInt8]]) {
    func hash(_ half: UInt8) -> Int {
      var hasher = Hasher()
      hasher.combine(half)
      for text in texts {
        // Or the end of one could begin the next.
        hasher.combine(text.count)
        text.withUnsafeBytes { hasher.combine(bytes: $0) }
      }
      return hasher.finalize()
    }
    (first, second) = (hash(0), hash(1))
  }
}
