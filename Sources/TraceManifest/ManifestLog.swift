import TraceBytes
import TraceFiles
import TraceModel

/// The bytes of a manifest file and of `CURRENT`.
package enum ManifestFormat {
  package static let fileMagic: [UInt8] = Array("TSMAN001".utf8)
  package static let currentMagic: [UInt8] = Array("TSCUR001".utf8)
  package static let version: UInt32 = 1
  package static let fileHeaderByteCount = 64
  package static let currentByteCount = 32
  /// "TSMR" in file order.
  package static let recordMagic: UInt32 = 0x524d_5354
  package static let recordHeaderByteCount = 24
  /// A manifest is read whole when a store opens.
  package static let maximumFileByteCount = 256 << 20
  static let sectorByteCount: UInt64 = 512
  /// What numbers of files and sequences of edits and frames stay below: each has a successor.
  package static let maximumNumber: UInt64 = 1 << 62
  /// The most bytes, rows, partial records and traces of a file: sums over files stay inside 63 bits.
  package static let maximumCount: UInt64 = 1 << 48
}

/// The first 64 bytes of a manifest file.
struct ManifestHeader: Hashable, Sendable {
  var storeID: StoreID
  var number: UInt64
  /// The sequence of the first record.
  var firstSequence: UInt64

  func encoded() -> [UInt8] {
    var writer = ByteWriter(reserving: ManifestFormat.fileHeaderByteCount)
    writer.append(ManifestFormat.fileMagic)
    writer.appendInteger(ManifestFormat.version)
    writer.appendInteger(UInt32(0))
    writer.appendInteger(storeID.first)
    writer.appendInteger(storeID.second)
    writer.appendInteger(number)
    writer.appendInteger(firstSequence)
    writer.append([UInt8](repeating: 0, count: 12))
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    return writer.bytes
  }

  static func decode(_ bytes: UnsafeRawBufferPointer, path: String) throws -> ManifestHeader {
    let failure = damaged("the manifest's header does not match its checksum", path: path, offset: 0)
    guard bytes.count >= ManifestFormat.fileHeaderByteCount else { throw failure }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<ManifestFormat.fileHeaderByteCount]))
    let magic = try reader.readBytes(8)
    let version = try reader.readUInt32()
    let features = try reader.readUInt32()
    let storeID = StoreID(first: try reader.readUInt64(), second: try reader.readUInt64())
    let header = ManifestHeader(
      storeID: storeID, number: try reader.readUInt64(), firstSequence: try reader.readUInt64())
    try reader.skip(12)
    guard try reader.readUInt32() == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<60])),
      magic.elementsEqual(ManifestFormat.fileMagic)
    else { throw failure }
    guard version == ManifestFormat.version, features == 0 else {
      throw unsupported("the manifest format \(version) with feature bits \(features)", path: path, offset: 8)
    }
    return header
  }
}

/// What is wrong with the manifest or with CURRENT, and what helps.
func damaged(_ what: String, path: String, offset: UInt64, cause: (any Error)? = nil) -> TracestoreError {
  TracestoreError(.corrupt, what + repairAdvice, path: path, offset: offset, cause: cause)
}

let repairAdvice = "; run `tracestore repair --plan`"

func unsupported(_ what: String, path: String, offset: UInt64) -> TracestoreError {
  TracestoreError(
    .unsupportedFormat, "\(what) is not known to this version; open the store with the version that wrote it",
    path: path, offset: offset)
}

/// `CURRENT`: the number of the manifest file that counts.
enum ManifestPointer {
  static func encoded(_ number: UInt64) -> [UInt8] {
    var writer = ByteWriter(reserving: ManifestFormat.currentByteCount)
    writer.append(ManifestFormat.currentMagic)
    writer.appendInteger(ManifestFormat.version)
    writer.appendInteger(UInt32(0))
    writer.appendInteger(number)
    writer.appendInteger(UInt32(0))
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    return writer.bytes
  }

  static func decode(_ bytes: [UInt8], path: String) throws -> UInt64 {
    let failure = damaged("CURRENT does not match its checksum", path: path, offset: 0)
    guard bytes.count == ManifestFormat.currentByteCount else { throw failure }
    return try bytes.withUnsafeBytes { buffer in
      var reader = ByteReader(buffer)
      let magic = try reader.readBytes(8)
      let version = try reader.readUInt32()
      try reader.skip(4)
      let number = try reader.readUInt64()
      try reader.skip(4)
      guard try reader.readUInt32() == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[..<28])),
        magic.elementsEqual(ManifestFormat.currentMagic)
      else { throw failure }
      guard version == ManifestFormat.version else {
        throw unsupported("CURRENT of format \(version)", path: path, offset: 8)
      }
      return number
    }
  }
}

/// The records of a manifest file.
enum ManifestLog {
  /// What every record checksum of a file starts from.
  static func salt(_ header: ManifestHeader) -> UInt32 { CRC32C.checksum(header.encoded()) }

  static func record(_ edit: ManifestEdit, sequence: UInt64, salt: UInt32) -> [UInt8] {
    let body = edit.encoded()
    var writer = ByteWriter(reserving: ManifestFormat.recordHeaderByteCount + body.count)
    writer.appendInteger(ManifestFormat.recordMagic)
    writer.appendInteger(UInt32(body.count))
    writer.appendInteger(sequence)
    writer.appendInteger(CRC32C.checksum(body))
    writer.appendInteger(writer.bytes.withUnsafeBytes { CRC32C.checksum($0, following: salt) })
    writer.append(body)
    return writer.bytes
  }

