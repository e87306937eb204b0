import TraceFiles
import TraceModel

extension ManifestStore {
  /// A writer may replace the manifest between two reads of a reader; it does so rarely.
  private static let maximumAttemptCount = 16

  static func load(_ fileSystem: any FileSystem, _ directory: String, isReadOnly: Bool) throws -> LogState {
    var attempt = 1
    while true {
      do {
        return try loadOnce(fileSystem, directory)
      } catch let error as TracestoreError
        where isReadOnly && attempt < maximumAttemptCount && (error.code == .notFound || error.code == .corrupt)
      {
        // Either the log was replaced meanwhile, or a record is being written just now. What stays wrong is wrong.
        attempt += 1
        if try !fileSystem.exists(joinedPath(directory, StoreLayout.currentFileName)) { throw error }
      }
    }
  }

  static func currentNumber(_ fileSystem: any FileSystem, _ directory: String) throws -> UInt64 {
    let path = joinedPath(directory, StoreLayout.currentFileName)
    let file = try fileSystem.open(path, .read)
    defer { file.close() }
    // A byte more tells a longer file from a whole one.
    return try ManifestPointer.decode(
      try file.bytes(at: 0, byteCount: ManifestFormat.currentByteCount + 1), path: path)
  }

  private static func loadOnce(_ fileSystem: any FileSystem, _ directory: String) throws -> LogState {
    let number: UInt64
    do { number = try currentNumber(fileSystem, directory) } catch let error as TracestoreError
      where error.code == .corrupt
    {
      guard var state = try newestState(fileSystem, directory) else { throw error }
      state.currentDamage = error
      return state
    }
    return try loadManifest(number, fileSystem, directory)
  }

  /// The numbers of the manifest files that are there, ascending.
  static func manifestNumbers(_ fileSystem: any FileSystem, _ directory: String) throws -> [UInt64] {
    try fileSystem.contents(ofDirectory: directory).compactMap(StoreLayout.manifestNumber)
      .filter { $0 < ManifestFormat.maximumNumber }.sorted()
  }

  /// What CURRENT would name; nil when the manifest with the greatest number is damaged.
  ///
  /// Two are there when a crash came upon the writing of another, or when the older one could not be removed or has come
  /// back. The newer one is whole before it bears its name, and begins with what the older one ends with, perhaps one edit
  /// later that nobody was promised: it may be taken, as after any crash. `sweep` takes it away before any file that it
  /// alone names.
  static func newestState(_ fileSystem: any FileSystem, _ directory: String) throws -> LogState? {
    var newest: LogState?
    var isNewestDamaged = false
    for number in try manifestNumbers(fileSystem, directory) {
      do {
        let state = try loadManifest(number, fileSystem, directory)
        isNewestDamaged = false
        if state.version.sequence >= newest?.version.sequence ?? 0 { newest = state }
      } catch let error as TracestoreError where error.code == .corrupt {
        isNewestDamaged = true
      }
    }
    return isNewestDamaged ? nil : newest
  }

  static func loadManifest(
    _ number: UInt64, _ fileSystem: any FileSystem, _ directory: String
  ) throws -> LogState {
    let path = joinedPath(directory, StoreLayout.manifestFileName(number))
    let bytes = try manifestBytes(path, fileSystem)
    return try bytes.withUnsafeBytes { buffer in
      let header = try ManifestHeader.decode(buffer, path: path)
      guard header.number == number else {
        throw damaged("the manifest says it is number \(header.number)", path: path, offset: 32)
      }
      let start = ManifestFormat.fileHeaderByteCount
      return try state(UnsafeRawBufferPointer(rebasing: buffer[start...]), behind: header, path)
    }
  }

