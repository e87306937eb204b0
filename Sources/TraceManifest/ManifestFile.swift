package import TraceBytes

/// What a file is. The numbers stand in the manifest; a newer version may write others.
package struct ManifestFileKind: RawRepresentable, Hashable, Sendable {
  package var rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  package static let segment = ManifestFileKind(rawValue: 1)
  package static let deletionVector = ManifestFileKind(rawValue: 2)
  package static let overlayVector = ManifestFileKind(rawValue: 3)
  package static let corrections = ManifestFileKind(rawValue: 4)
  package static let metricsSegment = ManifestFileKind(rawValue: 5)
  package static let configuration = ManifestFileKind(rawValue: 6)
  package static let dependencies = ManifestFileKind(rawValue: 7)

  package var isKnown: Bool { (1...7).contains(rawValue) }
  /// Whether files belong to another one, and are written again under the same number.
  var hasEditions: Bool { self != .segment && self != .metricsSegment && self != .dependencies }
}

/// The identity of a file. A number is never given twice; side files bear the number of what they belong to and
/// an edition that grows.
package struct ManifestFileKey: Hashable, Comparable, Sendable {
  package var kind: ManifestFileKind
  package var number: UInt64
  package var edition: UInt32

  package init(kind: ManifestFileKind, number: UInt64, edition: UInt32 = 0) {
    self.kind = kind
    self.number = number
    self.edition = edition
  }

  package static func < (left: ManifestFileKey, right: ManifestFileKey) -> Bool {
    (left.kind.rawValue, left.number, left.edition) < (right.kind.rawValue, right.number, right.edition)
  }
}

/// Values for later versions: bytes under 16-bit keys, ascending. A key of 0x8000 or above must be understood.
package struct ManifestAttributes: Hashable, Sendable {
  package struct Attribute: Hashable, Sendable {
    package var key: UInt16
    package var bytes: [UInt8]
  }

  package static let mustUnderstandBit: UInt16 = 0x8000

  package private(set) var list: [Attribute] = []

  package init() {}

  /// Of a segment, without bytes: a repair has taken it in although no record named it, or what it was merged from. What it
  /// holds may stand in other segments as well, until a full compaction.
  static let takenIn: UInt16 = 1

  package subscript(key: UInt16) -> [UInt8]? {
    get { list.first { $0.key == key }?.bytes }
    set {
      list.removeAll { $0.key == key }
      guard let newValue else { return }
      let index = list.firstIndex { $0.key > key } ?? list.count
      list.insert(Attribute(key: key, bytes: newValue), at: index)
    }
  }
}

/// A live file and what queries, merges and retention must know before they open it. Times are nanoseconds since
/// 1970; ranges are of true values, unset ones zero.
package struct ManifestFile: Hashable, Sendable {
  package var key: ManifestFileKey
  /// Whether a version that does not know the kind must refuse the store.
  package var isMustUnderstand = true
  package var byteCount: UInt64 = 0
  /// The hash of the file's footer, or of the whole of a small side file: verifies, never identifies.
  package var footerHash = Hash128(first: 0, second: 0)
  package var rowCount: UInt64 = 0
  package var partialRecordCount: UInt64 = 0
  package var traceCount: UInt64 = 0
  package var minimumStartNanoseconds: UInt64 = 0
  package var maximumStartNanoseconds: UInt64 = 0
  package var maximumEndNanoseconds: UInt64 = 0
  package var longestTraceNanoseconds: UInt64 = 0
  package var minimumArrivalNanoseconds: UInt64 = 0
  package var maximumArrivalNanoseconds: UInt64 = 0
  package var windowStartNanoseconds: UInt64 = 0
  package var windowLengthNanoseconds: UInt64 = 0
  package var level: UInt8 = 0
  package var retentionClass: UInt16 = 0
  /// The versions of the rules that its rows went through, ascending.
  package var rulesVersions: [UInt32] = []
  /// The log frames whose rows it holds, both inclusive; zero when it does not come from the log.
  package var firstSequence: UInt64 = 0
  package var lastSequence: UInt64 = 0
  package var attributes = ManifestAttributes()

  package init(key: ManifestFileKey) { self.key = key }

  /// Whether a repair has taken it in although no record named it, or what it was merged from.
  package var isTakenIn: Bool {
    get { attributes[ManifestAttributes.takenIn] != nil }
    set { attributes[ManifestAttributes.takenIn] = newValue ? [] : nil }
  }

  /// Why the entry can be of no file that there is; nil when it can. Whoever adds up figures of entries that were
  /// checked, or opens their files side by side, needs no care.
  var fault: String? {
    let name = StoreLayout.fileName(key)
    if key.number >= ManifestFormat.maximumNumber { return "the number of \(name) is too great" }
    guard key.kind.isKnown else { return nil }
    if key.edition != 0, !key.kind.hasEditions { return "\(name) has the edition \(key.edition)" }
    for (count, what) in [
      (byteCount, "bytes"), (rowCount, "rows"), (partialRecordCount, "partial records"), (traceCount, "traces"),
    ] where count > ManifestFormat.maximumCount {
      return "\(name) is said to have \(count) \(what)"
    }
    return nil
  }
}
