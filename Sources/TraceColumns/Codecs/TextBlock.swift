import TraceBytes

/// A block of text bytes on disk: compressed if that is smaller, followed by the crc32c of the stored bytes.
///
/// Compressed means a Zstd frame without its four magic bytes, which are the same in every frame. Whether a block is
/// compressed is told by its stored byte count: a block that takes as many bytes as its text is stored as it is.
/// Stored and text byte counts are kept by whoever owns the block.
enum TextBlock {
  static let checksumByteCount = 4
  /// The longest text; longer ones are refused by the limits of a record long before.
  static let maximumTextByteCount = 64 << 20
  /// The most text in a block: a target, and one text that overshoots it.
  static let maximumByteCount = maximumTextByteCount + (64 << 10)
  private static let magic: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]
  /// Zstd cannot win below this.
  private static let minimumCompressedByteCount = 24
  /// More than Zstd can inflate a byte to: a run-length block turns four bytes into 128 KiB.
  private static let maximumInflation = 1 << 16

  /// Appends the block and its checksum; returns the stored byte count without the checksum.
  static func encode(_ text: UnsafeRawBufferPointer, into writer: inout ByteWriter, scratch: ColumnScratch) -> Int {
    let start = writer.count
    var isCompressed = false
    if text.count >= minimumCompressedByteCount {
      var frame = scratch.takeBuffer()
      let byteCount = scratch.compressor.compress(text, into: &frame) - magic.count
      if byteCount < text.count {
        frame.withUnsafeBytes { writer.append(UnsafeRawBufferPointer(rebasing: $0[magic.count...])) }
        isCompressed = true
      }
      scratch.giveBack(&frame)
    }
    if !isCompressed { writer.append(text) }
    let byteCount = writer.count - start
    let checksum = writer.bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    writer.appendInteger(checksum)
    return byteCount
  }

  /// Hands the text of a block to `body`, borrowed for the call.
  ///
  /// - Parameters:
  ///   - block: the stored bytes with their checksum.
  ///   - byteCount: how long the text is.
  static func withText<Result>(
    of block: UnsafeRawBufferPointer, byteCount: Int, verifying: Bool, scratch: ColumnScratch,
    _ body: (UnsafeRawBufferPointer) throws(BytesError) -> Result
  ) throws(BytesError) -> Result {
    guard block.count >= checksumByteCount, byteCount >= 0, byteCount <= maximumByteCount else {
      throw BytesError(offset: 0, reason: "a text block announces \(byteCount) bytes of text")
    }
    let stored = UnsafeRawBufferPointer(rebasing: block[..<(block.count - checksumByteCount)])
    if verifying {
      let checksum = UInt32(littleEndian: block.loadUnaligned(fromByteOffset: stored.count, as: UInt32.self))
      guard CRC32C.checksum(stored) == checksum else {
        throw BytesError(offset: 0, reason: "a text block does not match its checksum")
      }
    }
    if stored.count == byteCount { return try body(stored) }
    guard stored.count < byteCount, byteCount / maximumInflation <= stored.count else {
      throw BytesError(offset: 0, reason: "a text block of \(stored.count) bytes announces \(byteCount) bytes of text")
    }
    var frame = scratch.takeBuffer()
    frame.append(contentsOf: magic)
    frame.append(contentsOf: stored)
    var text = scratch.takeBuffer()
    defer {
      scratch.giveBack(&frame)
      scratch.giveBack(&text)
    }
    text.append(contentsOf: repeatElement(0, count: byteCount))
    var failure: CompressionError?
    frame.withUnsafeBytes { frame in
      text.withUnsafeMutableBytes { text in
        do throws(CompressionError) {
          try scratch.decompressor.decompress(frame, into: text)
        } catch {
          failure = error
        }
      }
    }
    if let failure { throw BytesError(offset: 0, reason: failure.reason) }
    return try text.withRawBytes { text throws(BytesError) in try body(text) }
  }
}

extension UnsafeRawBufferPointer {
  func hasEqualBytes(_ other: UnsafeRawBufferPointer) -> Bool { TextOrder.compare(self, other) == 0 }

  /// How many bytes both begin with.
  func commonPrefixByteCount(_ other: UnsafeRawBufferPointer) -> Int {
    let common = Swift.min(count, other.count)
    var index = 0
    while index < common, self[index] == other[index] { index &+= 1 }
    return index
  }
}
