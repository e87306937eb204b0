import TraceBytes
import TraceFiles
import TraceModel
import TraceOTLP
import TraceWAL

/// Walks one log file by its own reading of the format, which needs no other file of the store.
struct LogInspection {
  private static let windowByteCount = 1 << 20

  private let file: any File
  private let path: String
  private let byteCount: UInt64

  init(_ file: any File, _ path: String, _ byteCount: UInt64) throws {
    self.file = file
    self.path = path
    self.byteCount = byteCount
  }

  private struct Frame {
    var kind: WALFrameKind
    var compression: UInt8
    var flags: UInt16
    var sequence: UInt64
    var syncedSequence: UInt64
    var arrival: UInt64
    var rulesVersion: UInt32
    var uncompressedByteCount: UInt32
    var storedByteCount: UInt32
    var payloadChecksum: UInt32

    var byteCount: UInt64 { UInt64(WALFormat.frameHeaderByteCount) + UInt64(storedByteCount) }
  }

  func explanation() throws -> Explanation {
    var result = Explanation(kind: "log", path: path, byteCount: byteCount)
    let header = try file.bytes(at: 0, byteCount: Int(min(byteCount, UInt64(WALFormat.fileHeaderByteCount))))
    guard let salt = explainHeader(header, &result) else { return result }
    var offset = UInt64(header.count)
    var frameCount = 0
    while offset < byteCount {
      if let frame = try self.frame(at: offset, salt), frame.byteCount <= byteCount - offset {
        explain(frame, at: offset, &result)
        frameCount += 1
        offset += frame.byteCount
      } else {
        let next = try nextFrame(after: offset, salt)
        let end = next ?? byteCount
        result.parts.append(
          ExplainedPart(next == nil ? "unfinished end" : "gap", at: offset, byteCount: end - offset))
        // A crash leaves an unfinished frame at the end; in the middle something was lost.
        if next != nil {
          result.note(
            TracestoreError(
              .corrupt, "no valid frame stands in these \(end - offset) bytes", path: path, offset: offset),
            at: offset)
        }
        offset = end
      }
    }
    result.fields.append(("frames", .count(frameCount)))
    return result
  }

