import Synchronization
import TraceColumns

/// Texts to look for. A list remembers what a dictionary makes of it, so that a thousand texts are looked up once in
/// each dictionary and not once in each stripe. Thread-safe.
package final class TextList: Sendable {
  /// UTF-8, distinct and ascending.
  package let texts: [[UInt8]]
  /// In the words of `FilterHash`, in the order of the texts.
  package let hashes: [UInt64]
  /// Empty for short lists, which are compared text by text.
  private let hashSet: Set<UInt64>
  private let known = Mutex<[ObjectIdentifier: Known]>([:])
  private let spelled = Mutex<String?>(nil)

  private struct Known {
    /// Keeps its address from being given to another one.
    var dictionary: any AnyObject & Sendable
    var codes: CodeList
  }

  /// Longer lists are asked by hash first.
  private static let comparedTextCount = 4

  /// - Parameter texts: in any order; equal ones are one.
  package init(_ texts: [[UInt8]]) {
    var distinct: [[UInt8]] = []
    for text in texts.sorted(by: { $0.lexicographicallyPrecedes($1) }) where distinct.last != text {
      distinct.append(text)
    }
    self.texts = distinct
    hashes = distinct.map { FilterHash.hash($0) }
    hashSet = distinct.count > Self.comparedTextCount ? Set(hashes) : []
  }

  package var isEmpty: Bool { texts.isEmpty }
  package var count: Int { texts.count }

  package func contains(_ text: UnsafeRawBufferPointer) -> Bool {
    guard texts.count > Self.comparedTextCount else { return texts.contains { text.elementsEqual($0) } }
    guard hashSet.contains(FilterHash.hash(text)) else { return false }
    var low = 0
    var high = texts.count
    while low < high {
      let middle = (low + high) / 2
      if texts[middle].lexicographicallyPrecedes(text) { low = middle + 1 } else { high = middle }
    }
    return low < texts.count && text.elementsEqual(texts[low])
  }

  /// The codes of the texts in a dictionary that does not change.
  ///
  /// - Parameter code: looks a text up; asked for each text when the dictionary is first met.
  package func codes(in dictionary: any AnyObject & Sendable, _ code: ([UInt8]) -> UInt32?) -> CodeList {
    let key = ObjectIdentifier(dictionary)
    if let known = known.withLock({ $0[key]?.codes }) { return known }
    let codes = CodeList(texts.compactMap(code))
    known.withLock { $0[key] = Known(dictionary: dictionary, codes: codes) }
    return codes
  }

  /// Says all texts: they are spelled once.
  var name: String {
    spelled.withLock { spelled in
      let name = spelled ?? "one of \(texts)"
      spelled = name
      return name
    }
  }
}

/// Codes of texts that are looked for.
package struct CodeList: Sendable {
  /// Distinct and ascending.
  package let codes: [UInt32]

  package init(_ codes: [UInt32]) { self.codes = codes.sorted() }

  package var isEmpty: Bool { codes.isEmpty }

  package func contains(_ code: UInt32) -> Bool { Self.holds(codes, code) }

  /// Whether any of other ascending codes is among them. Logarithmic in the longer list.
  package func containsAny(of others: [UInt32]) -> Bool {
    codes.count < others.count
      ? codes.contains { Self.holds(others, $0) } : others.contains { Self.holds(codes, $0) }
  }

  private static func holds(_ codes: [UInt32], _ code: UInt32) -> Bool {
    var low = 0
    var high = codes.count
    while low < high {
      let middle = (low + high) / 2
      if codes[middle] < code { low = middle + 1 } else { high = middle }
    }
    return low < codes.count && codes[low] == code
  }
}
