package import TraceBytes

/// What encoding and decoding need besides their input: compression contexts and buffers that are reused.
///
/// Not thread-safe: one per worker. It carries nothing from one call to the next that a result depends on.
package final class ColumnScratch {
  let compressor: ZstdCompressor
  let decompressor = ZstdDecompressor()
  let integers = IntegerWorkspace()

  /// - Parameter level: the Zstd level of text blocks; readers do not depend on it.
  package init(level: Int32 = 1) { compressor = ZstdCompressor(level: level) }
}
