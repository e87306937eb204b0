import TraceBytes
import TraceFiles
import TraceModel

/// The bytes of a stripe as far as they were read, for those who look at parts of it. Thread-safe.
final class StripeBytes: Sendable {
  private let file: any File
  private let path: String
  private let fileOffset: UInt64
  private let byteCount: Int
  /// How the head's checksums of chunks are made.
  let chunkChecksum: ChunkChecksum
  /// From the stripe's first byte on: all of it, or its head and what one read brings with it.
  let front: SegmentBuffer
  private let whole = OnceTable(count: 1)
  /// Of everything that is kept of the stripe beside its front.
  let tally = ByteTally()

  /// Reads the front.
  init(
    file: any File, path: String, at fileOffset: UInt64, byteCount: Int, checksum: ChunkChecksum, frontByteCount: Int
  ) throws {
    self.file = file
    self.path = path
    self.fileOffset = fileOffset
    self.byteCount = byteCount
    chunkChecksum = checksum
    front = try SegmentBuffer(reading: file, path: path, at: fileOffset, byteCount: frontByteCount)
  }

  /// Reads the whole stripe in one read, unless it is there.
  func readWhole() throws {
    guard front.byteCount < byteCount, whole.object(at: 0) == nil else { return }
    let buffer = try read(0..<byteCount)
    if whole.put(buffer, at: 0) { tally.add(buffer.byteCount) }
  }

  /// Bytes of the stripe that are in memory, and the memory that holds them.
  func held(_ range: Range<Int>) -> (bytes: UnsafeRawBufferPointer, owner: SegmentBuffer)? {
    let buffer = range.upperBound <= front.byteCount ? front : whole.object(at: 0, as: SegmentBuffer.self)
    return buffer.map { (UnsafeRawBufferPointer(rebasing: $0.bytes[range]), $0) }
  }

  /// Reads bytes of the stripe into memory of their own.
  func read(_ range: Range<Int>) throws -> SegmentBuffer {
    try SegmentBuffer(reading: file, path: path, at: fileOffset + UInt64(range.lowerBound), byteCount: range.count)
  }
}
