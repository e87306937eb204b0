package import TraceFiles
package import TraceModel

/// Room in a store's directory for what has to be written before a full disk can be cleared: a file whose bytes mean
/// nothing, and which is removed when they are needed.
package struct DiskReserve: Sendable {
  private let fileSystem: any FileSystem
  private let directory: String

  /// The hourly figures of a segment as it is sealed, 200 kB or so, and a record of the manifest. More would be noticed in
  /// small stores.
  static let byteCount = 256 << 10

  package init(fileSystem: any FileSystem, directory: String) {
    self.fileSystem = fileSystem
    self.directory = directory
  }

  private var path: String { joinedPath(directory, StoreLayout.reserveFileName) }

  /// Makes the reserve, if it is not there and there is room for it.
  package func fill() {
    guard let file = try? fileSystem.open(path, .createOrUpdate) else { return }
    defer { file.close() }
    do {
      guard try file.byteCount() != UInt64(Self.byteCount) else { return }
      try file.truncate(to: 0)
      try Self.bytes.withUnsafeBytes { try file.append($0) }
    } catch {
      // A part of it would only be in the way of others.
      try? fileSystem.remove(path)
    }
  }

  /// Gives the reserve away. False when there was none.
  package func release() -> Bool {
    guard (try? fileSystem.remove(path)) != nil else { return false }
    // Some file systems keep what was freed until then.
    try? fileSystem.syncDirectory(directory)
    return true
  }

  /// Bytes that no file system makes smaller.
  private static var bytes: [UInt8] {
    var state: UInt64 = 0
    return (0..<byteCount).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 56)
    }
  }
}

extension ManifestStore {
  /// A full disk, for work that knows how much room it needs.
  /// - Parameter work: what takes the room, as the beginning of a sentence.
  package func noRoom(for work: String, byteCount: UInt64, _ cause: TracestoreError) -> TracestoreError {
    let free = (try? fileSystem.space(at: directory)).map { ", and \($0.availableByteCount) are free" } ?? ""
    return TracestoreError(
      .diskFull, "\(work) takes up to \(byteCount) bytes beside what is there\(free); make room in this folder",
      path: directory, cause: cause)
  }
}
