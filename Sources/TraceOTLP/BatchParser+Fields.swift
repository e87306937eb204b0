// What the batch parser keeps track of inside one message.

import TraceBytes

/// Sees to it that fields come in canonical order: ascending, and only repeated ones more than once.
struct FieldOrder {
  private var next: UInt32 = 0

  @inline(__always)
  mutating func see(_ head: UInt32, _ isCanonical: inout Bool) {
    if head < next { isCanonical = false }
    next = head &+ 1
  }

  @inline(__always)
  mutating func mayRepeat(_ head: UInt32) { next = head }
}

extension WireReader {
  /// Eight bytes of the message at `offset`; the caller has checked that they are there.
  @inline(__always)
  func bigEndian(_ offset: Int) -> UInt64 {
    UInt64(bigEndian: base.loadUnaligned(fromByteOffset: place &+ offset, as: UInt64.self))
  }

  /// A field that the canonical form leaves out at zero and writes without bits beyond its width.
  @inline(__always)
  mutating func uint32(_ isCanonical: inout Bool) throws(WireFault) -> UInt32 {
    let whole = try varint()
    if whole == 0 || whole > UInt64(UInt32.max) { isCanonical = false }
    return UInt32(truncatingIfNeeded: whole)
  }

  /// As above, sign-extended.
  @inline(__always)
  mutating func int32(_ isCanonical: inout Bool) throws(WireFault) -> Int32 {
    let whole = try varint()
    let value = Int32(truncatingIfNeeded: whole)
    if value == 0 || UInt64(bitPattern: Int64(value)) != whole { isCanonical = false }
    return value
  }
}

/// Unknown fields that lie side by side. Anything else between them makes their message irregular.
struct UnknownRun {
  var start = 0
  var end = 0

  @inline(__always)
  mutating func add(_ from: Int, _ to: Int, _ isRegular: inout Bool) {
    if start == end { start = from } else if end != from { isRegular = false }
    end = to
  }
}

/// Unknown fields of an envelope: a run while they lie side by side, copied together once they do not.
struct UnknownPieces {
  var run = UnknownRun()
  var bytes: [UInt8] = []
  var isContiguous = true

  mutating func add(_ start: Int, _ reader: WireReader) {
    if isContiguous {
      let earlier = run
      run.add(start, reader.place, &isContiguous)
      if isContiguous { return }
      bytes = reader.bytes(earlier.start, earlier.end).array
    }
    bytes.append(contentsOf: reader.bytes(start, reader.place))
  }
}
