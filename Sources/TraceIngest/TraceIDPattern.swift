package import TraceModel

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Finds the sixteen bytes of a trace id in a request that nobody has decoded.
///
/// However a request is encoded, an id stands in it in one piece: a request without the bytes has no span of the
/// trace. One with them may have none either: links, attributes and texts can hold the same bytes.
package struct TraceIDPattern: Sendable {
  /// The id as two words in the order of memory.
  private let first: UInt64
  private let second: UInt64
  /// The byte that is looked for, and where it stands in the id.
  private let probe: UInt8
  private let probeOffset: Int

  package init(_ trace: TraceID) {
    first = trace.high.bigEndian
    second = trace.low.bigEndian
    var best = (byte: UInt8(truncatingIfNeeded: trace.high >> 56), offset: 0)
    for offset in 1..<16 {
      let word = offset < 8 ? trace.high : trace.low
      let byte = UInt8(truncatingIfNeeded: word >> UInt64(56 - offset % 8 * 8))
      if Self.rarity(byte) > Self.rarity(best.byte) { best = (byte, offset) }
    }
    (probe, probeOffset) = best
  }

  /// Requests are mostly ASCII text, small numbers and zeros.
  private static func rarity(_ byte: UInt8) -> Int { byte == 0 ? 0 : byte < 0x20 ? 1 : byte < 0x80 ? 2 : 3 }

  /// Whether the id occurs. Costs little more than reading the bytes once, unless the probe is a frequent byte.
  package func occurs(in bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress, bytes.count >= 16 else { return false }
    var next = probeOffset
    // Where the probe may stand at most, so that the whole id fits.
    let end = bytes.count &- 16 &+ probeOffset &+ 1
    while next < end, let found = memchr(base + next, Int32(probe), end &- next) {
      let offset = UnsafeRawPointer(found) - base
      let start = base + (offset &- probeOffset)
      if start.loadUnaligned(as: UInt64.self) == first,
        start.loadUnaligned(fromByteOffset: 8, as: UInt64.self) == second
      {
        return true
      }
      next = offset &+ 1
    }
    return false
  }
}
