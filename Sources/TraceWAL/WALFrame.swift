import TraceBytes
import TraceModel

/// A payload made ready for the log: compressed and checksummed, without its place in the log.
///
/// Making one is a pure function, so it is done outside of every lock, on the thread that has the payload.
package struct WALFrame: Sendable {
  package let kind: WALFrameKind
  package let arrivalNanoseconds: UInt64
  package let rulesVersion: UInt32
  let compression: WALCompression
  let uncompressedByteCount: Int
  let payloadChecksum: UInt32
  let storedBytes: [UInt8]

  /// The bytes the frame takes in the log.
  package var byteCount: Int { WALFormat.frameHeaderByteCount + storedBytes.count }

  /// Throws `limitExceeded` above 256 MiB. A payload that does not get smaller is stored raw.
  package init(
    kind: WALFrameKind, payload: UnsafeRawBufferPointer, arrivalNanoseconds: UInt64, rulesVersion: UInt32 = 0,
    compression: WALCompression = .lz4
  ) throws {
    guard payload.count <= WALFormat.maximumPayloadByteCount else {
      throw TracestoreError(
        .limitExceeded,
        "a log payload of \(payload.count) bytes exceeds the limit of \(WALFormat.maximumPayloadByteCount)")
    }
    precondition(kind.isKnown, "a frame kind must be one that readers know")
    var stored: [UInt8] = []
    var used = WALCompression.none
    if compression == .lz4, payload.count > 0 {
      let byteCount = LZ4.compress(payload, into: &stored)
      used = byteCount > 0 && byteCount < payload.count ? .lz4 : .none
    }
    if used == .none { stored = [UInt8](payload) }
    self.kind = kind
    self.arrivalNanoseconds = arrivalNanoseconds
    self.rulesVersion = rulesVersion
    self.compression = used
    uncompressedByteCount = payload.count
    payloadChecksum = CRC32C.checksum(stored)
    storedBytes = stored
  }

  package init(
    kind: WALFrameKind, payload: [UInt8], arrivalNanoseconds: UInt64, rulesVersion: UInt32 = 0,
    compression: WALCompression = .lz4
  ) throws {
    self = try payload.withUnsafeBytes {
      try WALFrame(
        kind: kind, payload: $0, arrivalNanoseconds: arrivalNanoseconds, rulesVersion: rulesVersion,
        compression: compression)
    }
  }

  func header(sequence: UInt64, syncedSequence: UInt64) -> WALFrameHeader {
    WALFrameHeader(
      kind: kind, compression: compression.rawValue, flags: 0, sequence: sequence, syncedSequence: syncedSequence,
      arrivalNanoseconds: arrivalNanoseconds, rulesVersion: rulesVersion,
      uncompressedByteCount: UInt32(uncompressedByteCount), storedByteCount: UInt32(storedBytes.count),
      payloadChecksum: payloadChecksum)
  }
}

/// A frame as it was read back. Its checksums are right; the payload is still compressed.
package struct WALRecord: Sendable {
  package var kind: WALFrameKind
  package var sequence: UInt64
  package var arrivalNanoseconds: UInt64
  package var rulesVersion: UInt32
  package var uncompressedByteCount: Int
  package var storedBytes: [UInt8]
  package var compression: WALCompression
  /// Where the frame starts.
  package var path: String
  package var fileNumber: UInt64
  package var offset: UInt64

  package init(
    kind: WALFrameKind, sequence: UInt64, arrivalNanoseconds: UInt64, rulesVersion: UInt32,
    uncompressedByteCount: Int, storedBytes: [UInt8], compression: WALCompression, path: String, fileNumber: UInt64,
    offset: UInt64
  ) {
    self.kind = kind
    self.sequence = sequence
    self.arrivalNanoseconds = arrivalNanoseconds
    self.rulesVersion = rulesVersion
    self.uncompressedByteCount = uncompressedByteCount
    self.storedBytes = storedBytes
    self.compression = compression
    self.path = path
    self.fileNumber = fileNumber
    self.offset = offset
  }

  /// The bytes the frame takes in the log.
  package var byteCount: Int { WALFormat.frameHeaderByteCount + storedBytes.count }

  /// The payload as it was given; `corrupt` when the stored bytes do not decompress to it.
  package func payload() throws -> [UInt8] {
    guard compression == .lz4 else { return storedBytes }
    return try [UInt8](unsafeUninitializedCapacity: uncompressedByteCount) { buffer, count in
      try copyPayload(into: UnsafeMutableRawBufferPointer(buffer))
      count = uncompressedByteCount
    }
  }

  /// Fills `output`, which has `uncompressedByteCount` bytes, with the payload; `corrupt` as `payload()`.
  package func copyPayload(into output: UnsafeMutableRawBufferPointer) throws {
    precondition(output.count == uncompressedByteCount, "a payload is copied whole or not at all")
    do {
      try storedBytes.withUnsafeBytes { stored in
        if compression == .lz4 {
          try LZ4.decompress(stored, into: output)
        } else if stored.count == output.count {
          output.copyMemory(from: stored)
        } else {
          throw CompressionError("a raw payload has another length than its frame says")
        }
      }
    } catch {
      throw TracestoreError(
        .corrupt, "the payload of log frame \(sequence) does not decompress", path: path, offset: offset, cause: error)
    }
  }
}

extension WALRecord {
  /// Frames of the other kinds change what a newer version has acknowledged: without applying them, deleted rows would
  /// come back and records would be trimmed away with the log.
  package func checkIsRequest() throws {
    guard kind != .request else { return }
    throw TracestoreError(
      .unsupportedFormat,
      "log frame \(sequence) is of kind \(kind), which this version cannot apply; open the store with the "
        + "version that wrote it",
      path: path, offset: offset)
  }
}
