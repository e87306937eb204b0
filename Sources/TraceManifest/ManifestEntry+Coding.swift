import TraceBytes
import TraceFiles

/// Bytes that are not an edit, or not one this version may read.
enum ManifestDecodingError: Error {
  case malformed(String)
  case unsupported(String)
}

extension ManifestEntry {
  static let mustUnderstandFlag: UInt16 = 1

  private var kind: UInt16 {
    switch self {
    case .settings: 1
    case .addFile: 2
    case .removeFile: 3
    case .nextFileNumber: 4
    case .walTrimmedBelow: 5
    case .featureBits: 6
    case .unknown(let kind, _, _): kind
    }
  }

  func append(to writer: inout ByteWriter) {
    var body = ByteWriter()
    var flags = Self.mustUnderstandFlag
    switch self {
    case .settings(let settings): settings.append(to: &body)
    case .addFile(let file): file.append(to: &body)
    case .removeFile(let key, let reason):
      key.append(to: &body)
      body.appendInteger(reason.rawValue)
    case .nextFileNumber(let number): body.appendInteger(number)
    case .walTrimmedBelow(let sequence): body.appendInteger(sequence)
    case .featureBits(let mustUnderstand, let optional):
      body.appendInteger(mustUnderstand)
      body.appendInteger(optional)
    case .unknown(_, let own, let bytes):
      flags = own
      body.append(bytes)
    }
    writer.appendInteger(kind)
    writer.appendInteger(flags)
    writer.appendInteger(UInt32(body.count))
    writer.append(body.bytes)
  }

  init(from reader: inout ByteReader) throws {
    let kind = try reader.readUInt16()
    let flags = try reader.readUInt16()
    let bytes = try reader.readBytes(Int(try reader.readUInt32()))
    var body = ByteReader(bytes)
    switch kind {
    case 1: self = .settings(try StoreSettings(from: &body))
    case 2: self = .addFile(try ManifestFile(from: &body))
    case 3:
      self = .removeFile(try ManifestFileKey(from: &body), RemovalReason(rawValue: try body.readUInt16()))
    case 4: self = .nextFileNumber(try body.readUInt64())
    case 5: self = .walTrimmedBelow(try body.readUInt64())
    case 6: self = .featureBits(mustUnderstand: try body.readUInt64(), optional: try body.readUInt64())
    default:
      guard flags & Self.mustUnderstandFlag == 0 else {
        throw ManifestDecodingError.unsupported("an entry of kind \(kind)")
      }
      self = .unknown(kind: kind, flags: flags, bytes: bytes.array)
      return
    }
    guard body.isAtEnd else {
      throw ManifestDecodingError.malformed("an entry of kind \(kind) has \(body.remaining) bytes too many")
    }
  }
}

extension ManifestEdit {
  package func encoded() -> [UInt8] {
    var writer = ByteWriter()
    for entry in entries { entry.append(to: &writer) }
    return writer.bytes
  }

  package static func decode(_ bytes: UnsafeRawBufferPointer) throws -> ManifestEdit {
    var reader = ByteReader(bytes)
    var edit = ManifestEdit()
    while !reader.isAtEnd { edit.entries.append(try ManifestEntry(from: &reader)) }
    return edit
  }
}

extension ManifestFileKey {
  fileprivate func append(to writer: inout ByteWriter) {
    writer.appendInteger(kind.rawValue)
    writer.appendInteger(number)
    writer.appendInteger(edition)
  }

  fileprivate init(from reader: inout ByteReader) throws {
    self.init(
      kind: ManifestFileKind(rawValue: try reader.readUInt16()), number: try reader.readUInt64(),
      edition: try reader.readUInt32())
  }
}

extension ManifestAttributes {
  fileprivate func append(to writer: inout ByteWriter) {
    writer.appendVarint(list.count)
    for attribute in list {
      writer.appendInteger(attribute.key)
      writer.appendLengthPrefixed(attribute.bytes)
    }
  }

