package import TraceFiles

/// What is fixed when a store is created: its first entry.
package struct StoreSettings: Hashable, Sendable {
  package var formatVersion: UInt32
  package var storeID: StoreID
  /// How an end time of zero is read: an open span, or an ordinary value.
  package var isZeroEndOpen: Bool
  package var createdNanoseconds: UInt64
  package var attributes = ManifestAttributes()

  package init(
    storeID: StoreID, isZeroEndOpen: Bool = true, createdNanoseconds: UInt64, formatVersion: UInt32 = 1
  ) {
    self.formatVersion = formatVersion
    self.storeID = storeID
    self.isZeroEndOpen = isZeroEndOpen
    self.createdNanoseconds = createdNanoseconds
  }
}

/// Why a file went, for whoever reads the log; it changes nothing.
package struct RemovalReason: RawRepresentable, Hashable, Sendable {
  package var rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  package static let merged = RemovalReason(rawValue: 1)
  package static let expired = RemovalReason(rawValue: 2)
  package static let superseded = RemovalReason(rawValue: 3)
  package static let purged = RemovalReason(rawValue: 4)
  package static let repaired = RemovalReason(rawValue: 5)
}

/// One statement of an edit.
package enum ManifestEntry: Hashable, Sendable {
  case settings(StoreSettings)
  case addFile(ManifestFile)
  case removeFile(ManifestFileKey, RemovalReason)
  /// No number from here on has been given to a file.
  case nextFileNumber(UInt64)
  /// No frame of the write-ahead log below it is needed.
  case walTrimmedBelow(UInt64)
  /// What a reader must understand, and what it may ignore. Bits are only ever added.
  case featureBits(mustUnderstand: UInt64, optional: UInt64)
  /// An entry of a newer version that may be passed over. It is kept, in order, when the log is rewritten.
  case unknown(kind: UInt16, flags: UInt16, bytes: [UInt8])
}

/// Entries that take effect together.
package struct ManifestEdit: Hashable, Sendable {
  package var entries: [ManifestEntry]

  package init(_ entries: [ManifestEntry] = []) { self.entries = entries }

  package mutating func add(_ file: ManifestFile) { entries.append(.addFile(file)) }

  package mutating func remove(_ key: ManifestFileKey, _ reason: RemovalReason) {
    entries.append(.removeFile(key, reason))
  }
}
