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

  private static func currentNumber(_ fileSystem: any FileSystem, _ directory: String) throws -> UInt64 {
    let path = joinedPath(directory, StoreLayout.currentFileName)
    let file = try fileSystem.open(path, .read)
    defer { file.close() }
    let byteCount = min(try file.byteCount(), UInt64(ManifestFormat.currentByteCount) + 1)
    return try ManifestPointer.decode(file.bytes(at: 0, byteCount: Int(byteCount)), path: path)
  }

  private static func loadOnce(_ fileSystem: any FileSystem, _ directory: String) throws -> LogState {
    let damage: TracestoreError
    do {
      return try loadManifest(currentNumber(fileSystem, directory), fileSystem, directory)
    } catch let error as TracestoreError
      where error.code == .corrupt && error.path == joinedPath(directory, StoreLayout.currentFileName)
    {
      damage = error
    }
    guard var state = try newestState(fileSystem, directory) else { throw damage }
    state.currentDamage = damage
    return state
  }

  /// What CURRENT would name. There is one manifest, but where a crash came upon the writing of another: then the newer
  /// state counts. It is whole in the new file before CURRENT is replaced, and what an edit of it names has been there
  /// longer. Where a writer had no room for a new file and could not take it away, the old one has gone on since.
  private static func newestState(_ fileSystem: any FileSystem, _ directory: String) throws -> LogState? {
    var newest: LogState?
    for number in try fileSystem.contents(ofDirectory: directory).compactMap(StoreLayout.manifestNumber).sorted() {
      let state: LogState
      do {
        state = try loadManifest(number, fileSystem, directory)
      } catch let error as TracestoreError where error.code == .corrupt || error.code == .notFound { continue }
      if newest.map({ $0.version.sequence <= state.version.sequence }) ?? true { newest = state }
    }
    return newest
  }

  private static func loadManifest(
    _ number: UInt64, _ fileSystem: any FileSystem, _ directory: String
  ) throws -> LogState {
    let path = joinedPath(directory, StoreLayout.manifestFileName(number))
    let bytes = try fileSystem.contents(ofFile: path, maximumByteCount: ManifestFormat.maximumFileByteCount)
    return try bytes.withUnsafeBytes { buffer in
      let header = try ManifestHeader.decode(buffer, path: path)
      guard header.number == number else {
        throw TracestoreError(.corrupt, "the manifest says it is number \(header.number)", path: path, offset: 32)
      }
      var version: ManifestVersion?
      let start = ManifestFormat.fileHeaderByteCount
      let salt = ManifestLog.salt(header)
      var snapshotByteCount: UInt64 = 0
      let (end, ending) = try ManifestLog.scan(
        UnsafeRawBufferPointer(rebasing: buffer[start...]), start: UInt64(start), salt: salt, path: path
      ) { edit, sequence, offset in
        version = try applied(edit, sequence, to: version, header, path: path, offset: offset)
        if snapshotByteCount == 0 { snapshotByteCount = UInt64(edit.count) }
      }
      guard let version else {
        throw TracestoreError(.corrupt, "the manifest holds no record", path: path, offset: UInt64(start))
      }
      return LogState(
        header: header, salt: salt, endOffset: end, version: version, ending: ending,
        snapshotByteCount: snapshotByteCount)
    }
  }

  private static func applied(
    _ bytes: UnsafeRawBufferPointer, _ sequence: UInt64, to version: ManifestVersion?, _ header: ManifestHeader,
    path: String, offset: UInt64
  ) throws -> ManifestVersion {
    func corrupt(_ reason: String, cause: (any Error)? = nil) -> TracestoreError {
      TracestoreError(.corrupt, "the manifest makes no sense: \(reason)", path: path, offset: offset, cause: cause)
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
      guard try currentNumber(fileSystem, directory) == state.header.number else {
        return try load(fileSystem, directory, isReadOnly: true)
      }
      let path = joinedPath(directory, StoreLayout.manifestFileName(state.header.number))
      let file = try fileSystem.open(path, .read)
      defer { file.close() }
      let byteCount = try file.byteCount()
      guard byteCount <= UInt64(ManifestFormat.maximumFileByteCount), byteCount >= state.endOffset else {
        return try load(fileSystem, directory, isReadOnly: true)
      }
      let bytes = try file.bytes(at: state.endOffset, byteCount: Int(byteCount - state.endOffset))
      var result = state
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
