import CZlib
import CZstd
import TraceModel

/// One way to undo a compression, piece by piece.
protocol StreamDecompressor: AnyObject {
  /// Undoes as much of `input` as fits `output`. Returns how far it came in both, and whether the compressed data could
  /// end here.
  func step(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(DecompressionFault) -> (readByteCount: Int, writtenByteCount: Int, isBetweenParts: Bool)
}

struct DecompressionFault: Error {
  var reason: String
}

/// gzip, any number of members one after another.
final class GzipDecompressor: StreamDecompressor {
  private var stream = z_stream()
  private var isBetweenMembers = false

  /// Nil when zlib has no memory.
  init?() {
    // 15 bits of window; 16 more say that the data have gzip's header and checksum.
    guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
  }

  deinit { inflateEnd(&stream) }

  func step(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(DecompressionFault) -> (readByteCount: Int, writtenByteCount: Int, isBetweenParts: Bool) {
    var skipped = 0
    if isBetweenMembers {
      // Tape archivers pad with zeros after the last member.
      while skipped < input.count, input[skipped] == 0 { skipped += 1 }
      guard skipped < input.count else { return (skipped, 0, true) }
      inflateReset(&stream)
      isBetweenMembers = false
    }
    let rest = UnsafeRawBufferPointer(rebasing: input[skipped...])
    stream.next_in = UnsafeMutablePointer(mutating: rest.bindMemory(to: UInt8.self).baseAddress)
    stream.avail_in = UInt32(rest.count)
    stream.next_out = output.bindMemory(to: UInt8.self).baseAddress
    stream.avail_out = UInt32(output.count)
    let status = inflate(&stream, Z_NO_FLUSH)
    let read = skipped + rest.count - Int(stream.avail_in)
    let written = output.count - Int(stream.avail_out)
    switch status {
    case Z_STREAM_END: isBetweenMembers = true
    case Z_OK, Z_BUF_ERROR: break
    default:
      throw DecompressionFault(reason: stream.msg.map { String(cString: $0) } ?? "zlib error \(status)")
    }
    return (read, written, isBetweenMembers)
  }
}

/// Zstd, any number of frames one after another.
final class ZstdStreamDecompressor: StreamDecompressor {
  private let context: OpaquePointer

  /// Nil when zstd has no memory.
  init?() {
    guard let context = ZSTD_createDCtx() else { return nil }
    self.context = context
    // A frame may ask for a window of up to 128 MiB; more would be a way to take memory from us.
    _ = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 27)
  }

  deinit { ZSTD_freeDCtx(context) }

  func step(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(DecompressionFault) -> (readByteCount: Int, writtenByteCount: Int, isBetweenParts: Bool) {
    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
    var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
    let status = ZSTD_decompressStream(context, &target, &source)
    guard ZSTD_isError(status) == 0 else {
      throw DecompressionFault(reason: String(cString: ZSTD_getErrorName(status)))
    }
    return (source.pos, target.pos, status == 0)
  }
}

/// The bytes of an input after gzip or zstd, recognised by their first bytes, have been undone. Holds one buffer of
/// each kind, whatever the input's size.
final class PlainInput {
  private static let chunkByteCount = 1 << 16

  private let file: InputFile
  private var pending: [UInt8] = []
  private var place = 0
  private var decompressor: (any StreamDecompressor)?
  private var isBetweenParts = false
  private var isStarted = false
  private var isAtEnd = false
  /// What the output buffer could not take is still inside the decompressor.
  private var mayHoldOutput = false
  /// Bytes handed out so far.
  private(set) var plainByteCount: UInt64 = 0

  init(_ file: InputFile) { self.file = file }

  /// Up to that many bytes, at least one before the end.
  /// - Throws: `malformedInput` for compressed data that break off or do not add up.
  func read(_ maximum: Int) throws -> [UInt8] {
    if !isStarted { try start() }
    let bytes = decompressor == nil ? try readPlain(maximum) : try readDecompressed(maximum)
    plainByteCount += UInt64(bytes.count)
    return bytes
  }

  private func start() throws {
    isStarted = true
    while pending.count < 4 {
      let bytes = try file.read(Self.chunkByteCount)
      if bytes.isEmpty { break }
      pending += bytes
    }
    let magic = Array(pending.prefix(4))
    if magic.starts(with: [0x1f, 0x8b]) {
      decompressor = GzipDecompressor()
    } else if magic == [0x28, 0xb5, 0x2f, 0xfd]
      || (magic.count == 4 && (0x50...0x5f).contains(magic[0]) && magic[1...] == [0x2a, 0x4d, 0x18])
    {
      decompressor = ZstdStreamDecompressor()
    }
  }

  private func readPlain(_ maximum: Int) throws -> [UInt8] {
    guard place < pending.count else { return try file.read(maximum) }
    let end = min(pending.count, place + maximum)
    defer { place = end }
    return Array(pending[place..<end])
  }

  private func readDecompressed(_ maximum: Int) throws -> [UInt8] {
    guard let decompressor else { return [] }
    while !isAtEnd {
      if place == pending.count, !mayHoldOutput {
        pending = try file.read(Self.chunkByteCount)
        place = 0
        if pending.isEmpty {
          isAtEnd = true
          if !isBetweenParts, !Interruption.isRequested { throw fault("end too early") }
          return []
        }
      }
      let byteCount = max(maximum, 1)
      var read = 0
      var parted = isBetweenParts
      let output: [UInt8]
      do {
        output = try [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
          (read, count, parted) = try pending.withUnsafeBytes {
            try decompressor.step(
              UnsafeRawBufferPointer(rebasing: $0[place...]), into: UnsafeMutableRawBufferPointer(buffer))
          }
        }
      } catch let error as DecompressionFault {
        isAtEnd = true
        throw fault("are damaged (\(error.reason))")
      }
      place += read
      isBetweenParts = parted
      mayHoldOutput = output.count == byteCount
      if !output.isEmpty { return output }
    }
    return []
  }

  private func fault(_ what: String) -> TracestoreError {
    TracestoreError(
      .malformedInput,
      "the compressed data \(what) near byte \(file.readByteCount - UInt64(pending.count - place)) of the file",
      offset: plainByteCount)
  }
}
