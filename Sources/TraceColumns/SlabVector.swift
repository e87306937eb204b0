#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A growable vector whose elements never move, so that readers may use what stood before while one writer appends.
///
/// A copy is a snapshot: it shares the slabs and keeps its own count. Publishing a copy to another thread must happen
/// under a lock (or another release–acquire pair) taken after the elements were written.
@frozen
public struct SlabVector<Element: BitwiseCopyable>: @unchecked Sendable {
  @usableFromInline let storage: SlabStorage<Element>
  @usableFromInline let shift: Int
  public var count: Int

  /// - Parameters:
  ///   - slabShift: a slab holds `1 << slabShift` elements.
  ///   - maximumCount: the table of slab pointers is laid out once for this many elements.
  package init(slabShift: Int, maximumCount: Int) {
    shift = slabShift
    storage = SlabStorage(slabShift: slabShift, slabCapacity: maximumCount >> slabShift + 1)
    count = 0
  }

  /// True when the next append would exceed the maximum count.
  @inlinable public var isFull: Bool { count >> shift >= storage.slabCapacity }

  @inlinable
  public subscript(index: Int) -> Element {
    @inline(__always)
    get {
      assert(index >= 0 && index < count)
      return storage.slabs[index &>> shift].unsafelyUnwrapped[index & ((1 &<< shift) &- 1)]
    }
  }

  /// A pointer to an element; it is stable and, for the writer, mutable.
  @inlinable @inline(__always)
  public func pointer(at index: Int) -> UnsafeMutablePointer<Element> {
    assert(index >= 0 && index < count)
    return storage.slabs[index &>> shift].unsafelyUnwrapped + (index & ((1 &<< shift) &- 1))
  }

  @inlinable
  public mutating func append(_ element: Element) {
    let slab = count &>> shift
    if count & ((1 &<< shift) &- 1) == 0 { storage.allocate(slab) }
    (storage.slabs[slab].unsafelyUnwrapped + (count & ((1 &<< shift) &- 1))).initialize(to: element)
    count &+= 1
  }

  /// Appends a copy of an element, and gives back where it stands.
  @inlinable
  public mutating func append(from element: UnsafePointer<Element>) -> UnsafeMutablePointer<Element> {
    let slab = count &>> shift
    let place = count & ((1 &<< shift) &- 1)
    if place == 0 { storage.allocate(slab) }
    let target = storage.slabs[slab].unsafelyUnwrapped + place
    target.initialize(from: element, count: 1)
    count &+= 1
    return target
  }

  /// Appends elements that stand side by side.
  @inlinable
  public mutating func append(contentsOf elements: UnsafeBufferPointer<Element>) {
    guard var source = elements.baseAddress else { return }
    var remaining = elements.count
    while remaining > 0 {
      let slab = count &>> shift
      let place = count & ((1 &<< shift) &- 1)
      if place == 0 { storage.allocate(slab) }
      let partCount = min(remaining, (1 &<< shift) &- place)
      (storage.slabs[slab].unsafelyUnwrapped + place).initialize(from: source, count: partCount)
      source += partCount
      remaining &-= partCount
      count &+= partCount
    }
  }

  /// Calls `body` with each run of contiguous elements in `range`.
  @inlinable
  public func forEachRun(
    in range: Range<Int>, _ body: (UnsafeBufferPointer<Element>, _ firstIndex: Int) throws -> Void
  ) rethrows {
    var index = range.lowerBound
    while index < range.upperBound {
      let end = min(range.upperBound, ((index &>> shift) &+ 1) &<< shift)
      let start = storage.slabs[index &>> shift].unsafelyUnwrapped + (index & ((1 &<< shift) &- 1))
      try body(UnsafeBufferPointer(start: start, count: end - index), index)
      index = end
    }
  }

  /// Bytes held by the slabs.
  package var byteCount: Int { storage.allocatedCount << shift * MemoryLayout<Element>.stride }
}

@usableFromInline
final class SlabStorage<Element: BitwiseCopyable>: @unchecked Sendable {
  @usableFromInline let slabs: UnsafeMutablePointer<UnsafeMutablePointer<Element>?>
  @usableFromInline let slabCapacity: Int
  let slabShift: Int
  var allocatedCount = 0

  init(slabShift: Int, slabCapacity: Int) {
    self.slabShift = slabShift
    self.slabCapacity = slabCapacity
    let byteCount = slabCapacity * MemoryLayout<UnsafeMutablePointer<Element>?>.stride
    // Straight from the system, which gives zeros page by page as they are touched: a table that is laid out for the
    // largest memtable costs a small one nothing. `calloc` does the same only until a block like it has been freed.
    let zeroed = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | Self.anonymous, -1, 0)
    guard let zeroed, zeroed != UnsafeMutableRawPointer(bitPattern: -1) else {
      preconditionFailure("there is no memory for a table of slabs")
    }
    slabs = zeroed.bindMemory(to: UnsafeMutablePointer<Element>?.self, capacity: slabCapacity)
  }

  #if canImport(Darwin)
    private static var anonymous: Int32 { MAP_ANON }
  #else
    private static var anonymous: Int32 { Int32(MAP_ANONYMOUS) }
  #endif

  deinit {
    // Slabs are taken in order, so the first gap is the end.
    var index = 0
    while index < slabCapacity, let slab = slabs[index] {
      slab.deallocate()
      index += 1
    }
    munmap(slabs, slabCapacity * MemoryLayout<UnsafeMutablePointer<Element>?>.stride)
  }

  @usableFromInline
  func allocate(_ slab: Int) {
    precondition(slab < slabCapacity, "a slab vector is appended past its maximum count")
    if slabs[slab] == nil {
      slabs[slab] = .allocate(capacity: 1 << slabShift)
      allocatedCount += 1
    }
  }
}
