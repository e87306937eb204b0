import Synchronization
package import TraceBytes

/// Room for the values of a page, lent for as long as a call. As a temporary allocation it would come from the heap, where a
/// piece of this size makes the C library gather up its small ones, each time that one value of a page is asked for.
package enum PageMemory {
  private struct Room: @unchecked Sendable {
    let values: UnsafeMutablePointer<UInt64>
  }

  private static let idle = Mutex<[Room]>([])
  /// More at a time are rare: they go back to the heap.
  private static let maximumIdleCount = 16

  /// Hands room for `IntegerPage.maximumCount` values to `body`, with whatever they are.
  @inline(__always)
  package static func with<Result>(
    _ body: (UnsafeMutableBufferPointer<UInt64>) throws(BytesError) -> Result
  ) throws(BytesError) -> Result {
    let values = take()
    defer { giveBack(values) }
    return try body(UnsafeMutableBufferPointer(start: values, count: IntegerPage.maximumCount))
  }

  package static func take() -> UnsafeMutablePointer<UInt64> {
    if let room = idle.withLock({ $0.popLast() }) { return room.values }
    let values = UnsafeMutablePointer<UInt64>.allocate(capacity: IntegerPage.maximumCount)
    values.initialize(repeating: 0, count: IntegerPage.maximumCount)
    return values
  }

  package static func giveBack(_ values: UnsafeMutablePointer<UInt64>) {
    let isKept = idle.withLock { idle in
      if idle.count < maximumIdleCount { idle.append(Room(values: values)) } else { return false }
      return true
    }
    if !isKept { values.deallocate() }
  }
}
