import TraceFiles
import TraceModel

/// The file that the log's thread is writing. Used by that thread only, once it runs.
final class WALLogFile: @unchecked Sendable {
  /// Frames up to this many bytes share one write.
  private static let gatheredByteCount = 256 << 10

  private let fileSystem: any FileSystem
  private let directory: String
  private let storeID: StoreID
  private var position: WALPositionFile?
  /// Nil until there has been room for it.
  private var file: (any File)?
  private var fileNumber: UInt64
  private var nextFileNumber: UInt64
  private var salt: UInt32
  private var lastSequence: UInt64
  private var syncedSequence: UInt64
  private var gathered: [UInt8] = []

  private(set) var path: String
  /// Where the last whole frame ends; 0 as long as there is no file.
  private(set) var endOffset: UInt64 = 0
  /// False once the file or what is durable of it is no longer known.
  private(set) var isWhole = true
  private(set) var syncCount: UInt64 = 0
  /// When the oldest unsynced byte was written.
  private(set) var unsyncedSinceNanoseconds: UInt64?

  /// Starts a file. On a full disk the first frame does so: a store is opened to make room, too, and what recovery has
  /// found says all that the header of a file without frames would say.
  init(
    fileSystem: any FileSystem, directory: String, storeID: StoreID, fileNumber: UInt64, lastSequence: UInt64
  ) throws {
    self.fileSystem = fileSystem
    self.directory = directory
    self.storeID = storeID
    self.fileNumber = fileNumber
    nextFileNumber = fileNumber
    self.lastSequence = lastSequence
    syncedSequence = lastSequence
    salt = WALFormat.salt(storeID, fileNumber)
    path = joinedPath(directory, WALFormat.fileName(fileNumber))
    do {
      _ = try startNextFile()
    } catch let error as TracestoreError where error.code == .diskFull && isWhole {}
  }

  var isStarted: Bool { file != nil }

  /// A new file, durable with its name; a failure tells whether it was a sync that failed.
  private static func create(
    _ path: String, _ header: WALFileHeader, _ fileSystem: any FileSystem, _ directory: String
  ) -> Result<any File, CreationFailure> {
    var isSyncing = false
    do {
      let file = try fileSystem.open(path, .create)
      do {
        try header.encoded().withUnsafeBytes { try file.append($0) }
        isSyncing = true
        try file.sync()
        try fileSystem.syncDirectory(directory)
        return .success(file)
      } catch {
        file.close()
        // What cannot be removed is found by recovery as a file without frames.
        try? fileSystem.remove(path)
        throw error
      }
    } catch {
      return .failure(CreationFailure(error: error, isSyncFailure: isSyncing))
    }
  }

  private struct CreationFailure: Error {
    var error: any Error
    var isSyncFailure: Bool
  }

  /// Writes the frames after one another. When the disk is full, what was written of them is cut off again, durably,
  /// and `isWhole` stays true.
  func append(_ frames: [WALWriterCore.PendingFrame], lastSequence newLastSequence: UInt64) throws {
    if !isStarted { _ = try startNextFile() }
    let start = endOffset
    do {
      gathered.removeAll(keepingCapacity: true)
      for pending in frames {
        if gathered.count + pending.frame.byteCount > Self.gatheredByteCount { try writeGathered() }
        pending.frame.header(sequence: pending.sequence, syncedSequence: syncedSequence)
          .append(to: &gathered, salt: salt)
        if pending.frame.storedBytes.count >= Self.gatheredByteCount {
          try writeGathered()
          try pending.frame.storedBytes.withUnsafeBytes { try write($0) }
        } else {
          gathered.append(contentsOf: pending.frame.storedBytes)
        }
      }
      try writeGathered()
      lastSequence = newLastSequence
      if unsyncedSinceNanoseconds == nil { unsyncedSinceNanoseconds = monotonicNanoseconds() }
    } catch {
      isWhole = false
      if let failure = error as? TracestoreError, failure.code == .diskFull {
        try file?.truncate(to: start)
        try file?.sync()
        syncCount += 1
        endOffset = start
        syncedSequence = lastSequence
        unsyncedSinceNanoseconds = nil
        isWhole = true
      }
      throw error
    }
  }

  private func writeGathered() throws {
    guard !gathered.isEmpty else { return }
    try gathered.withUnsafeBytes { try write($0) }
    gathered.removeAll(keepingCapacity: true)
  }

  private func write(_ bytes: UnsafeRawBufferPointer) throws {
    try file?.append(bytes)
    endOffset += UInt64(bytes.count)
  }

  /// Does nothing when everything is synced.
  func sync() throws {
    guard unsyncedSinceNanoseconds != nil else { return }
    do {
      try file?.sync()
    } catch {
      isWhole = false
      throw error
    }
    syncCount += 1
    syncedSequence = lastSequence
    unsyncedSinceNanoseconds = nil
  }

  func publishPosition() throws {
    do {
      try position?.publish(sequence: lastSequence, fileNumber: fileNumber, offset: endOffset)
    } catch {
      // Readers would go on believing an old position.
      isWhole = false
      throw error
    }
  }

  /// Everything is synced already. Returns the file that was ended, if there was one.
  func startNextFile() throws -> WALRecoveryReport.ClosedFile? {
    if position == nil {
      let opened = try WALPositionFile(fileSystem: fileSystem, directory: directory, storeID: storeID)
      // No number is given twice, also when a full disk had left the log without a file.
      nextFileNumber = max(nextFileNumber, opened.lastFileNumber &+ 1)
      position = opened
    }
    let number = nextFileNumber
    nextFileNumber &+= 1
    let header = WALFileHeader(
      storeID: storeID, fileNumber: number, firstSequence: lastSequence &+ 1, previousSequence: lastSequence)
    let newPath = joinedPath(directory, WALFormat.fileName(number))
    switch Self.create(newPath, header, fileSystem, directory) {
    case .failure(let failure):
      if failure.isSyncFailure { isWhole = false }
      throw failure.error
    case .success(let new):
      let closed = file.map { old in
        old.close()
        return WALRecoveryReport.ClosedFile(fileNumber: fileNumber, byteCount: endOffset, lastSequence: lastSequence)
      }
      file = new
      path = newPath
      fileNumber = number
      salt = WALFormat.salt(storeID, number)
      endOffset = UInt64(WALFormat.fileHeaderByteCount)
      try publishPosition()
      return closed
    }
  }

  func close() {
    file?.close()
    position?.close()
  }
}
