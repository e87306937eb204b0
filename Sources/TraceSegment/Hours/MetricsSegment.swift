package import TraceBytes
package import TraceFiles
import TraceModel

/// A file of hourly figures: what is known of spans that have expired. Read whole and decoded for each question; nothing
/// of it stays in memory. Thread-safe; blocking.
package final class MetricsSegment: Sendable {
  package let number: UInt64
  package let path: String
  package let byteCount: UInt64
  /// Of the hours that it has figures of, in nanoseconds since the epoch, both ends included.
  package let times: ClosedRange<UInt64>
  private let file: any File
  private let hash: Hash128

  /// A file is held whole while it is written or read. Writers keep below an eighth of it, apart from a single name that
  /// is larger.
  package static let maximumByteCount: UInt64 = 1 << 29

  package init(
    file: any File, number: UInt64, path: String, byteCount: UInt64, times: ClosedRange<UInt64> = 0...UInt64.max,
    hash: Hash128
  ) {
    self.file = file
    self.number = number
    self.path = path
    self.byteCount = byteCount
    self.times = times
    self.hash = hash
  }

  /// - Throws: `corrupt` for what is not the file that the manifest names, `snapshotExpired` when another process has
  ///   removed it, `inputOutput`.
  package func figures() throws -> HourlyFigures {
    guard byteCount <= Self.maximumByteCount, try file.byteCount() == byteCount else {
      throw TracestoreError(
        .corrupt, "the metrics segment has not the size that the manifest names; restore it from a copy", path: path,
        offset: 0)
    }
    let bytes = try file.bytes(at: 0, byteCount: Int(byteCount))
    guard Hash128(of: bytes) == hash else {
      throw TracestoreError(
        .corrupt, "the metrics segment is not the one that the manifest names; restore it from a copy", path: path,
        offset: 0)
    }
    return try HourlyFigures(bytes, path: path)
  }
}
