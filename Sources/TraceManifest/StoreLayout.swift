import TraceFiles

/// The names inside a store's directory. Every number is sixteen lower-case hexadecimal digits, every edition eight.
package enum StoreLayout {
  package static let lockFileName = "LOCK"
  package static let currentFileName = "CURRENT"
  package static let reserveFileName = "RESERVE"
  package static let walDirectoryName = "wal"
  /// Folders of what repairs have replaced; nothing else looks into them.
  static func damagedDirectoryName(_ number: Int) -> String { "damaged-\(number)" }
  /// Files under construction; whatever bears it after a crash can go.
  package static let temporarySuffix = ".tmp"

  package static func manifestFileName(_ number: UInt64) -> String { "MANIFEST-\(hexadecimal(number))" }

  package static func manifestNumber(_ name: String) -> UInt64? {
    guard name.hasPrefix("MANIFEST-") else { return nil }
    return parsedHexadecimal(name.dropFirst(9))
  }

  /// The name of a file that a manifest entry stands for.
  package static func fileName(_ key: ManifestFileKey) -> String {
    let number = hexadecimal(key.number)
    let edition = String(hexadecimal(UInt64(key.edition)).dropFirst(8))
    switch key.kind {
    case .segment: return "segment-\(number).seg"
    case .dependencies: return "dependencies-\(number).dep"
    case .metricsSegment: return "metrics-\(number).seg"
    case .deletionVector: return "deletions-\(number)-\(edition).vec"
    case .overlayVector: return "overlay-\(number)-\(edition).vec"
    case .corrections: return "corrections-\(number)-\(edition).cor"
    case .configuration: return "configuration-\(number)-\(edition).cfg"
    default: return "file-\(hexadecimal(UInt64(key.kind.rawValue)).dropFirst(12))-\(number)-\(edition).bin"
    }
  }

  /// The key of a name that `fileName(_:)` has made, else nil.
  package static func fileKey(_ name: String) -> ManifestFileKey? {
    let parts = name.split(separator: "-", omittingEmptySubsequences: false)
    let kinds: [String: ManifestFileKind] = [
      "segment": .segment, "metrics": .metricsSegment, "deletions": .deletionVector, "overlay": .overlayVector,
      "corrections": .corrections, "configuration": .configuration,
      "dependencies": .dependencies,
    ]
    guard parts.count >= 2 else { return nil }
    let kind: ManifestFileKind
    var fields = parts.dropFirst()
    if parts[0] == "file" {
      guard let raw = parsedHexadecimal("000000000000" + fields.removeFirst()) else { return nil }
      kind = ManifestFileKind(rawValue: UInt16(truncatingIfNeeded: raw))
    } else if let known = kinds[String(parts[0])] {
      kind = known
    } else {
      return nil
    }
    guard let first = fields.first, let number = parsedHexadecimal(first.prefix(16)) else { return nil }
    var edition: UInt64 = 0
    if fields.count == 2, let last = fields.last {
      guard let value = parsedHexadecimal("00000000" + last.prefix(8)) else { return nil }
      edition = value
    }
    let key = ManifestFileKey(kind: kind, number: number, edition: UInt32(truncatingIfNeeded: edition))
    return fileName(key) == name ? key : nil
  }
}
