package import TraceFiles
package import TraceManifest
import TraceModel
import TraceSegment
package import TraceSource
package import TraceWAL

/// Reads what is acknowledged from some moment on: requests of the log and, where the log was trimmed before it was read,
/// records of the segments that took its place. It is a reader like any other: the writer does nothing for it and does
/// not know of it. For one thread at a time; blocking.
///
/// What neither the log nor a segment of its own holds any more is counted, not waited for.
package struct LogTail {
  /// What comes.
  package enum Piece {
    case request(WALRecord)
    /// Some of the records of a segment, the last of which arrived at the given time. They may stand in requests that
    /// have come before.
    case sealed([SourceSpan], arrivalNanoseconds: UInt64)
  }

  private let fileSystem: any FileSystem
  private let directory: String
  private let logDirectory: String
  private let manifest: ManifestStore
  private var cursor = WALCursor()
  private var segments: [SealedRequests] = []
  /// The sequence of the frame that comes next when none is missing.
  package private(set) var nextSequence: UInt64 = 0
  /// Frames that were not there any more, since `takeLost()` was called last.
  private var lostRequestCount: UInt64 = 0

  package init(
    fileSystem: any FileSystem, directory: String, logDirectory: String, manifest: ManifestStore
  ) {
    self.fileSystem = fileSystem
    self.directory = directory
    self.logDirectory = logDirectory
    self.manifest = manifest
  }

  /// Passes over what is there.
  package mutating func skipToEnd() throws {
    try reading(knownFrom: .max) { _, reader in while try reader.next() != nil {} }
    nextSequence = max(cursor.minimumSequence, try manifest.refresh().walTrimmedBelow)
    lostRequestCount = 0
  }

  /// Calls `body` with what has come, in the order of the log, until it returns false or there is no more.
  ///
  /// - Parameter knownFrom: the caller can tell what it has seen of the requests from this one on. A segment that also
  ///   holds earlier ones is passed over, and counted.
  package mutating func forEachPiece(knownFrom: UInt64, _ body: (Piece) throws -> Bool) throws {
    repeat {
      while let piece = nextSealed() { if try !body(piece) { return } }
      try reading(knownFrom: knownFrom) { tail, reader in
        while let record = try reader.next() {
          try record.checkIsRequest()
          tail.expect(record.sequence)
          tail.nextSequence = record.sequence &+ 1
          if try !body(.request(record)) { return }
        }
      }
    } while isInSegment
  }

  /// Whether a segment is being read in place of the log.
  package var isInSegment: Bool { !segments.isEmpty }

  package mutating func takeLost() -> UInt64 {
    defer { lostRequestCount = 0 }
    return lostRequestCount
  }

  /// What comes next is `sequence`: frames before it that have not come are lost.
  private mutating func expect(_ sequence: UInt64) {
    guard sequence > nextSequence else { return }
    lostRequestCount += sequence - nextSequence
    nextSequence = sequence
  }

  /// Reads the log, unless it was trimmed and segments have to be read first.
  private mutating func reading(
    knownFrom: UInt64, _ body: (inout LogTail, inout WALReader) throws -> Void
  ) throws {
    guard try fileSystem.exists(logDirectory) else { return }
    for attempt in 0..<8 {
      do {
        var reader = try WALReader(
          fileSystem: fileSystem, directory: logDirectory, storeID: manifest.current.settings.storeID,
          mode: .published, from: cursor, mayBeTrimmed: attempt < 7)
        defer { cursor = reader.cursor }
        return try body(&self, &reader)
      } catch let error as TracestoreError
        where attempt < 7 && (error.code == .snapshotExpired || error.code == .notFound)
      {
        try passTrimmed(knownFrom)
        if isInSegment { return }
      }
    }
  }

  /// Goes on with the first frame that the log still has, behind the segments that hold what it has not any more.
  private mutating func passTrimmed(_ knownFrom: UInt64) throws {
    let version = try manifest.refresh()
    let trimmedBelow = version.walTrimmedBelow
    cursor = WALCursor(minimumSequence: max(cursor.minimumSequence, trimmedBelow))
    let sealed = version.files(of: .segment).filter {
      // Those that were made by merging others do not say which requests they hold.
      $0.firstSequence > 0 && $0.firstSequence >= knownFrom && $0.lastSequence < trimmedBelow
    }
    for file in sealed.sorted(by: { $0.firstSequence < $1.firstSequence }) where file.lastSequence >= nextSequence {
      expect(file.firstSequence)
      segments.append(SealedRequests(file, requestCount: file.lastSequence - nextSequence + 1))
      nextSequence = file.lastSequence + 1
    }
    expect(trimmedBelow)
  }

  // MARK: Segments

  /// A segment that is read in place of a part of the log.
  private struct SealedRequests {
    let file: ManifestFile
    /// Those of its requests that have not come from the log.
    let requestCount: UInt64
    /// Nil until it is opened.
    var stripes: [any SpanStripe]?
    var stripeIndex = 0
    var row = 0

    init(_ file: ManifestFile, requestCount: UInt64) {
      self.file = file
      self.requestCount = requestCount
    }
  }

  /// Rows that are read at once.
  private static let pieceRowCount = 512

  private mutating func nextSealed() -> Piece? {
    while var segment = segments.first {
      do {
        let stripes = try segment.stripes ?? open(segment.file)
        segment.stripes = stripes
        while segment.stripeIndex < stripes.count {
          let stripe = stripes[segment.stripeIndex]
          let rows = segment.row..<min(stripe.rowCount, segment.row + Self.pieceRowCount)
          if rows.isEmpty {
            segment.stripeIndex += 1
            segment.row = 0
            continue
          }
          segment.row = rows.upperBound
          let records = try stripe.records(Array(rows))
          segments[0] = segment
          return .sealed(records, arrivalNanoseconds: segment.file.maximumArrivalNanoseconds)
        }
      } catch {
        // Merged away meanwhile, or damaged: which requests its other records came with cannot be told.
        lostRequestCount += segment.requestCount
      }
      segments.removeFirst()
    }
    return nil
  }

  private func open(_ entry: ManifestFile) throws -> [any SpanStripe] {
    let path = joinedPath(directory, StoreLayout.fileName(entry.key))
    // Read once, from front to back: the store's cache is left to queries.
    return try Segment.open(
      file: try fileSystem.open(path, .read), number: entry.key.number, path: path,
      cache: BlockCache(maximumByteCount: 8 << 20), expectedFooterHash: entry.footerHash
    ).stripes
  }
}
