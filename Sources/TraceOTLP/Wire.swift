import TraceModel

/// Why bytes are not the message they claim to be. Small and trivial, so that throwing functions stay cheap;
/// it becomes a `TracestoreError` at the border of the room.
struct WireFault: Error {
  enum Reason {
    case truncatedVarint, longVarint, truncatedInteger, truncatedField
    case fieldZero, badWireType, strayEndGroup, openGroup, deepGroup
    case invalidText
    case deepValue, longValue, manyAttributes, manySpans, manyElements, largeRequest
    case badTraceID, badSpanID
    case inconsistent
  }

  var offset: Int
  var reason: Reason

  /// Counts an element of a request, and refuses one more than it may hold.
  @inline(__always)
  static func count(_ elementCount: inout Int, at offset: Int) throws(WireFault) {
    guard elementCount < Limits.maximumElementCount else { throw WireFault(offset: offset, reason: .manyElements) }
    elementCount &+= 1
  }
}

/// A cursor over a protobuf message that lies inside a larger buffer. Places count from the start of that buffer,
/// so a nested message reports the offset in the whole input.
///
/// The memory is borrowed: it must outlive the reader.
struct WireReader {
  let base: UnsafeRawPointer
  /// The next byte to read; never beyond `end`.
  var place: Int
  let end: Int
  /// Set once a varint used more bytes than it needs.
  var sawLongForm = false

  @inline(__always)
  init(base: UnsafeRawPointer, place: Int, end: Int) {
    self.base = base
    self.place = place
    self.end = end
  }

  init(_ bytes: UnsafeRawBufferPointer) {
    self.init(base: bytes.baseAddress ?? WireReader.nothing, place: 0, end: bytes.count)
  }

  /// An address for buffers without bytes; it is never read.
  nonisolated(unsafe) static let nothing = UnsafeRawPointer(
    UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8))

  @inline(__always) var isAtEnd: Bool { place >= end }

  @inline(__always)
  mutating func varint() throws(WireFault) -> UInt64 {
    guard place < end else { throw WireFault(offset: place, reason: .truncatedVarint) }
    let first = base.load(fromByteOffset: place, as: UInt8.self)
    if first < 0x80 {
      place &+= 1
      return UInt64(first)
    }
    return try longVarint()
  }

  @inline(never)
  mutating func longVarint() throws(WireFault) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    var next = place
    while true {
      guard next < end else { throw WireFault(offset: place, reason: .truncatedVarint) }
      let byte = base.load(fromByteOffset: next, as: UInt8.self)
      next &+= 1
      if shift == 63, byte > 1 { throw WireFault(offset: place, reason: .longVarint) }
      value |= UInt64(byte & 0x7f) &<< shift
      if byte < 0x80 {
        if byte == 0 { sawLongForm = true }
        place = next
        return value
      }
      shift &+= 7
    }
  }

  /// Field number and wire type, as `number << 3 | type`.
  @inline(__always)
  mutating func head() throws(WireFault) -> UInt32 {
    let start = place
    let value = try varint()
    guard value <= UInt64(UInt32.max), value >= 8 else { throw WireFault(offset: start, reason: .fieldZero) }
    return UInt32(truncatingIfNeeded: value)
  }

  /// The length of a field whose bytes all lie before `end`.
  @inline(__always)
  mutating func length() throws(WireFault) -> Int {
    let start = place
    let value = try varint()
    guard value <= UInt64(truncatingIfNeeded: end &- place) else {
      throw WireFault(offset: start, reason: .truncatedField)
    }
    return Int(truncatingIfNeeded: value)
  }

  /// A length-delimited field as a reader of its own; the cursor stands behind it.
  @inline(__always)
  mutating func message() throws(WireFault) -> WireReader {
    let count = try length()
    let inner = WireReader(base: base, place: place, end: place &+ count)
    place &+= count
    return inner
  }

  @inline(__always)
  mutating func fixed64() throws(WireFault) -> UInt64 {
    guard end &- place >= 8 else { throw WireFault(offset: place, reason: .truncatedInteger) }
    let value = base.loadUnaligned(fromByteOffset: place, as: UInt64.self)
    place &+= 8
    return UInt64(littleEndian: value)
  }

  @inline(__always)
  mutating func fixed32() throws(WireFault) -> UInt32 {
    guard end &- place >= 4 else { throw WireFault(offset: place, reason: .truncatedInteger) }
    let value = base.loadUnaligned(fromByteOffset: place, as: UInt32.self)
    place &+= 4
    return UInt32(littleEndian: value)
  }

  /// Steps over a field that nobody reads. Groups are followed to their end.
  @inline(never)
  mutating func skip(_ head: UInt32, depth: Int = 0) throws(WireFault) {
    switch head & 7 {
    case 0: _ = try varint()
    case 1: _ = try fixed64()
    case 2: place &+= try length()
    case 3:
      guard depth < WireReader.maximumGroupDepth else { throw WireFault(offset: place, reason: .deepGroup) }
      while true {
        guard !isAtEnd else { throw WireFault(offset: place, reason: .openGroup) }
        let start = place
        let inner = try self.head()
        if inner & 7 == 4 {
          guard inner >> 3 == head >> 3 else { throw WireFault(offset: start, reason: .strayEndGroup) }
          return
        }
        try skip(inner, depth: depth + 1)
      }
    case 4: throw WireFault(offset: place, reason: .strayEndGroup)
    case 5: _ = try fixed32()
    default: throw WireFault(offset: place, reason: .badWireType)
    }
  }

  /// Groups inside groups: each is a stack frame.
  static let maximumGroupDepth = 100

  /// The unread bytes.
  var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base + place, count: end &- place) }

  /// The bytes between two places.
  func bytes(_ start: Int, _ stop: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base + start, count: stop &- start)
  }
}
