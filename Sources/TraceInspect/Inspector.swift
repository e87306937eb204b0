package import TraceFiles
import TraceManifest
import TraceModel
import TraceWAL

/// Explains files.
///
/// Blocking, without state, safe from any thread. Throws only when a path cannot be opened at all: whatever stands in
/// a file, however broken, ends up in the explanation.
package struct Inspector: Sendable {
  /// How far to go into a segment.
  package enum Detail: Sendable {
    /// Sections and stripes.
    case overview
    /// And every column with its encoding.
    case columns
    /// And every page.
    case pages
  }

  let fileSystem: any FileSystem

  /// Reads real files.
  package init() { fileSystem = RealFileSystem() }

  package init(fileSystem: any FileSystem) { self.fileSystem = fileSystem }

  /// Files up to this are read whole.
  static let maximumWholeByteCount = 256 << 20

  /// Whether `path` is a folder, as a store is, and not one of its files.
  package func isFolder(_ path: String) throws -> Bool { try fileSystem.kind(of: path) == .directory }

  package func explain(_ path: String, _ detail: Detail = .overview) throws -> Explanation {
    guard let kind = try fileSystem.kind(of: path) else {
      throw TracestoreError(.notFound, "there is no file or folder \(path); check the name", path: path)
    }
    return kind == .directory ? try explainStore(path, detail) : try explainFile(path, detail)
  }

  func explainFile(_ path: String, _ detail: Detail) throws -> Explanation {
    let file = try fileSystem.open(path, .read)
    defer { file.close() }
    let byteCount = try file.byteCount()
    let magic = try Self.magic(of: file)
    let name = path.split(separator: "/").last.map(String.init) ?? path
    if Self.isMetricsSegment(name, magic: magic) {
      return try explainMetrics(path, byteCount)
    }
    if Self.isSegment(name, magic: magic) {
      return explainSegment(file, path, byteCount, detail)
    }
    if magic.starts(with: Array("TSWAL".utf8)) || WALFormat.fileNumber(name) != nil {
      return try LogInspection(file, path, byteCount).explanation()
    }
    if magic.starts(with: Array("TSMAN".utf8)) || StoreLayout.manifestNumber(name) != nil {
      return try explainManifest(file, path, byteCount)
    }
    if magic.starts(with: Array("TSCUR".utf8)) || name == StoreLayout.currentFileName {
      return try explainCurrent(file, path, byteCount)
    }
    if magic.starts(with: Array("TSDEP".utf8)) || name.hasSuffix(".dep") {
      return try explainDependencies(path, byteCount)
    }
    if name == WALFormat.positionFileName { return try explainPosition(file, path, byteCount) }
    var result = Explanation(kind: "file", path: path, byteCount: byteCount)
    if name == StoreLayout.lockFileName {
      result.fields = [("meaning", .string("the writer's lock; it has no content"))]
    } else if name == StoreLayout.reserveFileName {
      result.fields = [("meaning", .string("room for a full disk to be cleared; its bytes mean nothing"))]
    } else {
      result.note(
        TracestoreError(.corrupt, "this is no file of a store that this version knows", path: path, offset: 0), at: 0)
    }
    return result
  }

  static func magic(of file: any File) throws -> [UInt8] {
    try file.bytes(at: 0, byteCount: Int(min(try file.byteCount(), 8)))
  }

  /// Whether a file is to be taken for one of figures by the hour. One whose first bytes are damaged still has its name.
  private static func isMetricsSegment(_ name: String, magic: [UInt8]) -> Bool {
    magic.starts(with: Array("TSMET".utf8)) || StoreLayout.fileKey(name)?.kind == .metricsSegment
  }

  /// Whether a file is to be taken for one of spans.
  static func isSegment(_ path: String, magic: [UInt8] = []) -> Bool {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    return magic.starts(with: Array("TSSEG".utf8))
      || name.hasSuffix(".seg") && !isMetricsSegment(name, magic: magic)
  }

  // MARK: A whole store

  private func explainStore(_ path: String, _ detail: Detail) throws -> Explanation {
    var result = Explanation(kind: "store", path: path, byteCount: 0)
    var names = try fileSystem.contents(ofDirectory: path).map { joinedPath(path, $0) }
    let log = joinedPath(path, StoreLayout.walDirectoryName)
    names.removeAll { $0 == log }
    if try fileSystem.kind(of: log) == .directory {
      names += try fileSystem.contents(ofDirectory: log).map { joinedPath(log, $0) }
    }
    do {
      let manifest = try ManifestStore.open(fileSystem: fileSystem, directory: path, mode: .readOnly)
      defer { manifest.close() }
      let version = manifest.current
      result.fields = [
        ("store id", .string("\(version.settings.storeID)")),
        ("format", .number(UInt64(version.settings.formatVersion))),
        ("created", Self.time(version.settings.createdNanoseconds)),
        ("end zero is an open span", .bool(version.settings.isZeroEndOpen)), ("edit", .number(version.sequence)),
        ("live files", .count(version.files.count)), ("log needed from", .number(version.walTrimmedBelow)),
      ]
    } catch {
      result.note(error, at: 0)
    }
    for name in names where try fileSystem.kind(of: name) == .file {
      let file = try explainFile(name, detail)
      result.byteCount += file.byteCount
      result.files.append(file)
    }
    return result
  }

  static func time(_ nanoseconds: UInt64) -> JSONValue { .string(Timestamp(nanoseconds: nanoseconds).rfc3339) }

  // MARK: Bytes

  /// Lines of sixteen bytes, with their characters.
  package func hexLines(_ path: String, at offset: UInt64, byteCount: Int = 256) throws -> [String] {
    let file = try fileSystem.open(path, .read)
    defer { file.close() }
    let whole = try file.byteCount()
    guard offset < whole else {
      throw TracestoreError(
        .invalidArgument, "the file ends at byte \(whole); choose an offset before it", path: path, offset: offset)
    }
    let bytes = try file.bytes(at: offset, byteCount: Int(min(whole - offset, UInt64(byteCount))))
    return stride(from: 0, to: bytes.count, by: 16).map { start in
      let row = bytes[start..<min(bytes.count, start + 16)]
      var line = hexadecimal(offset + UInt64(start)) + "  "
      for index in 0..<16 {
        if index == 8 { line += " " }
        line += index < row.count ? String(hexadecimal(UInt64(row[start + index])).suffix(2)) + " " : "   "
      }
      line += " "
      for byte in row {
        line.unicodeScalars.append((0x20..<0x7f).contains(byte) ? Unicode.Scalar(byte) : ".")
      }
      return line
    }
  }
}
