import Synchronization

/// Random bits for ids, without a call of the operating system for each: ids have to differ, not to be secret.
///
/// xoshiro256** (David Blackman and Sebastiano Vigna, public domain), seeded by the system. Thread-safe.
final class RandomBits: Sendable {
  private let words: Mutex<(UInt64, UInt64, UInt64, UInt64)>

  init() {
    var system = SystemRandomNumberGenerator()
    // All zeros would stay so.
    words = Mutex((system.next() | 1, system.next(), system.next(), system.next()))
  }

  func next() -> UInt64 {
    func rotated(_ word: UInt64, _ bits: UInt64) -> UInt64 { word &<< bits | word &>> (64 &- bits) }
    return words.withLock { words in
      let result = rotated(words.1 &* 5, 7) &* 9
      let shifted = words.1 &<< 17
      words.2 ^= words.0
      words.3 ^= words.1
      words.1 ^= words.2
      words.0 ^= words.3
      words.2 ^= shifted
      words.3 = rotated(words.3, 45)
      return result
    }
  }
}