  fileprivate init(from reader: inout ByteReader) throws {
    self.init()
    var previous = -1
    for _ in 0..<(try reader.readCount(limit: 1 << 16)) {
      let key = try reader.readUInt16()
      guard Int(key) > previous else { throw ManifestDecodingError.malformed("attribute keys do not ascend") }
      guard key & Self.mustUnderstandBit == 0 else {
        throw ManifestDecodingError.unsupported("an attribute with the key \(key)")
      }
      previous = Int(key)
      self[key] = try reader.readLengthPrefixedBytes().array
    }
  }
}

extension StoreSettings {
  fileprivate func append(to writer: inout ByteWriter) {
    writer.appendInteger(formatVersion)
    writer.appendInteger(storeID.first)
    writer.appendInteger(storeID.second)
    writer.append(UInt8(isZeroEndOpen ? 0 : 1))
    writer.appendInteger(createdNanoseconds)
    attributes.append(to: &writer)
  }

  fileprivate init(from reader: inout ByteReader) throws {
    let version = try reader.readUInt32()
    guard version == 1 else { throw ManifestDecodingError.unsupported("the store format \(version)") }
    let storeID = StoreID(first: try reader.readUInt64(), second: try reader.readUInt64())
    let reading = try reader.readUInt8()
    guard reading <= 1 else { throw ManifestDecodingError.unsupported("reading \(reading) of end times of zero") }
    self.init(
      storeID: storeID, isZeroEndOpen: reading == 0, createdNanoseconds: try reader.readUInt64(),
      formatVersion: version)
    attributes = try ManifestAttributes(from: &reader)
  }
}

extension ManifestFile {
  fileprivate func append(to writer: inout ByteWriter) {
    key.append(to: &writer)
    writer.append(UInt8(isMustUnderstand ? 1 : 0))
    writer.append(level)
    writer.appendInteger(retentionClass)
    for value in [
      byteCount, footerHash.first, footerHash.second, rowCount, partialRecordCount, traceCount,
      minimumStartNanoseconds, maximumStartNanoseconds, maximumEndNanoseconds, longestTraceNanoseconds,
      minimumArrivalNanoseconds, maximumArrivalNanoseconds, windowStartNanoseconds, windowLengthNanoseconds,
      firstSequence, lastSequence,
    ] {
      writer.appendInteger(value)
    }
    writer.appendVarint(rulesVersions.count)
    for version in rulesVersions { writer.appendInteger(version) }
    attributes.append(to: &writer)
  }

  fileprivate init(from reader: inout ByteReader) throws {
    self.init(key: try ManifestFileKey(from: &reader))
    let flag = try reader.readUInt8()
    guard flag <= 1 else { throw ManifestDecodingError.malformed("the must-understand byte is \(flag)") }
    isMustUnderstand = flag == 1
    level = try reader.readUInt8()
    retentionClass = try reader.readUInt16()
    byteCount = try reader.readUInt64()
    footerHash = Hash128(first: try reader.readUInt64(), second: try reader.readUInt64())
    rowCount = try reader.readUInt64()
    partialRecordCount = try reader.readUInt64()
    traceCount = try reader.readUInt64()
    minimumStartNanoseconds = try reader.readUInt64()
    maximumStartNanoseconds = try reader.readUInt64()
    maximumEndNanoseconds = try reader.readUInt64()
    longestTraceNanoseconds = try reader.readUInt64()
    minimumArrivalNanoseconds = try reader.readUInt64()
    maximumArrivalNanoseconds = try reader.readUInt64()
    windowStartNanoseconds = try reader.readUInt64()
    windowLengthNanoseconds = try reader.readUInt64()
    firstSequence = try reader.readUInt64()
    lastSequence = try reader.readUInt64()
    for _ in 0..<(try reader.readCount(limit: reader.remaining / 4)) {
      rulesVersions.append(try reader.readUInt32())
    }
    attributes = try ManifestAttributes(from: &reader)
  }
}
