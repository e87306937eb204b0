/// A 128-bit hash: MurmurHash3_x64_128 (Austin Appleby, public domain) with the seed 0.
///
/// It names content and finds misdirected reads. It does not resist an adversary: whoever drops one of two
/// byte strings because their hashes agree must compare the bytes.
package struct Hash128: Hashable, Comparable, Sendable {
  package var first: UInt64
  package var second: UInt64

  package init(first: UInt64, second: UInt64) {
    self.first = first
    self.second = second
  }

  package static func < (left: Hash128, right: Hash128) -> Bool {
    left.first != right.first ? left.first < right.first : left.second < right.second
  }

  package init(of bytes: [UInt8]) { self = bytes.withUnsafeBytes { Hash128(of: $0) } }

  package init(of bytes: UnsafeRawBufferPointer) {
    guard !Fuzzing.isOn else {
      (first, second) = (0, 0)
      return
    }
    let c1: UInt64 = 0x87c3_7b91_1142_53d5
    let c2: UInt64 = 0x4cf5_ad43_2745_937f
    func rotated(_ value: UInt64, _ bits: UInt64) -> UInt64 { value &<< bits | value &>> (64 &- bits) }
    func mixed(_ value: UInt64) -> UInt64 {
      var k = value
      k ^= k &>> 33
      k = k &* 0xff51_afd7_ed55_8ccd
      k ^= k &>> 33
      k = k &* 0xc4ce_b9fe_1a85_ec53
      k ^= k &>> 33
      return k
    }
    var h1: UInt64 = 0
    var h2: UInt64 = 0
    let blockCount = bytes.count / 16
    var block = 0
    while block < blockCount {
      var k1 = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: block &* 16, as: UInt64.self))
      var k2 = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: block &* 16 &+ 8, as: UInt64.self))
      k1 = rotated(k1 &* c1, 31) &* c2
      h1 ^= k1
      h1 = (rotated(h1, 27) &+ h2) &* 5 &+ 0x52dc_e729
      k2 = rotated(k2 &* c2, 33) &* c1
      h2 ^= k2
      h2 = (rotated(h2, 31) &+ h1) &* 5 &+ 0x3849_5ab5
      block &+= 1
    }
    var tail: (UInt64, UInt64) = (0, 0)
    for index in 0..<(bytes.count & 15) {
      let byte = UInt64(bytes[blockCount * 16 + index])
      if index < 8 { tail.0 |= byte &<< UInt64(8 * index) } else { tail.1 |= byte &<< UInt64(8 * (index - 8)) }
    }
    h2 ^= rotated(tail.1 &* c2, 33) &* c1
    h1 ^= rotated(tail.0 &* c1, 31) &* c2
    h1 ^= UInt64(bytes.count)
    h2 ^= UInt64(bytes.count)
    h1 = h1 &+ h2
    h2 = h2 &+ h1
    h1 = mixed(h1)
    h2 = mixed(h2)
    h1 = h1 &+ h2
    h2 = h2 &+ h1
    first = h1
    second = h2
  }
}

/// A 64-bit hash for tables in memory, seeded per process so that foreign keys cannot be chosen to collide.
/// Its values never reach a file.
@frozen
public struct SeededHash: Sendable {
  @usableFromInline let seed: UInt64

  /// A seed of the caller's choice; tests pass a constant.
  package init(seed: UInt64) { self.seed = seed }

  /// A seed drawn once for this process.
  package static let process = SeededHash(seed: UInt64.random(in: .min ... .max))

  @inlinable
  public func callAsFunction(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    @inline(__always) func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
      let product = a.multipliedFullWidth(by: b)
      return product.high ^ product.low
    }
    let s0: UInt64 = 0xa076_1d64_78bd_642f
    let s1: UInt64 = 0xe703_7ed1_a0b4_28db
    let count = bytes.count
    var state = seed ^ s0
    var place = 0
    while count &- place > 16 {
      state = mix(
        bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self) ^ s1,
        bytes.loadUnaligned(fromByteOffset: place &+ 8, as: UInt64.self) ^ state)
      place &+= 16
    }
    let rest = count &- place
    var a: UInt64 = 0
    var b: UInt64 = 0
    if rest >= 8 {
      a = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
      b = bytes.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
    } else if rest >= 4 {
      a = UInt64(bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
      b = UInt64(bytes.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
    } else if rest > 0 {
      a =
        UInt64(bytes[place]) << 16 | UInt64(bytes[place &+ rest &>> 1]) << 8 | UInt64(bytes[count &- 1])
    }
    return mix(s1 ^ UInt64(truncatingIfNeeded: count), mix(a ^ s1, b ^ state))
  }
}
