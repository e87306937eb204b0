/// A growable array of trivial elements whose memory outlives `removeAll`, so that a reused batch allocates nothing
/// for ordinary requests. It does not free itself: its owner does.
package struct BatchBuffer<Element: BitwiseCopyable> {
  package var base: UnsafeMutablePointer<Element>
  package var count: Int
  package var capacity: Int

  init(capacity: Int) {
    base = .allocate(capacity: capacity)
    count = 0
    self.capacity = capacity
  }

  func free() { base.deallocate() }

  /// What a buffer keeps of its memory: enough for ten thousand spans, and an unusual request is not remembered for ever.
  private static var maximumKeptByteCount: Int { 4 << 20 }

  /// Forgets the elements, and the memory of an unusually large request.
  mutating func removeAll() {
    count = 0
    guard capacity * MemoryLayout<Element>.stride > Self.maximumKeptByteCount else { return }
    free()
    self = BatchBuffer(capacity: 64)
  }

  @inline(__always)
  mutating func append(_ element: Element) {
    if count == capacity { grow(to: count &+ 1) }
    (base + count).initialize(to: element)
    count &+= 1
  }

  @inline(never)
  mutating func grow(to minimum: Int) {
    let newCapacity = max(minimum, capacity * 2)
    let newBase = UnsafeMutablePointer<Element>.allocate(capacity: newCapacity)
    newBase.moveInitialize(from: base, count: count)
    base.deallocate()
    base = newBase
    capacity = newCapacity
  }

  @inlinable package var elements: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: count) }
}

extension BatchBuffer<UInt8> {
  mutating func append(contentsOf bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress else { return }
    if capacity - count < bytes.count { grow(to: count + bytes.count) }
    UnsafeMutableRawPointer(base + count).copyMemory(from: source, byteCount: bytes.count)
    count += bytes.count
  }
}
