import CMemory
import TraceBytes
import TraceColumns
import TraceFiles
import TraceModel

/// Bytes of a segment in memory of their own, never changed after they were read.
final class SegmentBuffer: StripePart, @unchecked Sendable {
  private let start: UnsafeMutableRawPointer
  /// The offset of the first byte in the file.
  let fileOffset: UInt64
  let byteCount: Int

  /// From here on memory is mostly fresh from the system, and a fault for each page; smaller memory was mostly used before.
  private static let populatedByteCount = 256 << 10

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: byteCount) }

  /// Reads exactly `byteCount` bytes in one call; `corrupt` when the file ends before. The caller has compared
  /// `byteCount` with the byte count of the file.
  init(reading file: any File, path: String, at offset: UInt64, byteCount: Int) throws {
    start = UnsafeMutableRawPointer.allocate(byteCount: max(64, byteCount), alignment: 64)
    self.byteCount = byteCount
    fileOffset = offset
    if byteCount >= Self.populatedByteCount { tracestore_populate(start, byteCount) }
    // Every property is set: from here on a throwing initialiser runs `deinit`, which frees the memory.
    let count = try file.read(into: UnsafeMutableRawBufferPointer(start: start, count: byteCount), at: offset)
    guard count == byteCount else {
      throw TracestoreError(
        .corrupt,
        "the segment ends after \(offset + UInt64(count)) bytes, where \(byteCount) bytes at \(offset) are due",
        path: path, offset: offset)
    }
  }

  deinit { start.deallocate() }

  var residentByteCount: Int { byteCount }
}

/// Memory that one reader needs while it works: a page of integers and the contexts of the codecs.
final class ReadScratch: @unchecked Sendable {
  /// How many values a page of an integer column holds at most.
  static let pageValueCount = 1024

  let columns = ColumnScratch()
  let decompressor = ZstdDecompressor()
  let page = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: ReadScratch.pageValueCount)

  init() { page.initialize(repeating: 0) }

  deinit { page.deallocate() }
}
