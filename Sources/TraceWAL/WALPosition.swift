import TraceBytes
package import TraceFiles
import TraceModel

/// How far the writer has acknowledged, told to readers in other processes through `wal.position`.
///
/// The file is two slots of 64 bytes, written in turn and never synced. A reader takes the valid slot with the
/// higher edition, and none from before the machine's last restart: then an unsynced slot may be old.
package struct WALPosition: Hashable, Sendable {
  package static let slotByteCount = 64

  package var edition: UInt64
  /// The last acknowledged frame.
  package var sequence: UInt64
  package var fileNumber: UInt64
  /// The offset after that frame.
  package var offset: UInt64

  func encoded(storeID: StoreID, bootIdentity: UInt64) -> [UInt8] {
    var writer = ByteWriter(reserving: Self.slotByteCount)
    writer.appendInteger(edition)
    writer.appendInteger(sequence)
    writer.appendInteger(fileNumber)
    writer.appendInteger(offset)
    writer.appendInteger(storeID.first)
    writer.appendInteger(storeID.second)
    writer.appendInteger(bootIdentity)
    writer.appendInteger(WALFormat.version)
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    return writer.bytes
  }

  /// Nil unless the slot is whole and of this store and boot. A slot with the boot identity 0 was written where
  /// restarts cannot be told apart.
  static func decode(_ bytes: UnsafeRawBufferPointer, storeID: StoreID?, bootIdentity: UInt64?) -> WALPosition? {
    var reader = ByteReader(bytes)
    guard bytes.count == slotByteCount,
      let edition = try? reader.readUInt64(), let sequence = try? reader.readUInt64(),
      let number = try? reader.readUInt64(), let offset = try? reader.readUInt64(),
      let first = try? reader.readUInt64(), let second = try? reader.readUInt64(),
      let boot = try? reader.readUInt64(), let version = try? reader.readUInt32(),
      let checksum = try? reader.readUInt32(),
      checksum == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<60])),
      version == WALFormat.version, storeID.map({ $0 == StoreID(first: first, second: second) }) ?? true,
      boot == 0 || bootIdentity == nil || boot == bootIdentity
    else { return nil }
    return WALPosition(edition: edition, sequence: sequence, fileNumber: number, offset: offset)
  }

  /// The newest valid slot, or nil when there is none.
  package static func read(
    fileSystem: any FileSystem, directory: String, storeID: StoreID?
  ) throws -> WALPosition? {
    let file: any File
    do {
      file = try fileSystem.open(joinedPath(directory, WALFormat.positionFileName), .read)
    } catch let error as TracestoreError where error.code == .notFound {
      return nil
    }
    defer { file.close() }
    return try slots(of: file, storeID: storeID, bootIdentity: fileSystem.bootIdentity)
  }

  static func slots(of file: any File, storeID: StoreID?, bootIdentity: UInt64?) throws -> WALPosition? {
    var newest: WALPosition?
    for index in 0..<2 {
      let bytes = try file.bytes(at: UInt64(index * slotByteCount), byteCount: slotByteCount)
      let slot = bytes.withUnsafeBytes { decode($0, storeID: storeID, bootIdentity: bootIdentity) }
      if let slot, slot.edition > newest?.edition ?? 0 { newest = slot }
    }
    return newest
  }
}

/// The writer's side of `wal.position`.
final class WALPositionFile: @unchecked Sendable {
  // Used by the thread that opens the log and then only by the writer's thread.
  private let file: any File
  private let storeID: StoreID
  private let bootIdentity: UInt64
  private var edition: UInt64

  init(fileSystem: any FileSystem, directory: String, storeID: StoreID) throws {
    file = try fileSystem.open(joinedPath(directory, WALFormat.positionFileName), .createOrUpdate)
    self.storeID = storeID
    bootIdentity = fileSystem.bootIdentity
    // Editions go on even after a restart, so that a reader that kept one never sees it go back.
    edition = try WALPosition.slots(of: file, storeID: storeID, bootIdentity: nil)?.edition ?? 0
    if try file.byteCount() < 2 * UInt64(WALPosition.slotByteCount) {
      try file.truncate(to: 2 * UInt64(WALPosition.slotByteCount))
    }
  }

  func publish(sequence: UInt64, fileNumber: UInt64, offset: UInt64) throws {
    edition &+= 1
    let position = WALPosition(edition: edition, sequence: sequence, fileNumber: fileNumber, offset: offset)
    let bytes = position.encoded(storeID: storeID, bootIdentity: bootIdentity)
    try bytes.withUnsafeBytes { try file.write($0, at: (edition & 1) * UInt64(WALPosition.slotByteCount)) }
  }

  func close() { file.close() }
}
