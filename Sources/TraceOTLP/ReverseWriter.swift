/// Writes protobuf from the last byte to the first. The length of a nested message is then known when it is written:
/// one pass, no table of sizes, whatever the depth. Fields are appended in descending order.
struct ReverseWriter: ~Copyable {
  private var memory: UnsafeMutableRawPointer
  private var capacity: Int
  /// Where the bytes written so far begin.
  private var start: Int

  init(reserving capacity: Int = 512) {
    self.capacity = capacity
    memory = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    start = capacity
  }

  deinit { memory.deallocate() }

  /// How many bytes have been written.
  var count: Int { capacity - start }

  /// A copy of what has been written.
  var bytes: [UInt8] { [UInt8](UnsafeRawBufferPointer(start: memory + start, count: count)) }

  private mutating func reserve(_ byteCount: Int) {
    guard start < byteCount else { return }
    let newCapacity = max(capacity * 2, count + byteCount)
    let newMemory = UnsafeMutableRawPointer.allocate(byteCount: newCapacity, alignment: 16)
    let newStart = newCapacity - count
    (newMemory + newStart).copyMemory(from: memory + start, byteCount: count)
    memory.deallocate()
    memory = newMemory
    capacity = newCapacity
    start = newStart
  }

  mutating func prepend(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
    reserve(bytes.count)
    start -= bytes.count
    (memory + start).copyMemory(from: base, byteCount: bytes.count)
  }

  mutating func prepend(_ bytes: [UInt8]) { bytes.withUnsafeBytes { prepend($0) } }

  mutating func prepend(varint value: UInt64) {
    reserve(10)
    let byteCount = max(1, (70 - value.leadingZeroBitCount) / 7)
    start -= byteCount
    var rest = value
    for index in 0..<byteCount {
      let more: UInt8 = index + 1 < byteCount ? 0x80 : 0
      memory.storeBytes(of: UInt8(truncatingIfNeeded: rest & 0x7f) | more, toByteOffset: start + index, as: UInt8.self)
      rest >>= 7
    }
  }

  mutating func prepend(head: UInt32) { prepend(varint: UInt64(head)) }

  mutating func prepend(fixed64 value: UInt64) {
    reserve(8)
    start -= 8
    memory.storeBytes(of: value.littleEndian, toByteOffset: start, as: UInt64.self)
  }

  mutating func prepend(fixed32 value: UInt32) {
    reserve(4)
    start -= 4
    memory.storeBytes(of: value.littleEndian, toByteOffset: start, as: UInt32.self)
  }

  /// Length and head before everything written since `count` was `mark`.
  mutating func close(_ head: UInt32, since mark: Int) {
    prepend(varint: UInt64(count - mark))
    prepend(head: head)
  }

  // Fields that proto3 leaves out at their default.

  mutating func field(_ head: UInt32, varint value: UInt64) {
    guard value != 0 else { return }
    prepend(varint: value)
    prepend(head: head)
  }

  mutating func field(_ head: UInt32, fixed64 value: UInt64) {
    guard value != 0 else { return }
    prepend(fixed64: value)
    prepend(head: head)
  }

  mutating func field(_ head: UInt32, fixed32 value: UInt32) {
    guard value != 0 else { return }
    prepend(fixed32: value)
    prepend(head: head)
  }

  mutating func field(_ head: UInt32, text: String) {
    if !text.utf8.isEmpty { presentField(head, text: text) }
  }

  // Fields that are written whatever they hold.

  mutating func presentField(_ head: UInt32, text: String) {
    let mark = count
    var text = text
    text.withUTF8 { prepend(UnsafeRawBufferPointer($0)) }
    close(head, since: mark)
  }

  mutating func presentField(_ head: UInt32, bytes: [UInt8]) {
    let mark = count
    prepend(bytes)
    close(head, since: mark)
  }
}
