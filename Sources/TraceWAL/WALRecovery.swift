package import TraceFiles
import TraceModel

/// What is left of a log after a crash or a clean end, and what a new writer has to know to go on.
package struct WALRecoveryReport: Sendable {
  /// A file of the log that a writer no longer appends to.
  package struct ClosedFile: Hashable, Sendable {
    package var fileNumber: UInt64
    package var byteCount: UInt64
    /// No frame of the file is above it.
    package var lastSequence: UInt64
  }

  /// The last sequence in use; the next frame gets a greater one.
  package var lastSequence: UInt64
  package var frameCount: Int
  package var gaps: [WALGap]
  /// What has been cut off the end.
  package var tail: WALTail?
  package var files: [ClosedFile]
  package var nextFileNumber: UInt64
}

package enum WALRecovery {
  /// Gives every valid frame from `minimumSequence` on to `body`, in order, then cuts an incomplete tail off the last
  /// file, syncs it, and removes files whose creation was cut short. Creates the directory when it is missing.
  ///
  /// What is kept and what is cut never depends on the published position; it only says what is damage.
  ///
  /// The caller holds the writer lock. Doing it again gives the same frames. Errors of `body` pass through and
  /// leave the log as it was.
  package static func run(
    fileSystem: any FileSystem, directory: String, storeID: StoreID, minimumSequence: UInt64 = 1,
    _ body: (WALRecord) throws -> Void
  ) throws -> WALRecoveryReport {
    try run(
      fileSystem: fileSystem, directory: directory, storeID: storeID, minimumSequence: minimumSequence,
      readingAll: { reader in
        var frameCount = 0
        while let record = try reader.next() {
          frameCount += 1
          try body(record)
        }
        return frameCount
      })
  }

  /// The same for those that read by themselves.
  ///
  /// - Parameter readAll: reads to the end and returns how many frames there were.
  package static func run(
    fileSystem: any FileSystem, directory: String, storeID: StoreID, minimumSequence: UInt64 = 1,
    readingAll readAll: (inout WALReader) throws -> Int
  ) throws -> WALRecoveryReport {
    try fileSystem.createDirectory(directory)
    var reader = try WALReader(
      fileSystem: fileSystem, directory: directory, storeID: storeID, mode: .everything,
      from: WALCursor(minimumSequence: minimumSequence))
    let frameCount = try readAll(&reader)
    var byteCounts: [UInt64: UInt64] = [:]
    for source in reader.sources { byteCounts[source.fileNumber] = source.byteCount }
    if let last = reader.sources.last {
      let file = try fileSystem.open(last.path, .update)
      defer { file.close() }
      if let tail = reader.tail {
        try file.truncate(to: tail.offset)
        byteCounts[tail.fileNumber] = tail.offset
      }
      // Its writer may have been killed before it synced. What follows in the log says that this was durable.
      try file.sync()
    }
    if !reader.unfinishedFiles.isEmpty {
      for path in reader.unfinishedFiles { try fileSystem.remove(path) }
      try fileSystem.syncDirectory(directory)
    }
    var lastSequence = minimumSequence &- min(minimumSequence, 1)
    for sequence in reader.lastSequences.values { lastSequence = max(lastSequence, sequence) }
    for source in reader.sources { lastSequence = max(lastSequence, source.header?.previousSequence ?? 0) }
    // No number is given twice, also when what had it is lost: readers go by them, and the loss stays to be seen.
    lastSequence = max(lastSequence, reader.acknowledged?.sequence ?? 0)
    let lastFileNumber = max(reader.sources.last?.fileNumber ?? 0, reader.acknowledged?.fileNumber ?? 0)
    // Where a file's own last sequence is unknown, it counts as holding everything.
    let files = reader.sources.map { source in
      WALRecoveryReport.ClosedFile(
        fileNumber: source.fileNumber, byteCount: byteCounts[source.fileNumber] ?? 0,
        lastSequence: reader.lastSequences[source.fileNumber] ?? lastSequence)
    }
    return WALRecoveryReport(
      lastSequence: lastSequence, frameCount: frameCount, gaps: reader.gaps, tail: reader.tail, files: files,
      nextFileNumber: lastFileNumber &+ 1)
  }
}
