import TraceBytes

/// What encoding and decoding need besides their input: compression contexts and buffers that are reused.
///
/// Not thread-safe: one per worker. It carries nothing from one call to the next that a result depends on.
package final class ColumnScratch {
  let compressor: ZstdCompressor
  let decompressor = ZstdDecompressor()
  let integers = IntegerWorkspace()
  private var buffers: [[UInt8]] = []

  /// A buffer above this size goes back to the system after use, so that one giant text is not kept for ever.
  private static let maximumKeptByteCount = 1 << 20

  /// - Parameter level: the Zstd level of text blocks; readers do not depend on it.
  package init(level: Int32 = 1) { compressor = ZstdCompressor(level: level) }

  /// An empty array with capacity from earlier uses. Uses may nest.
  func takeBuffer() -> [UInt8] { buffers.popLast() ?? [] }

  /// Takes a buffer back for the next use and leaves an empty array.
  func giveBack(_ buffer: inout [UInt8]) {
    var taken: [UInt8] = []
    swap(&taken, &buffer)
    guard taken.capacity <= Self.maximumKeptByteCount else { return }
    taken.removeAll(keepingCapacity: true)
    buffers.append(taken)
  }
}
