import Synchronization
import TraceFiles
import TraceModel

extension ManifestStore {
  static func create(_ fileSystem: any FileSystem, _ directory: String, _ settings: StoreSettings) throws {
    try fileSystem.createDirectory(directory)
    // Without CURRENT, a manifest is what is left of an unfinished creation; data would be an accident.
    if let name = try remains(directory, fileSystem) { throw noCurrent(directory, beside: name) }
    for name in try fileSystem.contents(ofDirectory: directory) where StoreLayout.manifestNumber(name) != nil {
      try fileSystem.remove(joinedPath(directory, name))
    }
    let header = ManifestHeader(storeID: settings.storeID, number: 1, firstSequence: 1)
    try publish(ManifestEdit([.settings(settings)]), header, fileSystem, directory)
  }

  /// Makes a manifest of one record, durably, and then the one that counts.
  static func publish(
    _ edit: ManifestEdit, _ header: ManifestHeader, _ fileSystem: any FileSystem, _ directory: String
  ) throws {
    let record = ManifestLog.record(edit, sequence: header.firstSequence, salt: ManifestLog.salt(header))
    try fileSystem.replaceFile(
      StoreLayout.manifestFileName(header.number), in: directory, with: header.encoded() + record)
    try fileSystem.replaceFile(
      StoreLayout.currentFileName, in: directory, with: ManifestPointer.encoded(header.number))
  }

  /// Removes what a crash left. Files that are not the store's stay. Returns a number above every file that was there,
  /// so that one left by an uncommitted edit never shares its number with a later one.
  static func sweep(_ fileSystem: any FileSystem, _ directory: String, current: LogState) throws -> UInt64 {
    let names = try fileSystem.contents(ofDirectory: directory)
    let leftovers = names.filter { isLeftover($0, current) }
    // A manifest that CURRENT has never named goes first: should CURRENT be damaged, it would count, and its files be gone.
    let manifests = leftovers.filter { StoreLayout.manifestNumber(stem($0)) != nil }
    for group in [manifests, leftovers.filter { !manifests.contains($0) }] where !group.isEmpty {
      for name in group { try fileSystem.remove(joinedPath(directory, name)) }
      try fileSystem.syncDirectory(directory)
    }
    return names.compactMap { StoreLayout.fileKey(stem($0))?.number }.filter { $0 < ManifestFormat.maximumNumber }
      .reduce(current.version.nextFileNumber) { max($0, $1 + 1) }
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
  ///
  /// One that was taken in the place of a damaged CURRENT may never have been named, so it has to be written again, and
  /// CURRENT with it: while CURRENT says nothing, an edit in one of two manifests could be lost to the other.
  func makeReadRecordsDurable() throws {
    try log.withLock { state in
      guard state.version.sequence > state.header.firstSequence || state.currentDamage != nil else { return }
      let version = state.version
      if try !rewrite(&state, as: version), let damage = state.currentDamage {
        throw TracestoreError(
          .diskFull, "there is no room to write the damaged CURRENT anew; make room in this folder", path: directory,
          cause: damage)
      }
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
    func makeTemporary(_ path: String, _ bytes: [UInt8]) throws -> any File {
      let path = path + StoreLayout.temporarySuffix
      if try fileSystem.exists(path) { try fileSystem.remove(path) }
      let file = try fileSystem.open(path, .create)
      try bytes.withUnsafeBytes { try file.append($0) }
      return file
    }
    let files: [any File]
    do {
      // Everything that needs room comes before everything that cannot be taken back.
      files = [
        try makeTemporary(path, header.encoded() + record),
        try makeTemporary(pointer, ManifestPointer.encoded(header.number)),
      ]
    } catch let error as TracestoreError where error.code == .diskFull {
      for path in [path, pointer] { try? fileSystem.remove(path + StoreLayout.temporarySuffix) }
      return false
    } catch {
      throw poison(&state, error)
    }
    let manifest: any File
    do {
      for file in files {
        try file.sync()
        file.close()
      }
      for path in [path, pointer] {
        try fileSystem.rename(path + StoreLayout.temporarySuffix, to: path)
        try fileSystem.syncDirectory(directory)
      }
      manifest = try fileSystem.open(path, .update)
    } catch {
      throw poison(&state, error)
    }
    let old = joinedPath(directory, StoreLayout.manifestFileName(state.header.number))
    state.file?.close()
    state.file = manifest
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
