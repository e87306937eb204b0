/// Byte strings one after another in one allocation.
struct TextArena {
  private(set) var bytes: [UInt8] = []
  private(set) var ends: [Int] = []

  init() {}

  init(_ texts: [[UInt8]]) {
    for text in texts {
      bytes.append(contentsOf: text)
      ends.append(bytes.count)
    }
  }

  var count: Int { ends.count }

  mutating func append(_ text: UnsafeRawBufferPointer) {
    bytes.append(contentsOf: text)
    ends.append(bytes.count)
  }

  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
  }

  func range(of index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }

  func isEqual(at index: Int, to text: UnsafeRawBufferPointer) -> Bool {
    let range = range(of: index)
    return range.count == text.count
      && bytes.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[range]).hasEqualBytes(text) }
  }

  /// Hands a function to `body` that gives each string, borrowed for the call.
  func withTexts<Result, Failure: Error>(
    _ body: ((Int) -> UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try bytes.withRawBytes { raw throws(Failure) in
      try body { UnsafeRawBufferPointer(rebasing: raw[range(of: $0)]) }
    }
  }
}

extension Array where Element == UInt8 {
  /// `withUnsafeBytes` that keeps the type of the error.
  func withRawBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try withUnsafeBufferPointer { buffer throws(Failure) in try body(UnsafeRawBufferPointer(buffer)) }
  }
}
