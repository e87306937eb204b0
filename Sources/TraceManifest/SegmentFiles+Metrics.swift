import TraceBytes
import TraceFiles
package import TraceSegment

// Metrics segments lie beside segments, and are published and removed like them.
extension SegmentFiles {
  /// Writes hourly figures as a metrics segment under a number of its own, durably. The entry says what the file itself
  /// knows; arrival is the caller's.
  ///
  /// - Throws: what the file system throws; the temporary file is removed then, which gives a full disk its room back.
  package func write(_ figures: HourlyFigures) throws -> ManifestFile {
    let bytes = figures.encoded()
    let file = ManifestFile(number: manifest.allocateFileNumber(), figures, bytes)
    try fileSystem.replaceFile(StoreLayout.fileName(file.key), in: directory, with: bytes)
    return file
  }

  /// Opens the metrics segment that an entry names; its bytes are looked at when they are read.
  package func openMetrics(_ file: ManifestFile) throws -> MetricsSegment {
    let path = joinedPath(directory, StoreLayout.fileName(file.key))
    return MetricsSegment(
      file: try openFile(file), number: file.key.number, path: path, byteCount: file.byteCount,
      times: file.minimumStartNanoseconds...max(file.minimumStartNanoseconds, file.maximumStartNanoseconds),
      hash: file.footerHash)
  }

  /// The metrics segments of a version. What is wrong with one is no reason to do without the others: it is left out,
  /// and named in `unreadable`.
  ///
  /// - Parameter known: those that are open already, by number.
  package func openAllMetrics(
    _ version: ManifestVersion, known: [UInt64: MetricsSegment] = [:]
  ) throws -> (segments: [MetricsSegment], unreadable: [UnreadableFile]) {
    try openAll(version.files(of: .metricsSegment)) { try known[$0.key.number] ?? openMetrics($0) }
  }
}

extension ManifestFile {
  /// What hourly figures say about themselves.
  init(number: UInt64, _ figures: HourlyFigures, _ bytes: [UInt8]) {
    self.init(key: ManifestFileKey(kind: .metricsSegment, number: number))
    byteCount = UInt64(bytes.count)
    footerHash = Hash128(of: bytes)
    rowCount = UInt64(figures.cellCount)
    if let times = figures.times {
      (minimumStartNanoseconds, maximumStartNanoseconds) = (times.lowerBound, times.upperBound)
    }
    // An older version finds its spans without it.
    isMustUnderstand = false
  }
}
