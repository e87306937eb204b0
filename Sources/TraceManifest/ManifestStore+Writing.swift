import Synchronization
import TraceFiles
import TraceModel

extension ManifestStore {
  static func create(_ fileSystem: any FileSystem, _ directory: String, _ settings: StoreSettings) throws {
    try fileSystem.createDirectory(directory)
    for name in try fileSystem.contents(ofDirectory: directory) {
      // Without CURRENT, a manifest is what is left of an unfinished creation; data would be an accident.
      if StoreLayout.fileKey(name) != nil { throw noCurrent(directory, beside: name) }
    }
    for name in try fileSystem.contents(ofDirectory: directory) where StoreLayout.manifestNumber(name) != nil {
      try fileSystem.remove(joinedPath(directory, name))
    }
    let header = ManifestHeader(storeID: settings.storeID, number: 1, firstSequence: 1)
    let edit = ManifestEdit([.settings(settings)])
    let file = try writeManifest(
      fileSystem, directory, header, ManifestLog.record(edit, sequence: 1, salt: ManifestLog.salt(header)))
    defer { file.close() }
    try file.sync()
    try fileSystem.syncDirectory(directory)
    try fileSystem.replaceFile(
      StoreLayout.currentFileName, in: directory, with: ManifestPointer.encoded(header.number))
  }

  private static func writeManifest(
    _ fileSystem: any FileSystem, _ directory: String, _ header: ManifestHeader, _ record: [UInt8]
  ) throws -> any File {
    let path = joinedPath(directory, StoreLayout.manifestFileName(header.number))
    if try fileSystem.exists(path) { try fileSystem.remove(path) }
    let file = try fileSystem.open(path, .create)
    try (header.encoded() + record).withUnsafeBytes { try file.append($0) }
    return file
  }

  /// Removes what a crash left. Files that are not the store's stay. Returns a number above every file that was there,
  /// so that one left by an uncommitted edit never shares its number with a later one.
  static func sweep(_ fileSystem: any FileSystem, _ directory: String, current: LogState) throws -> UInt64 {
    var next = current.version.nextFileNumber
    var isChanged = false
    for name in try fileSystem.contents(ofDirectory: directory) {
      if let key = StoreLayout.fileKey(stem(name)), key.number < ManifestFormat.maximumNumber {
        next = max(next, key.number + 1)
      }
      guard isLeftover(name, current) else { continue }
      try fileSystem.remove(joinedPath(directory, name))
      isChanged = true
    }
    if isChanged { try fileSystem.syncDirectory(directory) }
    return next
  }

  private static func stem(_ name: String) -> String {
    name.hasSuffix(StoreLayout.temporarySuffix) ? String(name.dropLast(StoreLayout.temporarySuffix.count)) : name
  }

  /// Manifests that do not count, files under construction, and files that no edit names.
  private static func isLeftover(_ name: String, _ current: LogState) -> Bool {
    let stem = stem(name)
    let isTemporary = stem != name
    if let number = StoreLayout.manifestNumber(stem) { return isTemporary || number != current.header.number }
    if let key = StoreLayout.fileKey(stem) { return isTemporary || current.version.file(key) == nil }
    return isTemporary && stem == StoreLayout.currentFileName
  }

  /// The names of the store's files that the manifest does not count, ascending: a crash left them, and the next opening
  /// for writing removes them; or a writer is about to name or to remove them.
  package func leftovers() throws -> [String] {
    let names = try fileSystem.contents(ofDirectory: directory)
    return log.withLock { state in names.filter { Self.isLeftover($0, state) } }.sorted()
  }

  func append(_ edit: ManifestEdit, as next: ManifestVersion, _ state: inout LogState) throws {
    guard let file = state.file else { throw TracestoreError(.closed, "the manifest is closed", path: directory) }
    let record = ManifestLog.record(edit, sequence: next.sequence, salt: state.salt)
    guard state.endOffset + UInt64(record.count) <= UInt64(ManifestFormat.maximumFileByteCount) else {
      throw TracestoreError(
        .limitExceeded, "the manifest would exceed \(ManifestFormat.maximumFileByteCount) bytes", path: file.path)
    }
    do {
      try record.withUnsafeBytes { try file.append($0) }
    } catch let error as TracestoreError where error.code == .diskFull {
      do {
        try file.truncate(to: state.endOffset)
        try file.sync()
      } catch let second {
        throw poison(&state, second)
      }
      throw error
    } catch {
      throw poison(&state, error)
    }
    do {
      try file.sync()
    } catch {
      throw poison(&state, error)
    }
    state.endOffset += UInt64(record.count)
    state.version = next
  }

  /// What was read may stand in the system's memory alone: after a sync that failed, an earlier process could still read
  /// its last record, and no later sync of that file would write it. So a writer begins with a file of its own, before
  /// it removes anything that an earlier version still needs. A file of one record was durable when it was named.
  func makeReadRecordsDurable() throws {
    try log.withLock { state in
      guard state.version.sequence > state.header.firstSequence || state.currentDamage != nil else { return }
      let version = state.version
      _ = try rewrite(&state, as: version)
    }
  }

  /// Puts `next` as the only record into a new file. False when there was no room for it, and nothing has changed.
  func rewrite(_ state: inout LogState, as next: ManifestVersion) throws -> Bool {
    let header = ManifestHeader(
      storeID: state.header.storeID, number: state.header.number &+ 1, firstSequence: next.sequence)
    let salt = ManifestLog.salt(header)
    let record = ManifestLog.record(next.snapshotEdit, sequence: next.sequence, salt: salt)
    let path = joinedPath(directory, StoreLayout.manifestFileName(header.number))
    let pointer = joinedPath(directory, StoreLayout.currentFileName)
    let temporary = pointer + StoreLayout.temporarySuffix
    let files: (manifest: any File, pointer: any File)
    do {
      // Everything that needs room comes before everything that cannot be taken back.
      let manifest = try Self.writeManifest(fileSystem, directory, header, record)
      if try fileSystem.exists(temporary) { try fileSystem.remove(temporary) }
      let pointerFile = try fileSystem.open(temporary, .create)
      try ManifestPointer.encoded(header.number).withUnsafeBytes { try pointerFile.append($0) }
      files = (manifest, pointerFile)
    } catch let error as TracestoreError where error.code == .diskFull {
      try? fileSystem.remove(path)
      try? fileSystem.remove(temporary)
      return false
    } catch {
      throw poison(&state, error)
    }
    do {
      try files.manifest.sync()
      try files.pointer.sync()
      files.pointer.close()
      try fileSystem.syncDirectory(directory)
      try fileSystem.rename(temporary, to: pointer)
      try fileSystem.syncDirectory(directory)
    } catch {
      throw poison(&state, error)
    }
    let old = joinedPath(directory, StoreLayout.manifestFileName(state.header.number))
    state.file?.close()
    state.file = files.manifest
    state.header = header
    state.salt = salt
    state.endOffset = UInt64(ManifestFormat.fileHeaderByteCount + record.count)
    state.snapshotByteCount = UInt64(record.count)
    state.currentDamage = nil
    // What stays is removed by the next open.
    try? fileSystem.remove(old)
    return true
  }

  private func poison(_ state: inout LogState, _ error: any Error) -> TracestoreError {
    let failure = TracestoreError(
      .poisoned, "the manifest could not be written, so nothing more is promised; close the store and open it again",
      path: directory, cause: error)
    state.failure = failure
    return failure
  }
}
