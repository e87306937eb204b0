/// The store's files and settings after one edit. A value: it never changes, and a reader keeps it as long as it likes.
package struct ManifestVersion: Hashable, Sendable {
  /// Bits of `featureBits` that this version understands: none yet.
  package static let knownFeatureBits: UInt64 = 0

  /// The number of the last edit, from 1.
  package private(set) var sequence: UInt64
  package private(set) var settings: StoreSettings
  package private(set) var nextFileNumber: UInt64 = 1
  /// Frames of the write-ahead log below it are in files.
  package private(set) var walTrimmedBelow: UInt64 = 1
  package private(set) var mustUnderstandFeatureBits: UInt64 = 0
  package private(set) var optionalFeatureBits: UInt64 = 0
  /// Ascending by kind, number and edition.
  package private(set) var files: [ManifestFile] = []
  /// Entries of newer versions that may be passed over.
  package private(set) var preservedEntries: [ManifestEntry] = []

  /// The version that the first edit of a log makes: it must begin with the settings.
  init(first edit: ManifestEdit, sequence: UInt64) throws {
    guard case .settings(let settings)? = edit.entries.first else {
      throw ManifestDecodingError.malformed("the first entry is not the settings")
    }
    self.settings = settings
    self.sequence = sequence
    for entry in edit.entries.dropFirst() { try apply(entry) }
  }

  /// This version after one more edit.
  func applying(_ edit: ManifestEdit, sequence: UInt64) throws -> ManifestVersion {
    var result = self
    result.sequence = sequence
    for entry in edit.entries { try result.apply(entry) }
    return result
  }

  private mutating func apply(_ entry: ManifestEntry) throws {
    switch entry {
    case .settings: throw ManifestDecodingError.malformed("the settings stand twice")
    case .addFile(let file):
      guard file.key.kind.isKnown || !file.isMustUnderstand else {
        throw ManifestDecodingError.unsupported("a file of kind \(file.key.kind.rawValue)")
      }
      let index = insertionIndex(file.key)
      guard index == files.count || files[index].key != file.key else {
        throw ManifestDecodingError.malformed("the file \(StoreLayout.fileName(file.key)) is added twice")
      }
      if let fault = file.fault { throw ManifestDecodingError.malformed(fault) }
      files.insert(file, at: index)
      nextFileNumber = max(nextFileNumber, file.key.number + 1)
    case .removeFile(let key, _):
      let index = insertionIndex(key)
      guard index < files.count, files[index].key == key else {
        throw ManifestDecodingError.malformed("the file \(StoreLayout.fileName(key)) is removed and was not there")
      }
      files.remove(at: index)
    case .nextFileNumber(let number):
      nextFileNumber = max(nextFileNumber, try Self.checked(number, "the next file number"))
    case .walTrimmedBelow(let sequence):
      walTrimmedBelow = max(walTrimmedBelow, try Self.checked(sequence, "the first frame of the log"))
    case .featureBits(let mustUnderstand, let optional):
      let unknown = mustUnderstand & ~Self.knownFeatureBits
      guard unknown == 0 else { throw ManifestDecodingError.unsupported("the feature bits \(unknown)") }
      mustUnderstandFeatureBits |= mustUnderstand
      optionalFeatureBits |= optional
    case .unknown: preservedEntries.append(entry)
    }
  }

  private static func checked(_ number: UInt64, _ what: String) throws -> UInt64 {
    guard number <= ManifestFormat.maximumNumber else {
      throw ManifestDecodingError.malformed("\(what) is \(number)")
    }
    return number
  }

  /// One edit that makes this version out of nothing.
  var snapshotEdit: ManifestEdit {
    var edit = ManifestEdit([
      .settings(settings), .nextFileNumber(nextFileNumber), .walTrimmedBelow(walTrimmedBelow),
      .featureBits(mustUnderstand: mustUnderstandFeatureBits, optional: optionalFeatureBits),
    ])
    for file in files { edit.add(file) }
    edit.entries += preservedEntries
    return edit
  }

  // MARK: Looking things up

  /// The first index whose key is not below `key`.
  private func insertionIndex(_ key: ManifestFileKey) -> Int {
    var low = 0
    var high = files.count
    while low < high {
      let middle = (low + high) / 2
      if files[middle].key < key { low = middle + 1 } else { high = middle }
    }
    return low
  }

  package func file(_ key: ManifestFileKey) -> ManifestFile? {
    let index = insertionIndex(key)
    return index < files.count && files[index].key == key ? files[index] : nil
  }

  /// All files of a kind, ascending by number and edition. Costs a binary search.
  package func files(of kind: ManifestFileKind) -> ArraySlice<ManifestFile> {
    let start = insertionIndex(ManifestFileKey(kind: kind, number: 0))
    guard kind.rawValue < .max else { return files[start...] }
    return files[
      start..<insertionIndex(ManifestFileKey(kind: ManifestFileKind(rawValue: kind.rawValue + 1), number: 0))]
  }

  /// The file of the highest edition under a number, for the side files of a segment.
  package func newestFile(of kind: ManifestFileKind, number: UInt64) -> ManifestFile? {
    let key = ManifestFileKey(kind: kind, number: number, edition: .max)
    if let last = file(key) { return last }
    let index = insertionIndex(key)
    guard index > 0, files[index - 1].key.kind == kind, files[index - 1].key.number == number else { return nil }
    return files[index - 1]
  }
}
