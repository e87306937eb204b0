/// Memory that is used again for every stripe. What stood in it is not kept when it grows.
final class ReusedBuffer<Element: BitwiseCopyable> {
  private var elements: UnsafeMutablePointer<Element>
  private var capacity: Int

  init() {
    capacity = 0
    elements = .allocate(capacity: 1)
  }

  deinit { elements.deallocate() }

  /// Room for `count` elements, with any content.
  func reserve(_ count: Int) -> UnsafeMutablePointer<Element> {
    if count > capacity {
      elements.deallocate()
      capacity = count + count / 4
      elements = .allocate(capacity: capacity)
    }
    return elements
  }
}

typealias WordBuffer = ReusedBuffer<UInt64>

/// Remembers a 32-bit number for each of many codes, and forgets them all at once.
///
/// A round takes no time to begin: an entry counts only when it carries the number of the round.
struct StampTable: ~Copyable {
  private let entries: UnsafeMutablePointer<UInt64>
  private let count: Int
  private var round: UInt64 = 0

  init(count: Int) {
    self.count = count
    entries = .allocate(capacity: max(1, count))
    entries.initialize(repeating: 0, count: max(1, count))
  }

  deinit { entries.deallocate() }

  mutating func beginRound() {
    round += 1
    precondition(round <= UInt64(UInt32.max), "a stamp table is used for 2^32 rounds")
  }

  /// The number of a code; a new code gets `next`.
  @inline(__always)
  func number(_ code: UInt32, next: UInt32) -> (number: UInt32, isNew: Bool) {
    let entry = entries + Int(code)
    let word = entry.pointee
    if word >> 32 == round { return (UInt32(truncatingIfNeeded: word), false) }
    entry.pointee = round << 32 | UInt64(next)
    return (next, true)
  }

  @inline(__always)
  func set(_ code: UInt32, _ number: UInt32) { entries[Int(code)] = round << 32 | UInt64(number) }

  /// The number of a code that is known to have one.
  @inline(__always)
  subscript(code: UInt32) -> UInt32 { UInt32(truncatingIfNeeded: entries[Int(code)]) }
}
