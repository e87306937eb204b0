import TraceBytes
package import TraceFiles
import TraceModel

/// The constants of the format and the names of its files.
package enum WALFormat {
  package static let fileMagic: [UInt8] = Array("TSWAL001".utf8)
  package static let fileHeaderByteCount = 64
  /// "TSWF" in file order.
  package static let frameMagic: UInt32 = 0x4657_5354
  package static let frameHeaderByteCount = 52
  package static let version: UInt32 = 1
  /// Feature bits of a file that this version understands: none yet.
  package static let knownFeatureBits: UInt32 = 0
  /// Frame flags that a reader must understand; the other eight may be ignored.
  package static let mustUnderstandFlags: UInt16 = 0x00ff
  /// A payload is held whole while it is written and replayed.
  package static let maximumPayloadByteCount = 256 << 20
  package static let positionFileName = "wal.position"

  package static func fileName(_ number: UInt64) -> String { "wal-\(hexadecimal(number)).log" }

  /// The number in a name that `fileName(_:)` has made, else nil.
  package static func fileNumber(_ name: String) -> UInt64? {
    guard name.utf8.count == 24, name.hasPrefix("wal-"), name.hasSuffix(".log") else { return nil }
    return parsedHexadecimal(name.dropFirst(4).dropLast(4))
  }

  /// What every frame checksum of a file starts from, so that a frame is valid in its own file only.
  static func salt(_ storeID: StoreID, _ number: UInt64) -> UInt32 {
    var writer = ByteWriter(reserving: 24)
    writer.appendInteger(storeID.first)
    writer.appendInteger(storeID.second)
    writer.appendInteger(number)
    return CRC32C.checksum(writer.bytes)
  }
}

/// What a frame is for. The log stores all kinds alike.
package struct WALFrameKind: RawRepresentable, Hashable, CustomStringConvertible, Sendable {
  package var rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let request = WALFrameKind(rawValue: 1)
  package static let delete = WALFrameKind(rawValue: 2)
  package static let dependencySnapshot = WALFrameKind(rawValue: 3)
  package static let samplingRecord = WALFrameKind(rawValue: 4)
  package static let annotation = WALFrameKind(rawValue: 5)

  /// The kind's number and, when this version has one, its name.
  package var description: String {
    switch self {
    case .request: "1 (request)"
    case .delete: "2 (delete)"
    case .dependencySnapshot: "3 (dependency snapshot)"
    case .samplingRecord: "4 (sampling record)"
    case .annotation: "5 (annotation)"
    default: "\(rawValue)"
    }
  }

  package var isKnown: Bool { (1...5).contains(rawValue) }
}

/// How a payload is stored.
package enum WALCompression: UInt8, Hashable, Sendable {
  case none = 0
  case lz4 = 1
}

/// The first 64 bytes of a log file.
package struct WALFileHeader: Hashable, Sendable {
  package var storeID: StoreID
  package var fileNumber: UInt64
  /// The lowest sequence a frame of this file may have.
  package var firstSequence: UInt64
  /// The sequence of the last frame in the log before this file, 0 if there was none: how a missing file shows.
  package var previousSequence: UInt64

  func encoded() -> [UInt8] {
    var writer = ByteWriter(reserving: WALFormat.fileHeaderByteCount)
    writer.append(WALFormat.fileMagic)
    writer.appendInteger(WALFormat.version)
    writer.appendInteger(UInt32(0))
    writer.appendInteger(storeID.first)
    writer.appendInteger(storeID.second)
    writer.appendInteger(fileNumber)
    writer.appendInteger(firstSequence)
    writer.appendInteger(previousSequence)
    writer.appendInteger(UInt32(0))
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    return writer.bytes
  }

  /// Nil when the bytes are no header; `unsupportedFormat` when they are one of a newer version.
  static func decode(_ bytes: [UInt8], path: String) throws -> WALFileHeader? {
    guard bytes.count == WALFormat.fileHeaderByteCount else { return nil }
    return try bytes.withUnsafeBytes { buffer in
      var reader = ByteReader(buffer)
      let magic = try reader.readBytes(8)
      let version = try reader.readUInt32()
      let features = try reader.readUInt32()
      let storeID = StoreID(first: try reader.readUInt64(), second: try reader.readUInt64())
      let header = WALFileHeader(
        storeID: storeID, fileNumber: try reader.readUInt64(), firstSequence: try reader.readUInt64(),
        previousSequence: try reader.readUInt64())
      _ = try reader.readUInt32()
      let checksum = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[..<60]))
      guard try reader.readUInt32() == checksum, magic.elementsEqual(WALFormat.fileMagic) else { return nil }
      guard version == WALFormat.version, features & ~WALFormat.knownFeatureBits == 0 else {
        throw TracestoreError(
          .unsupportedFormat,
          "the log file has format \(version) with feature bits \(features); open it with the version that wrote it",
          path: path, offset: 8)
      }
      return header
    }
  }
}

/// The 52 bytes before a payload.
struct WALFrameHeader: Hashable, Sendable {
  var kind: WALFrameKind
  var compression: UInt8
  var flags: UInt16
  var sequence: UInt64
  /// The sequence up to which the log was known to be synced when the frame was written. What it covers and cannot
  /// be read was durable once, so it has been damaged; what it does not cover may never have reached the disk.
  var syncedSequence: UInt64
  var arrivalNanoseconds: UInt64
  var rulesVersion: UInt32
  var uncompressedByteCount: UInt32
  var storedByteCount: UInt32
  var payloadChecksum: UInt32

  func append(to bytes: inout [UInt8], salt: UInt32) {
    var writer = ByteWriter(reserving: WALFormat.frameHeaderByteCount)
    writer.appendInteger(WALFormat.frameMagic)
    writer.append(kind.rawValue)
    writer.append(compression)
    writer.appendInteger(flags)
    writer.appendInteger(sequence)
    writer.appendInteger(syncedSequence)
    writer.appendInteger(arrivalNanoseconds)
    writer.appendInteger(rulesVersion)
    writer.appendInteger(uncompressedByteCount)
    writer.appendInteger(storedByteCount)
    writer.appendInteger(payloadChecksum)
    writer.appendInteger(writer.bytes.withUnsafeBytes { CRC32C.checksum($0, following: salt) })
    bytes.append(contentsOf: writer.bytes)
  }

  /// Nil when the bytes are no header of a frame in the file that `salt` belongs to.
  static func decode(_ bytes: UnsafeRawBufferPointer, salt: UInt32) -> WALFrameHeader? {
    var reader = ByteReader(bytes)
    guard let magic = try? reader.readUInt32(), magic == WALFormat.frameMagic,
      let kind = try? reader.readUInt8(), let compression = try? reader.readUInt8(),
      let flags = try? reader.readUInt16(), let sequence = try? reader.readUInt64(),
      let synced = try? reader.readUInt64(), let arrival = try? reader.readUInt64(),
      let rules = try? reader.readUInt32(), let uncompressed = try? reader.readUInt32(),
      let stored = try? reader.readUInt32(), let payload = try? reader.readUInt32(),
      let checksum = try? reader.readUInt32(),
      checksum == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<48]), following: salt)
    else { return nil }
    return WALFrameHeader(
      kind: WALFrameKind(rawValue: kind), compression: compression, flags: flags, sequence: sequence,
      syncedSequence: synced, arrivalNanoseconds: arrival, rulesVersion: rules, uncompressedByteCount: uncompressed,
      storedByteCount: stored, payloadChecksum: payload)
  }
}
