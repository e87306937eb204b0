import CZlib
import CZstd
import TraceModel

/// One way to undo a compression, piece by piece.
protocol StreamDecompressor: AnyObject {
  /// Undoes as much of `input` as fits `output`.
  func step(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> DecompressionStep
}

/// How far a step came.
struct DecompressionStep {
  var readByteCount: Int
  /// Good bytes, also when the step ended at a fault.
  var writtenByteCount: Int
  /// Whether the compressed data could end here.
  var isBetweenParts: Bool
  /// Why nothing more can be undone.
  var fault: String?
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

  func step(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> DecompressionStep {
    var skipped = 0
    if isBetweenMembers {
      // Tape archivers pad with zeros after the last member.
      while skipped < input.count, input[skipped] == 0 { skipped += 1 }
      guard skipped < input.count else {
        return DecompressionStep(readByteCount: skipped, writtenByteCount: 0, isBetweenParts: true)
      }
      inflateReset(&stream)
      isBetweenMembers = false
    }
    let rest = UnsafeRawBufferPointer(rebasing: input[skipped...])
    stream.next_in = UnsafeMutablePointer(mutating: rest.bindMemory(to: UInt8.self).baseAddress)
    stream.avail_in = UInt32(rest.count)
    stream.next_out = output.bindMemory(to: UInt8.self).baseAddress
    stream.avail_out = UInt32(output.count)
    let status = inflate(&stream, Z_NO_FLUSH)
    var fault: String?
    switch status {
    case Z_STREAM_END: isBetweenMembers = true
    case Z_OK, Z_BUF_ERROR: break
    default: fault = stream.msg.map { String(cString: $0) } ?? "zlib error \(status)"
    }
    return DecompressionStep(
      readByteCount: skipped + rest.count - Int(stream.avail_in),
      writtenByteCount: output.count - Int(stream.avail_out), isBetweenParts: isBetweenMembers, fault: fault)
  }
}

/// Zstd, any number of frames one after another.
final class ZstdStreamDecompressor: StreamDecompressor {
  private let context: OpaquePointer
  /// How much of the input the next step should get: one block. A call that meets damage says nothing of the good
  /// blocks that it undid before.
  private var wantedByteCount: Int

  /// Nil when zstd has no memory.
  init?() {
    guard let context = ZSTD_createDCtx() else { return nil }
    self.context = context
    wantedByteCount = max(1, ZSTD_initDStream(context))
    // A frame may ask for a window of up to 128 MiB; more would be a way to take memory from us.
    _ = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 27)
  }

  deinit { ZSTD_freeDCtx(context) }

  /// Less than the smallest frame with content.
  private static let frameStartByteCount = 5

  func step(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> DecompressionStep {
    var source = ZSTD_inBuffer(src: input.baseAddress, size: min(input.count, wantedByteCount), pos: 0)
    var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
    let status = ZSTD_decompressStream(context, &target, &source)
    let isFault = ZSTD_isError(status) != 0
    if !isFault { wantedByteCount = status == 0 ? Self.frameStartByteCount : status }
    return DecompressionStep(
      readByteCount: source.pos, writtenByteCount: target.pos, isBetweenParts: status == 0,
      fault: isFault ? String(cString: ZSTD_getErrorName(status)) : nil)
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
  /// Where the data cannot be undone any further; thrown once everything before has been handed out.
  private var damage: TracestoreError?
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
          if !isBetweenParts, !Interruption.isRequested { damage = fault("end too early") }
          break
        }
      }
      let byteCount = max(maximum, 1)
      var step = DecompressionStep(readByteCount: 0, writtenByteCount: 0, isBetweenParts: false)
      let output = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
        step = pending.withUnsafeBytes {
          decompressor.step(
            UnsafeRawBufferPointer(rebasing: $0[place...]), into: UnsafeMutableRawBufferPointer(buffer))
        }
        count = step.writtenByteCount
      }
      place += step.readByteCount
      isBetweenParts = step.isBetweenParts
      mayHoldOutput = output.count == byteCount
      if let reason = step.fault {
        isAtEnd = true
        damage = fault("are damaged (\(reason))")
      }
      if !output.isEmpty { return output }
    }
    if let damage { throw damage }
    return []
  }

  private func fault(_ what: String) -> TracestoreError {
    TracestoreError(
      .malformedInput,
      "the compressed data \(what) near byte \(file.readByteCount - UInt64(pending.count - place)) of the file")
  }
}
