package import TraceBytes

/// How a segment is cut and compressed. Two segments of the same rows and options have the same bytes.
package struct SegmentOptions: Hashable, Sendable {
  /// The most rows of a stripe, 1 to 2^20: whole traces fill a stripe up to it, a larger trace gets stripes of its own.
  package var stripeRowCount: Int
  /// The most bytes of values longer than 256 bytes in a stripe of several rows, repetitions included: a stripe is
  /// read and written whole.
  package var stripeTextByteCount: Int
  /// The Zstd level of text blocks.
  package var compressionLevel: Int32

  package init(
    stripeRowCount: Int = 32_768, stripeTextByteCount: Int = 8 << 20, compressionLevel: Int32 = 1
  ) {
    self.stripeRowCount = max(1, min(stripeRowCount, 1 << 20))
    self.stripeTextByteCount = max(1, stripeTextByteCount)
    self.compressionLevel = compressionLevel
  }

  func isRoom(rowCount: Int, byteCount: Int) -> Bool {
    rowCount <= stripeRowCount && byteCount <= stripeTextByteCount
  }
}

/// Runs `body` with 0 ..< count, in any order and on any threads, and returns when all calls have.
package typealias SegmentParallelism = @Sendable (_ count: Int, _ body: @escaping @Sendable (Int) -> Void) -> Void

/// What the writer says about the file it wrote.
package struct SegmentStatistics: Sendable {
  package struct ColumnByteCount: Hashable, Sendable {
    /// As `ChunkID.name`, `attribute:<level>:<key>:<type>`, `section:<kind>` or `framing`.
    package var name: String
    package var byteCount: UInt64

    package init(name: String, byteCount: UInt64) {
      self.name = name
      self.byteCount = byteCount
    }
  }

  package var byteCount: UInt64 = 0
  package var footerHash = Hash128(first: 0, second: 0)
  package var totals = SegmentTotals()
  package var resourceCount = 0
  package var scopeCount = 0
  /// Ascending by name; the byte counts add up to `byteCount`.
  package var columns: [ColumnByteCount] = []

  package init() {}
}