  private struct RecordHeader {
    var bodyByteCount: Int
    var sequence: UInt64
    var bodyChecksum: UInt32
  }

  private static func header(at offset: Int, _ bytes: UnsafeRawBufferPointer, _ salt: UInt32) -> RecordHeader? {
    guard bytes.count - offset >= ManifestFormat.recordHeaderByteCount else { return nil }
    let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + ManifestFormat.recordHeaderByteCount])
    var reader = ByteReader(slice)
    guard let magic = try? reader.readUInt32(), magic == ManifestFormat.recordMagic,
      let byteCount = try? reader.readUInt32(), let sequence = try? reader.readUInt64(),
      let body = try? reader.readUInt32(), let own = try? reader.readUInt32(),
      own == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: slice[..<20]), following: salt)
    else { return nil }
    return RecordHeader(bodyByteCount: Int(byteCount), sequence: sequence, bodyChecksum: body)
  }

  enum Ending: Equatable {
    case clean
    /// The last record was never wholly written, so it was never committed.
    case torn
  }

  /// Gives each record to `body` in order and returns the offset after the last one. Offsets are those of the file;
  /// `bytes` starts at `start`. Throws `corrupt` for damage before the end.
  static func scan(
    _ bytes: UnsafeRawBufferPointer, start: UInt64, salt: UInt32, path: String,
    _ body: (_ edit: UnsafeRawBufferPointer, _ sequence: UInt64, _ offset: UInt64) throws -> Void
  ) throws -> (end: UInt64, ending: Ending) {
    try scanPastDamage(bytes, start: start, salt: salt, path: path) { found in
      switch found {
      case .damage(let error): throw error
      case .record(let edit, let sequence, let offset): try body(edit, sequence, offset)
      }
    }
  }

  /// What stands at a place of a damaged manifest.
  enum Finding {
    case record(edit: UnsafeRawBufferPointer, sequence: UInt64, offset: UInt64)
    case damage(TracestoreError)
  }

  /// Gives each whole record to `body`, in order and past any damage, and each damaged place. An unfinished commit at the
  /// end is no damage. Errors of `body` pass through. Returns the offset after what was read.
  @discardableResult
  static func scanPastDamage(
    _ bytes: UnsafeRawBufferPointer, start: UInt64, salt: UInt32, path: String, _ body: (Finding) throws -> Void
  ) throws -> (end: UInt64, ending: Ending) {
    var offset = 0
    while offset < bytes.count {
      var next = offset + 1
      if let header = header(at: offset, bytes, salt) {
        let bodyStart = offset + ManifestFormat.recordHeaderByteCount
        guard bytes.count - bodyStart >= header.bodyByteCount else { return (start + UInt64(offset), .torn) }
        next = bodyStart + header.bodyByteCount
        let edit = UnsafeRawBufferPointer(rebasing: bytes[bodyStart..<next])
        if CRC32C.checksum(edit) == header.bodyChecksum {
          try body(.record(edit: edit, sequence: header.sequence, offset: start + UInt64(offset)))
          offset = next
          continue
        }
      }
      guard let damage = damage(bytes, at: offset, searchingFrom: next, start: start, salt: salt, path: path) else {
        return (start + UInt64(offset), .torn)
      }
      try body(.damage(damage))
      while next < bytes.count, header(at: next, bytes, salt) == nil { next += 1 }
      offset = next
    }
    return (start + UInt64(offset), .clean)
  }

  /// The first record, whatever its header's checksum starts from: its sequence and its body, when that is whole.
  static func firstBody(
    _ bytes: UnsafeRawBufferPointer
  ) -> (sequence: UInt64, body: UnsafeRawBufferPointer)? {
    var reader = ByteReader(bytes)
    guard let magic = try? reader.readUInt32(), magic == ManifestFormat.recordMagic,
      let byteCount = try? reader.readUInt32(), let sequence = try? reader.readUInt64(),
      let checksum = try? reader.readUInt32(), (try? reader.skip(4)) != nil,
      let body = try? reader.readBytes(Int(byteCount)), CRC32C.checksum(body) == checksum
    else { return nil }
    return (sequence, body)
  }

  /// Whether a record's header stands at the beginning.
  static func beginsWithRecord(_ bytes: UnsafeRawBufferPointer, salt: UInt32) -> Bool {
    header(at: 0, bytes, salt) != nil
  }

  /// An invalid record at the end is an unfinished commit only when the disk shows that it was not written: the file
  /// ends inside it, or a sector's part of it is all zeros; nil then. Anything else was committed and has been damaged.
  private static func damage(
    _ bytes: UnsafeRawBufferPointer, at offset: Int, searchingFrom next: Int, start: UInt64, salt: UInt32,
    path: String
  ) -> TracestoreError? {
    let failure = damaged(
      "a committed record of the manifest does not match its checksum", path: path, offset: start + UInt64(offset))
    var candidate = next
    while bytes.count - candidate >= ManifestFormat.recordHeaderByteCount {
      if header(at: candidate, bytes, salt) != nil { return failure }
      candidate += 1
    }
    if bytes.count - offset < ManifestFormat.recordHeaderByteCount { return nil }
    var index = offset
    while index < bytes.count {
      let sectorEnd = Int(ManifestFormat.sectorByteCount - (start + UInt64(index)) % ManifestFormat.sectorByteCount)
      let end = min(index + sectorEnd, bytes.count)
      if bytes[index..<end].allSatisfy({ $0 == 0 }) { return nil }
      index = end
    }
    return failure
  }
}
