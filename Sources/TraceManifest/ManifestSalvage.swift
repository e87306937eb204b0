import TraceBytes
package import TraceFiles
package import TraceModel

/// What can be read of a manifest file that may be damaged: its whole records, before and behind the damage.
package struct ManifestSalvage: Sendable {
  let number: UInt64
  /// The damaged places, in order of the file.
  package private(set) var damages: [TracestoreError] = []
  /// What the store is by this manifest; nil when a record is damaged or missing, or may be. The header says nothing that the records
  /// do not.
  private(set) var state: ManifestStore.LogState?
  /// What a readable header says.
  private(set) var storeID: StoreID?
  /// Nil when the first record is lost, and with it whatever only the files themselves can say.
  private(set) var settings: StoreSettings?
  /// Files that a whole record adds and none removes.
  private(set) var files: [ManifestFileKey: ManifestFile] = [:]
  /// Files that a whole record removes, which do not come back.
  private(set) var removed: Set<ManifestFileKey> = []
  private(set) var nextFileNumber: UInt64 = 1
  private(set) var walTrimmedBelow: UInt64 = 1
  private(set) var featureBits: (mustUnderstand: UInt64, optional: UInt64) = (0, 0)
  private(set) var preservedEntries: [ManifestEntry] = []
  /// Of the last record that is whole; 0 when none is.
  private(set) var lastSequence: UInt64 = 0

  /// - Throws: `unsupportedFormat` for what a newer version has written, and what the file system throws. Damage is what is
  ///   noted, however bad.
  package init(manifest number: UInt64, fileSystem: any FileSystem, directory: String) throws {
    self.number = number
    let path = joinedPath(directory, StoreLayout.manifestFileName(number))
    let bytes: [UInt8]
    do { bytes = try ManifestStore.manifestBytes(path, fileSystem) } catch let error as TracestoreError
      where error.code == .corrupt
    {
      damages.append(error)
      return
    }
    try bytes.withUnsafeBytes { try read($0, path) }
  }

  private mutating func read(_ bytes: UnsafeRawBufferPointer, _ path: String) throws {
    let start = min(ManifestFormat.fileHeaderByteCount, bytes.count)
    let records = UnsafeRawBufferPointer(rebasing: bytes[start...])
    var header: ManifestHeader?
    do {
      let own = try ManifestHeader.decode(bytes, path: path)
      if own.number == number { header = own }
      if own.number != number {
        damages.append(damaged("the manifest says it is number \(own.number)", path: path, offset: 32))
      }
    } catch let error as TracestoreError where error.code == .corrupt {
      damages.append(error)
    }
    guard let header = header ?? Self.header(before: records, number) else { return }
    storeID = header.storeID
    do {
      let state = try ManifestStore.state(records, behind: header, path)
      // Beside damage, an unfinished record at the end may have been a committed one, and its segment is there.
      if damages.isEmpty || state.ending == .clean { self.state = state }
    } catch let error as TracestoreError where error.code == .corrupt {}
    try ManifestLog.scanPastDamage(records, start: UInt64(start), salt: ManifestLog.salt(header), path: path) { found in
      switch found {
      case .damage(let error): damages.append(error)
      case .record(let edit, let sequence, let offset):
        do { try take(try ManifestEdit.decode(edit), sequence) } catch ManifestDecodingError.unsupported(let what) {
          throw unsupported(what, path: path, offset: offset)
        } catch {
          damages.append(damaged("the manifest makes no sense: \(error)", path: path, offset: offset))
        }
      }
    }
  }

  /// The header that stood before these records. All that it says stands elsewhere too, and the checksum of the first
  /// record, which begins with that of the header, proves it.
  private static func header(before records: UnsafeRawBufferPointer, _ number: UInt64) -> ManifestHeader? {
    guard let first = ManifestLog.firstBody(records),
      case .settings(let settings)? = try? ManifestEdit.decode(first.body).entries.first
    else { return nil }
    let header = ManifestHeader(storeID: settings.storeID, number: number, firstSequence: first.sequence)
    return ManifestLog.beginsWithRecord(records, salt: ManifestLog.salt(header)) ? header : nil
  }

  private mutating func take(_ edit: ManifestEdit, _ sequence: UInt64) throws {
    lastSequence = max(lastSequence, min(sequence, ManifestFormat.maximumNumber))
    for entry in edit.entries {
      switch entry {
      case .settings(let own): settings = settings ?? own
      case .addFile(let file):
        guard file.key.kind.isKnown || !file.isMustUnderstand else {
          throw ManifestDecodingError.unsupported("a file of kind \(file.key.kind.rawValue)")
        }
        if file.fault == nil { files[file.key] = file }
      case .removeFile(let key, _):
        files[key] = nil
        removed.insert(key)
      // What no store reaches is damage, which the manifest is refused for.
      case .nextFileNumber(let number) where number <= ManifestFormat.maximumNumber:
        nextFileNumber = max(nextFileNumber, number)
      case .walTrimmedBelow(let number) where number <= ManifestFormat.maximumNumber:
        walTrimmedBelow = max(walTrimmedBelow, number)
      case .nextFileNumber, .walTrimmedBelow: break
      case .featureBits(let mustUnderstand, let optional):
        let unknown = mustUnderstand & ~ManifestVersion.knownFeatureBits
        guard unknown == 0 else { throw ManifestDecodingError.unsupported("the feature bits \(unknown)") }
        featureBits.mustUnderstand |= mustUnderstand
        featureBits.optional |= optional
      case .unknown: preservedEntries.append(entry)
      }
    }
  }
}
