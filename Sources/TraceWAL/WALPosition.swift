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

  static func decode(_ bytes: UnsafeRawBufferPointer, storeID: StoreID?, bootIdentity: UInt64?) -> Slot {
    var reader = ByteReader(bytes)
    guard bytes.count == slotByteCount,
      let edition = try? reader.readUInt64(), let sequence = try? reader.readUInt64(),
      let number = try? reader.readUInt64(), let offset = try? reader.readUInt64(),
      let first = try? reader.readUInt64(), let second = try? reader.readUInt64(),
      let boot = try? reader.readUInt64(), let version = try? reader.readUInt32(),
      let checksum = try? reader.readUInt32(),
      checksum == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<60]))
    else { return bytes.allSatisfy { $0 == 0 } ? .empty : .invalid }
    guard version == WALFormat.version, storeID.map({ $0 == StoreID(first: first, second: second) }) ?? true,
      boot == 0 || bootIdentity == nil || boot == bootIdentity
    else { return .foreign }
    return .valid(
      WALPosition(edition: edition, sequence: sequence, fileNumber: number, offset: offset), isOfThisBoot: boot != 0)
  }

  enum Slot {
    /// Zeros, or nothing.
    case empty
    /// Its bytes are not what was written.
    case invalid
    /// Of another store or format, or from before a restart: an unsynced slot may be old then.
    case foreign
    /// Where restarts cannot be told apart, the boot identity is 0.
    case valid(WALPosition, isOfThisBoot: Bool)
  }
}

/// What `wal.position` says.
package struct WALPositions: Hashable, Sendable {
  /// The newest valid slot.
  package private(set) var newest: WALPosition?
  /// Whether the machine has run since `newest` was written: then everything that it covers has been written, and nothing
  /// of it can have been lost with unsynced pages.
  package private(set) var isOfThisBoot = false
  /// The slots that have been damaged, 0 and 1. A power cut may leave one slot torn and the other from before it, and an
  /// empty slot where nothing was published twice; neither is damage.
  package private(set) var damagedSlots: [Int] = []

  /// What a reader may be limited by. With a damaged slot, which may have been the newer one, that is not known.
  var limit: WALPosition? { damagedSlots.isEmpty ? newest : nil }

  /// Whatever it covers and cannot be read has been damaged.
  package var acknowledged: WALPosition? { isOfThisBoot ? newest : nil }

  init(_ bytes: [UInt8], storeID: StoreID?, bootIdentity: UInt64?) {
    let slots = (0..<2).map { index in
      let slot = bytes.dropFirst(index * WALPosition.slotByteCount).prefix(WALPosition.slotByteCount)
      return slot.withUnsafeBytes { WALPosition.decode($0, storeID: storeID, bootIdentity: bootIdentity) }
    }
    var invalid: [Int] = []
    var empty: [Int] = []
    for (index, slot) in slots.enumerated() {
      switch slot {
      case .valid(let position, let isOfThisBoot) where position.edition > newest?.edition ?? 0:
        newest = position
        self.isOfThisBoot = isOfThisBoot
      case .invalid: invalid.append(index)
      case .empty: empty.append(index)
      case .valid, .foreign: break
      }
    }
    if isOfThisBoot || invalid.count == 2 { damagedSlots = invalid }
    if isOfThisBoot, let newest, newest.edition > 1 { damagedSlots += empty }
  }

  /// Reads the file; without one there is no slot.
  package static func read(
    fileSystem: any FileSystem, directory: String, storeID: StoreID?
  ) throws -> WALPositions {
    let file: any File
    do {
      file = try fileSystem.open(joinedPath(directory, WALFormat.positionFileName), .read)
    } catch let error as TracestoreError where error.code == .notFound {
      return WALPositions([], storeID: storeID, bootIdentity: nil)
    }
    defer { file.close() }
    var bytes = try WALPositions.bytes(of: file)
    while true {
      let positions = WALPositions(bytes, storeID: storeID, bootIdentity: fileSystem.bootIdentity)
      if positions.damagedSlots.isEmpty { return positions }
      // A slot that is being written just now is whole at the next look; what stays wrong is wrong.
      let again = try WALPositions.bytes(of: file)
      if again == bytes { return positions }
      bytes = again
    }
  }

  static func bytes(of file: any File) throws -> [UInt8] {
    try file.bytes(at: 0, byteCount: 2 * WALPosition.slotByteCount)
  }
}

/// The writer's side of `wal.position`.
final class WALPositionFile: @unchecked Sendable {
  // Used by the thread that opens the log and then only by the writer's thread.
  private let file: any File
  private let storeID: StoreID
  private let bootIdentity: UInt64
  private var edition: UInt64
  /// Of the log file that was published last, also before a restart; 0 for none.
  let lastFileNumber: UInt64

  init(fileSystem: any FileSystem, directory: String, storeID: StoreID) throws {
    file = try fileSystem.open(joinedPath(directory, WALFormat.positionFileName), .createOrUpdate)
    self.storeID = storeID
    bootIdentity = fileSystem.bootIdentity
    // Editions go on even after a restart, so that a reader that kept one never sees it go back.
    let positions = WALPositions(try WALPositions.bytes(of: file), storeID: storeID, bootIdentity: nil)
    edition = positions.newest?.edition ?? 0
    lastFileNumber = positions.newest?.fileNumber ?? 0
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
