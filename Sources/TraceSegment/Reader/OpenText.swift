import Synchronization
import TraceBytes
import TraceColumns

/// A column, in an object so that a look at the form counts one reference.
final class OpenText: Sendable {
  let column: TextColumn
  /// Of a small dictionary that was asked before: its strings, which are inflated together anyway.
  private let dictionary = OnceTable(count: 1)
  private let isAsked = Atomic<Bool>(false)
  /// Larger than it looks while it is packed, or damaged: it is not inflated for each question.
  private let isRefused = Atomic<Bool>(false)
  private let tally: ByteTally

  private static let maximumKeptByteCount = 64 << 10

  init(_ column: TextColumn, _ tally: ByteTally) {
    self.column = column
    self.tally = tally
  }

  /// The strings of the dictionary, if they are worth keeping.
  func keptDictionary(_ scratch: ReadScratch) -> TextArena? {
    if let known = dictionary.object(at: 0, as: TextArena.self) { return known }
    guard let list = column.dictionary, list.byteCount <= Self.maximumKeptByteCount,
      isAsked.exchange(true, ordering: .relaxed), !isRefused.load(ordering: .relaxed)
    else { return nil }
    // What cannot be read says so row by row.
    guard let made = try? TextArena(list, maximumByteCount: Self.maximumKeptByteCount, scratch) else {
      isRefused.store(true, ordering: .relaxed)
      return nil
    }
    if dictionary.put(made, at: 0) { tally.add(made.residentByteCount) }
    return made
  }
}

/// A dictionary of a text column: indices into the shared strings, then the local ones.
final class TextDictionary: Sendable {
  let indices: IntegerChunk
  /// Codes in the segment's strings, ascending.
  let shared: [UInt32]
  let local: TextArena

  var count: Int { shared.count + local.count }

  init(indices: IntegerChunk, shared: [UInt32], local: TextArena) {
    self.indices = indices
    self.shared = shared
    self.local = local
  }

  /// The index of a string whose code in the segment's strings is `code`, nil when it is not among them.
  func entry(of text: [UInt8], code: UInt32?) -> UInt64? {
    if let code {
      var low = 0
      var high = shared.count
      while low < high {
        let middle = (low + high) / 2
        if shared[middle] < code { low = middle + 1 } else { high = middle }
      }
      if low < shared.count, shared[low] == code { return UInt64(low) }
    }
    return local.index(of: text).map { UInt64(shared.count + $0) }
  }
}
