import CLZ4
import CZstd

/// A compressed block that does not decompress to what its header announces.
package struct CompressionError: Error, Hashable, Sendable {
  package var reason: String
  package init(_ reason: String) { self.reason = reason }
}

/// LZ4 blocks. The compressed and the decompressed size are kept by the caller.
package enum LZ4 {
  /// Appends the compressed bytes to `output` and returns their count.
  package static func compress(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) -> Int {
    let bound = Int(LZ4_compressBound(Int32(input.count)))
    let compressed = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
      let written = buffer.withMemoryRebound(to: CChar.self) { target in
        LZ4_compress_default(
          input.baseAddress?.assumingMemoryBound(to: CChar.self), target.baseAddress, Int32(input.count), Int32(bound))
      }
      count = Int(max(0, written))
    }
    // The copy is exact: what is kept must not hold the memory of the worst case.
    output += compressed
    return compressed.count
  }

  /// Fills `output` exactly, or throws.
  package static func decompress(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(CompressionError) {
    guard input.count <= Int(Int32.max), output.count <= Int(Int32.max) else {
      throw CompressionError("a block is larger than LZ4 allows")
    }
    let written = LZ4_decompress_safe(
      input.baseAddress?.assumingMemoryBound(to: CChar.self), output.baseAddress?.assumingMemoryBound(to: CChar.self),
      Int32(input.count), Int32(output.count))
    guard written == Int32(output.count) else { throw CompressionError("an LZ4 block is damaged") }
  }
}

/// A reusable Zstd compression context. Not thread-safe: one per worker.
package final class ZstdCompressor {
  private let context: OpaquePointer
  private let level: Int32

  package init(level: Int32 = 1) {
    self.level = level
    context = ZSTD_createCCtx()
  }

  deinit { ZSTD_freeCCtx(context) }

  /// Appends one frame with the compressed bytes to `output` and returns its byte count.
  package func compress(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) -> Int {
    let bound = ZSTD_compressBound(input.count)
    let compressed = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
      let written = ZSTD_compressCCtx(context, buffer.baseAddress, bound, input.baseAddress, input.count, level)
      precondition(ZSTD_isError(written) == 0, "zstd cannot compress into a buffer of its own bound")
      count = written
    }
    output += compressed
    return compressed.count
  }
}

/// A reusable Zstd decompression context. Not thread-safe: one per worker.
package final class ZstdDecompressor {
  private let context: OpaquePointer

  package init() { context = ZSTD_createDCtx() }

  deinit { ZSTD_freeDCtx(context) }

  /// Fills `output` exactly, or throws.
  package func decompress(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(CompressionError) {
    let written = ZSTD_decompressDCtx(context, output.baseAddress, output.count, input.baseAddress, input.count)
    guard ZSTD_isError(written) == 0, written == output.count else {
      throw CompressionError("a Zstd frame is damaged")
    }
  }
}