  /// Returns what the checksums of the file's frames start from.
  private func explainHeader(_ bytes: [UInt8], _ result: inout Explanation) -> UInt32? {
    do {
      return try bytes.withUnsafeBytes { buffer in
        var reader = ByteReader(buffer)
        let magic = try reader.readBytes(8)
        let version = try reader.readUInt32()
        let features = try reader.readUInt32()
        let storeID = StoreID(first: try reader.readUInt64(), second: try reader.readUInt64())
        let number = try reader.readUInt64()
        let first = try reader.readUInt64()
        let previous = try reader.readUInt64()
        try reader.skip(4)
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[..<60]))
        guard try reader.readUInt32() == checksum, magic.elementsEqual(WALFormat.fileMagic) else {
          throw TracestoreError(.corrupt, "the file header does not match its checksum", path: path, offset: 0)
        }
        result.fields = [
          ("format", .number(UInt64(version))), ("store id", .string("\(storeID)")), ("file number", .number(number)),
          ("first sequence", .number(first)), ("sequence before the file", .number(previous)),
        ]
        result.parts.append(ExplainedPart("header", at: 0, byteCount: 64))
        guard version == WALFormat.version, features & ~WALFormat.knownFeatureBits == 0 else {
          throw TracestoreError(
            .unsupportedFormat, "the log file has format \(version) with feature bits \(features)", path: path,
            offset: 8)
        }
        var writer = ByteWriter(reserving: 24)
        writer.appendInteger(storeID.first)
        writer.appendInteger(storeID.second)
        writer.appendInteger(number)
        return CRC32C.checksum(writer.bytes)
      }
    } catch {
      let reported: any Error =
        error is TracestoreError
        ? error : TracestoreError(.corrupt, "the file ends inside its header", path: path, offset: 0)
      result.note(reported, at: 0)
      return nil
    }
  }

  private func frame(at offset: UInt64, _ salt: UInt32) throws -> Frame? {
    guard byteCount - offset >= UInt64(WALFormat.frameHeaderByteCount) else { return nil }
    return Self.frame(try file.bytes(at: offset, byteCount: WALFormat.frameHeaderByteCount), salt)
  }

  private static func frame(_ bytes: [UInt8], _ salt: UInt32) -> Frame? {
    bytes.withUnsafeBytes { buffer in
      var reader = ByteReader(buffer)
      guard let magic = try? reader.readUInt32(), magic == WALFormat.frameMagic, let kind = try? reader.readUInt8(),
        let compression = try? reader.readUInt8(), let flags = try? reader.readUInt16(),
        let sequence = try? reader.readUInt64(), let synced = try? reader.readUInt64(),
        let arrival = try? reader.readUInt64(), let rules = try? reader.readUInt32(),
        let uncompressed = try? reader.readUInt32(), let stored = try? reader.readUInt32(),
        let payload = try? reader.readUInt32(), let checksum = try? reader.readUInt32(),
        checksum == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[..<48]), following: salt)
      else { return nil }
      return Frame(
        kind: WALFrameKind(rawValue: kind), compression: compression, flags: flags, sequence: sequence,
        syncedSequence: synced,
        arrival: arrival, rulesVersion: rules, uncompressedByteCount: uncompressed, storedByteCount: stored,
        payloadChecksum: payload)
    }
  }

  private func nextFrame(after offset: UInt64, _ salt: UInt32) throws -> UInt64? {
    let magic = withUnsafeBytes(of: WALFormat.frameMagic.littleEndian) { Array($0) }
    var start = offset + 1
    while start + 4 <= byteCount {
      let window = try file.bytes(at: start, byteCount: Int(min(UInt64(Self.windowByteCount), byteCount - start)))
      guard window.count >= 4 else { return nil }
      for index in 0...(window.count - 4)
      where window[index] == magic[0] && window[index..<index + 4].elementsEqual(magic) {
        let candidate = start + UInt64(index)
        if let frame = try frame(at: candidate, salt), frame.byteCount <= byteCount - candidate { return candidate }
      }
      start += UInt64(window.count - 3)
    }
    return nil
  }

  private func explain(_ frame: Frame, at offset: UInt64, _ result: inout Explanation) {
    var part = ExplainedPart(
      "frame \(frame.sequence)", at: offset, byteCount: frame.byteCount,
      [
        ("kind", .string("\(frame.kind)")), ("arrived", Inspector.time(frame.arrival)),
        (
          "compression",
          .string(frame.compression == 1 ? "lz4" : frame.compression == 0 ? "none" : "\(frame.compression)")
        ),
        ("uncompressed", .number(UInt64(frame.uncompressedByteCount))), ("synced", .number(frame.syncedSequence)),
      ])
    do {
      guard frame.storedByteCount <= WALFormat.maximumPayloadByteCount,
        frame.uncompressedByteCount <= WALFormat.maximumPayloadByteCount
      else { throw TracestoreError(.corrupt, "the frame announces more bytes than a frame may hold") }
      let stored = try file.bytes(
        at: offset + UInt64(WALFormat.frameHeaderByteCount), byteCount: Int(frame.storedByteCount))
      guard CRC32C.checksum(stored) == frame.payloadChecksum else {
        throw TracestoreError(.corrupt, "the payload of frame \(frame.sequence) does not match its checksum")
      }
      if let compression = WALCompression(rawValue: frame.compression) {
        let record = WALRecord(
          kind: frame.kind, sequence: frame.sequence, arrivalNanoseconds: frame.arrival,
          rulesVersion: frame.rulesVersion,
          uncompressedByteCount: Int(frame.uncompressedByteCount), storedBytes: stored, compression: compression,
          path: path, fileNumber: 0, offset: offset)
        try record.checkIsRequest()
        part.fields.append(("spans", .count(try OTLP.decode(try record.payload()).spanCount)))
      }
    } catch {
      result.note(error, at: offset)
    }
    result.parts.append(part)
  }
}