  /// What the records of a manifest say. Throws `corrupt` unless each is whole and follows the one before.
  static func state(
    _ records: UnsafeRawBufferPointer, behind header: ManifestHeader, _ path: String
  ) throws -> LogState {
    var version: ManifestVersion?
    let start = UInt64(ManifestFormat.fileHeaderByteCount)
    let salt = ManifestLog.salt(header)
    var snapshotByteCount: UInt64 = 0
    let (end, ending) = try ManifestLog.scan(records, start: start, salt: salt, path: path) { edit, sequence, offset in
      version = try applied(edit, sequence, to: version, header, path: path, offset: offset)
      if snapshotByteCount == 0 { snapshotByteCount = UInt64(edit.count) }
    }
    guard let version else { throw damaged("the manifest holds no record", path: path, offset: start) }
    return LogState(
      header: header, salt: salt, endOffset: end, version: version, ending: ending,
      snapshotByteCount: snapshotByteCount)
  }

  static func manifestBytes(_ path: String, _ fileSystem: any FileSystem) throws -> [UInt8] {
    do {
      return try fileSystem.contents(ofFile: path, maximumByteCount: ManifestFormat.maximumFileByteCount)
    } catch let error as TracestoreError where error.code == .notFound {
      throw damaged("the manifest that CURRENT names is gone", path: path, offset: 0)
    } catch let error as TracestoreError where error.code == .limitExceeded {
      throw damaged("no manifest has as many bytes", path: path, offset: 0, cause: error)
    }
  }

  private static func applied(
    _ bytes: UnsafeRawBufferPointer, _ sequence: UInt64, to version: ManifestVersion?, _ header: ManifestHeader,
    path: String, offset: UInt64
  ) throws -> ManifestVersion {
    func corrupt(_ reason: String, cause: (any Error)? = nil) -> TracestoreError {
      damaged("the manifest makes no sense: \(reason)", path: path, offset: offset, cause: cause)
    }
    let expected = version.map { $0.sequence &+ 1 } ?? header.firstSequence
    guard sequence == expected, sequence < ManifestFormat.maximumNumber else {
      throw corrupt("edit \(sequence) stands where \(expected) should")
    }
    do {
      let edit = try ManifestEdit.decode(bytes)
      guard let version else {
        let first = try ManifestVersion(first: edit, sequence: sequence)
        guard first.settings.storeID == header.storeID else { throw corrupt("the store's id stands in it twice") }
        return first
      }
      return try version.applying(edit, sequence: sequence)
    } catch ManifestDecodingError.malformed(let reason) {
      throw corrupt(reason)
    } catch ManifestDecodingError.unsupported(let what) {
      throw unsupported(what, path: path, offset: offset)
    } catch let error as TracestoreError {
      throw error
    } catch {
      throw corrupt("an entry ends too early", cause: error)
    }
  }

  static func refreshed(
    _ state: LogState, _ fileSystem: any FileSystem, _ directory: String
  ) throws -> LogState {
    do {
      var result = state
      do {
        guard try currentNumber(fileSystem, directory) == state.header.number else {
          return try load(fileSystem, directory, isReadOnly: true)
        }
        result.currentDamage = nil
      } catch let error as TracestoreError where error.code == .corrupt && state.currentDamage != nil {
        // No other manifest counts before a writer has replaced CURRENT, so that nobody has to look for one again.
      }
      let path = joinedPath(directory, StoreLayout.manifestFileName(state.header.number))
      let file = try fileSystem.open(path, .read)
      defer { file.close() }
      let byteCount = try file.byteCount()
      guard byteCount <= UInt64(ManifestFormat.maximumFileByteCount), byteCount >= state.endOffset else {
        return try load(fileSystem, directory, isReadOnly: true)
      }
      let bytes = try file.bytes(at: state.endOffset, byteCount: Int(byteCount - state.endOffset))
      try bytes.withUnsafeBytes { buffer in
        (result.endOffset, result.ending) = try ManifestLog.scan(
          buffer, start: state.endOffset, salt: state.salt, path: path
        ) { edit, sequence, offset in
          result.version = try applied(
            edit, sequence, to: result.version, state.header, path: path, offset: offset)
        }
      }
      return result
    } catch let error as TracestoreError where error.code == .notFound || error.code == .corrupt {
      return try load(fileSystem, directory, isReadOnly: true)
    }
  }
}
