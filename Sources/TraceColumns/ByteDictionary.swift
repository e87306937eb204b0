package import TraceBytes

/// Interns byte strings: equal strings share one 32-bit code, codes count up from 0, and code 0 is the empty string.
///
/// One writer interns; readers with a snapshot of `count` read entries below it without a lock. `code(of:)` reads
/// the hash table and must be called under the writer's lock.
public final class ByteDictionary: @unchecked Sendable {
  @frozen
  public struct Entry: BitwiseCopyable {
    @usableFromInline let start: UnsafeRawPointer
    @usableFromInline let byteCount: UInt32
    @usableFromInline let hash: UInt32
  }

  // One writer under a lock of its own: the checks of exclusive access were 8 % of an append.
  @exclusivity(unchecked) @usableFromInline package private(set) var entries: SlabVector<Entry>
  @exclusivity(unchecked) private var slots: UnsafeMutablePointer<UInt64>
  @exclusivity(unchecked) private var slotMask: Int
  @exclusivity(unchecked) private var arena: UnsafeMutableRawPointer
  @exclusivity(unchecked) private var arenaRemaining = 0
  private var allocations: [UnsafeMutableRawPointer] = []
  private let hash: SeededHash
  /// Bytes held by entries, arena and table.
  package private(set) var byteCount = 0

  private let arenaByteCount: Int

  /// The most strings of a dictionary. A shape keeps the code of a key and a type in one word of 32 bits. Whoever
  /// interns what strangers send asks for room first: `intern` traps beyond this.
  package static let maximumCount = 1 << 26

  package init(hash: SeededHash = .process, slabShift: Int = 12, arenaByteCount: Int = 1 << 18) {
    self.hash = hash
    self.arenaByteCount = arenaByteCount
    entries = SlabVector(slabShift: slabShift, maximumCount: Self.maximumCount)
    slotMask = (1 << 10) - 1
    slots = .allocate(capacity: slotMask + 1)
    slots.initialize(repeating: 0, count: slotMask + 1)
    arena = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)
    allocations.append(arena)
    _ = intern(UnsafeRawBufferPointer(start: nil, count: 0))
  }

  deinit {
    slots.deallocate()
    for allocation in allocations { allocation.deallocate() }
  }

  package var count: Int { entries.count }

  /// The bytes of a code that was returned before.
  @inlinable
  public func bytes(_ code: UInt32) -> UnsafeRawBufferPointer { Self.bytes(entries[Int(code)]) }

  @inlinable
  public static func bytes(_ entry: Entry) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: entry.start, count: Int(entry.byteCount))
  }

  /// The code of `bytes`, adding a copy of them when they are new. Starts are aligned to four bytes.
  package func intern(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    let hashed = hash(bytes)
    let hashBits = hashed >> 32
    var slot = Int(truncatingIfNeeded: hashed) & slotMask
    while true {
      let content = slots[slot]
      if content == 0 { break }
      if content >> 32 == hashBits {
        let code = UInt32(truncatingIfNeeded: content) &- 1
        let entry = entries[Int(code)]
        if Int(entry.byteCount) == bytes.count, Self.areEqual(entry.start, bytes) { return code }
      }
      slot = (slot &+ 1) & slotMask
    }
    return add(bytes, hash: hashed, slot: slot)
  }

  /// The same for those that have a guess: a look at its bytes costs less than a look-up.
  package func intern(_ bytes: UnsafeRawBufferPointer, guess: UInt32) -> UInt32 {
    let entry = entries[Int(guess)]
    if Int(entry.byteCount) == bytes.count, Self.areEqual(entry.start, bytes) { return guess }
    return intern(bytes)
  }

  package func intern(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { intern($0) } }

  package func intern(_ text: String) -> UInt32 {
    var text = text
    return text.withUTF8 { intern(UnsafeRawBufferPointer($0)) }
  }

  /// The code of `bytes`, or nil when they were never interned.
  package func code(of bytes: UnsafeRawBufferPointer) -> UInt32? {
    let hashed = hash(bytes)
    let hashBits = hashed >> 32
    var slot = Int(truncatingIfNeeded: hashed) & slotMask
    while slots[slot] != 0 {
      let content = slots[slot]
      if content >> 32 == hashBits {
        let code = UInt32(truncatingIfNeeded: content) &- 1
        let entry = entries[Int(code)]
        if Int(entry.byteCount) == bytes.count, Self.areEqual(entry.start, bytes) { return code }
      }
      slot = (slot &+ 1) & slotMask
    }
    return nil
  }

  @inline(__always)
  private static func areEqual(_ start: UnsafeRawPointer, _ bytes: UnsafeRawBufferPointer) -> Bool {
    let count = bytes.count
    guard let other = bytes.baseAddress else { return true }
    var place = 0
    while place &+ 8 <= count {
      if start.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        != other.loadUnaligned(fromByteOffset: place, as: UInt64.self)
      {
        return false
      }
      place &+= 8
    }
    while place < count {
      if start.load(fromByteOffset: place, as: UInt8.self) != other.load(fromByteOffset: place, as: UInt8.self) {
        return false
      }
      place &+= 1
    }
    return true
  }

  @inline(never)
  private func add(_ bytes: UnsafeRawBufferPointer, hash hashed: UInt64, slot: Int) -> UInt32 {
    let code = UInt32(entries.count)
    let needed = (bytes.count + 3) & ~3
    if needed > arenaRemaining {
      let size = max(arenaByteCount, needed)
      arena = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
      allocations.append(arena)
      arenaRemaining = size
      byteCount += size
    }
    if let source = bytes.baseAddress { arena.copyMemory(from: source, byteCount: bytes.count) }
    entries.append(
      Entry(start: UnsafeRawPointer(arena), byteCount: UInt32(bytes.count), hash: UInt32(truncatingIfNeeded: hashed)))
    arena += needed
    arenaRemaining -= needed
    byteCount += MemoryLayout<Entry>.stride
    slots[slot] = (hashed >> 32) << 32 | UInt64(code + 1)
    if entries.count * 2 > slotMask { grow() }
    return code
  }

  private func grow() {
    let oldCount = slotMask + 1
    let old = slots
    byteCount += oldCount * 8
    slotMask = oldCount * 2 - 1
    slots = .allocate(capacity: slotMask + 1)
    slots.initialize(repeating: 0, count: slotMask + 1)
    // The low half of the hash is kept in the entry, the high half in the slot: rehashing reads no bytes.
    for index in 0..<oldCount where old[index] != 0 {
      let code = UInt32(truncatingIfNeeded: old[index]) - 1
      var slot = Int(entries[Int(code)].hash) & slotMask
      while slots[slot] != 0 { slot = (slot + 1) & slotMask }
      slots[slot] = old[index]
    }
    old.deallocate()
  }
}
