package import TraceFiles
import TraceModel

/// Where a reader goes on.
package struct WALCursor: Hashable, Sendable {
  /// Frames below it are passed over.
  package var minimumSequence: UInt64
  /// The file to go on in, 0 for the first.
  package var fileNumber: UInt64
  package var offset: UInt64

  package init(minimumSequence: UInt64 = 1, fileNumber: UInt64 = 0, offset: UInt64 = 0) {
    self.minimumSequence = minimumSequence
    self.fileNumber = fileNumber
    self.offset = offset
  }
}

/// Bytes of the log that hold no valid frame although the log goes on after them.
package struct WALGap: Hashable, Sendable {
  package var path: String
  package var fileNumber: UInt64
  package var offset: UInt64
  /// Zero when whole files are missing before the start of this one.
  package var byteCount: UInt64
  package var reason: String
  /// The last frame before the gap.
  package var previousSequence: UInt64
  /// Whether a later frame, a later file or the published position proves that what stood here was there once: then it
  /// is damage. Otherwise it may be what a crash left of writes that nobody was promised.
  package var isDamage: Bool
}

/// The bytes after the last valid frame of the log: a write that a crash has cut short.
package struct WALTail: Hashable, Sendable {
  package var path: String
  package var fileNumber: UInt64
  package var offset: UInt64
  package var byteCount: UInt64
  package var reason: String
}

/// Reads the frames of a log directory in order, with memory for one frame and a window.
///
/// A frame is returned only when both of its checksums are right and its sequence is above all before it. Not
/// thread-safe.
package struct WALReader {
  package enum Mode: Hashable, Sendable {
    /// Everything valid, past any gap; for the holder of the writer lock and for tools.
    case everything
    /// Up to the writer's published position; when it is not known, up to the first invalid frame of the last file.
    case published
  }

  struct Source {
    var fileNumber: UInt64
    var path: String
    var byteCount: UInt64
    /// Nil when it is damaged.
    var header: WALFileHeader?
  }

  let fileSystem: any FileSystem
  let directory: String
  let mode: Mode
  private let mayBeTrimmed: Bool
  /// What has been acknowledged since the machine was started: what it covers and is not found is damage.
  let acknowledged: WALPosition?
  /// Where the reading ends at the latest.
  private let limit: WALPosition?
  var sources: [Source] = []
  /// Files whose creation a crash has cut short; they hold nothing.
  var unfinishedFiles: [String] = []
  /// The last sequence of each file that has been read or passed over.
  var lastSequences: [UInt64: UInt64] = [:]
  private var storeID: StoreID
  private var sourceIndex = 0
  private var scanner: WALFileScanner?
  private var isAtEnd = false
  /// The greatest sequence that is known to precede what is read next.
  private var seenSequence: UInt64

  /// Where a later reader goes on after what this one has returned.
  package private(set) var cursor: WALCursor
  /// What has been found so far, in order of the log.
  package private(set) var gaps: [WALGap] = []
  /// Places in `gaps` of those that nothing has proved to be damage yet.
  private var openGaps: [Int] = []
  /// Set once the end has been reached, when there are bytes after the last frame.
  package private(set) var tail: WALTail?

  /// - Parameters:
  ///   - storeID: files of another store are refused as `corrupt`; nil takes the id of the first readable header.
  ///   - cursor: where to begin; the start of the log by default.
  ///   - mayBeTrimmed: whether a writer may have trimmed the log since the manifest was read that the cursor comes from.
  ///     Frames that are gone are `snapshotExpired` then, and the manifest is to be read again; otherwise, and for who
  ///     has done that to no avail, they are damage.
  ///
  /// Reads one header a file.
  package init(
    fileSystem: any FileSystem, directory: String, storeID: StoreID?, mode: Mode, from cursor: WALCursor = WALCursor(),
    mayBeTrimmed: Bool = false
  ) throws {
    self.fileSystem = fileSystem
    self.directory = directory
    self.mode = mode
    self.mayBeTrimmed = mayBeTrimmed
    self.cursor = cursor
    seenSequence = cursor.fileNumber > 0 ? cursor.minimumSequence &- min(cursor.minimumSequence, 1) : 0
    // The position comes first: what is published then is in the files listed after it.
    let positions = try WALPositions.read(fileSystem: fileSystem, directory: directory, storeID: storeID)
    acknowledged = positions.acknowledged
    limit = mode == .published ? positions.limit : nil
    self.storeID = storeID ?? StoreID(first: 0, second: 0)
    try listSources(storeID: storeID)
    try chooseStart()
  }

  /// Whose log it is and the first sequence that may be in it, for those who have no manifest to ask; nil for what no file
  /// header says.
  package static func origin(
    fileSystem: any FileSystem, directory: String
  ) throws -> (storeID: StoreID?, firstSequence: UInt64?) {
    guard try fileSystem.kind(of: directory) == .directory else { return (nil, nil) }
    let reader = try WALReader(fileSystem: fileSystem, directory: directory, storeID: nil, mode: .everything)
    let headers = reader.sources.map(\.header)
    return (headers.lazy.compactMap { $0 }.first?.storeID, headers.first?.map { $0.previousSequence &+ 1 })
  }

  /// The next frame, or nil at the end. `unsupportedFormat` names a frame of a kind from a newer version.
  package mutating func next() throws -> WALRecord? {
    while !isAtEnd {
      switch try scanner?.next() {
      case nil: try openNextSource()
      case .frame(let record, let syncedSequence)?:
        markDamage(upTo: syncedSequence)
        seenSequence = record.sequence
        lastSequences[record.fileNumber] = record.sequence
        cursor.offset = record.offset + UInt64(record.byteCount)
        if record.sequence >= cursor.minimumSequence {
          cursor.minimumSequence = record.sequence &+ 1
          return record
        }
      case .end?: closeSource()
      case .invalid(let reason, let end)?: try handleInvalid(reason: reason, end: end)
      }
    }
    try settleAcknowledged()
    return nil
  }

  /// At the end: everything that was acknowledged has been seen, or is named as damage.
  private mutating func settleAcknowledged() throws {
    guard let acknowledged else { return }
    guard acknowledged.sequence > knownSequence else { return markDamage(upTo: acknowledged.sequence) }
    // A writer trims a file once it has begun the next one.
    let now = try WALPositions.read(fileSystem: fileSystem, directory: directory, storeID: storeID).newest
    if mayBeTrimmed, now?.fileNumber != acknowledged.fileNumber {
      throw TracestoreError(
        .snapshotExpired, "the log was trimmed while it was read; read the manifest again", path: directory)
    }
    let source =
      sources.last { $0.fileNumber == acknowledged.fileNumber }
      ?? Source(
        fileNumber: acknowledged.fileNumber,
        path: joinedPath(directory, WALFormat.fileName(acknowledged.fileNumber)), byteCount: 0, header: nil)
    noteMissing(upTo: acknowledged.sequence, source, at: source.byteCount)
  }

  /// What is known to precede what is read next, or to be in segments.
  private var knownSequence: UInt64 {
    max(seenSequence, cursor.minimumSequence &- min(cursor.minimumSequence, 1))
  }

  /// The log held all frames up to `sequence` before the place that has been reached: what has not been seen of them is
  /// damage, and a gap of its own unless one stands right here.
  private mutating func noteMissing(upTo sequence: UInt64, _ source: Source, at offset: UInt64) {
    if sequence > knownSequence, gaps.last?.previousSequence != seenSequence {
      addGap(source, offset..<offset, "frames from \(knownSequence &+ 1) to \(sequence) are missing")
    }
    markDamage(upTo: sequence)
  }

  private var isLastSource: Bool { sourceIndex + 1 >= sources.count }

  private mutating func handleInvalid(reason: String, end: UInt64?) throws {
    guard var current = scanner else { return }
    let start = current.offset
    let source = sources[sourceIndex]
    let isAcknowledged = acknowledged.map { (source.fileNumber, start) < ($0.fileNumber, $0.offset) } ?? false
    let isTail = isLastSource && !isAcknowledged && limit == nil
    if !(isTail && mode == .published), try current.resynchronize(afterInvalidEnd: end) {
      addGap(source, start..<current.offset, reason)
      scanner = current
      return
    }
    if isTail {
      tail = WALTail(
        path: source.path, fileNumber: source.fileNumber, offset: start, byteCount: current.limit - start,
        reason: reason)
    } else {
      addGap(source, start..<current.limit, reason)
      cursor.offset = current.limit
    }
    closeSource()
  }

  private mutating func addGap(
    _ source: Source, _ range: Range<UInt64>, _ reason: String, isDamage: Bool = false
  ) {
    if !isDamage { openGaps.append(gaps.count) }
    gaps.append(
      WALGap(
        path: source.path, fileNumber: source.fileNumber, offset: range.lowerBound,
        byteCount: range.upperBound - range.lowerBound, reason: reason, previousSequence: seenSequence,
        isDamage: isDamage))
  }

  /// Everything up to `sequence` was synced, so a gap after an earlier frame has lost something durable.
  private mutating func markDamage(upTo sequence: UInt64) {
    // Nearly always there is none, and every frame comes by.
    if openGaps.isEmpty { return }
    for index in openGaps where gaps[index].previousSequence < sequence { gaps[index].isDamage = true }
    openGaps.removeAll { gaps[$0].isDamage }
  }

  // MARK: Files

  private mutating func listSources(storeID: StoreID?) throws {
    var isKnown = storeID != nil
    for attempt in 0... {
      sources = []
      unfinishedFiles = []
      do {
        for name in try fileSystem.contents(ofDirectory: directory) {
          guard let number = WALFormat.fileNumber(name) else { continue }
          if let limit, number > limit.fileNumber { continue }
          try addSource(number, joinedPath(directory, name), &isKnown)
        }
        return
      } catch let error as TracestoreError where error.code == .notFound && mode == .published && attempt < 8 {
        // The writer has trimmed a file between the listing and the opening, or has made no log yet.
        if try fileSystem.kind(of: directory) == nil { return }
      }
    }
  }

  private mutating func addSource(_ number: UInt64, _ path: String, _ isKnown: inout Bool) throws {
    let file = try fileSystem.open(path, .read)
    defer { file.close() }
    let byteCount = try file.byteCount()
    let header = try WALFileHeader.decode(
      try file.bytes(at: 0, byteCount: WALFormat.fileHeaderByteCount), path: path)
    if header == nil, byteCount <= UInt64(WALFormat.fileHeaderByteCount) {
      unfinishedFiles.append(path)
      return
    }
    if let header {
      if !isKnown {
        storeID = header.storeID
        isKnown = true
      }
      guard header.storeID == storeID, header.fileNumber == number else {
        throw TracestoreError(
          .corrupt, "the log file is file \(header.fileNumber) of store \(header.storeID), not of this one",
          path: path, offset: 16)
      }
    }
    sources.append(Source(fileNumber: number, path: path, byteCount: byteCount, header: header))
  }

  /// Passes over the files that lie before the cursor or hold only frames below its sequence.
  private mutating func chooseStart() throws {
    if cursor.fileNumber > 0, let index = sources.firstIndex(where: { $0.fileNumber == cursor.fileNumber }) {
      sourceIndex = index
      return
    }
    if cursor.fileNumber > 0 {
      sourceIndex = sources.firstIndex { $0.fileNumber > cursor.fileNumber } ?? sources.count
    }
    while sourceIndex + 1 < sources.count, let next = sources[sourceIndex + 1].header,
      next.previousSequence < cursor.minimumSequence
    {
      lastSequences[sources[sourceIndex].fileNumber] = next.previousSequence
      sourceIndex += 1
    }
    if mayBeTrimmed, sourceIndex < sources.count, let header = sources[sourceIndex].header,
      header.previousSequence >= cursor.minimumSequence
    {
      throw TracestoreError(
        .snapshotExpired,
        "log frames from \(cursor.minimumSequence) to \(header.previousSequence) are gone; read the manifest again",
        path: sources[sourceIndex].path)
    }
    // From here on a file number in the cursor means that the reading of that file goes on.
    cursor.fileNumber = 0
  }

  private mutating func openNextSource() throws {
    guard sourceIndex < sources.count else {
      isAtEnd = true
      return
    }
    let source = sources[sourceIndex]
    var end = source.byteCount
    if let limit, limit.fileNumber == source.fileNumber { end = min(end, limit.offset) }
    var start = UInt64(WALFormat.fileHeaderByteCount)
    if cursor.fileNumber == source.fileNumber {
      start = max(start, cursor.offset)
    } else {
      checkHeader(source)
      cursor.fileNumber = source.fileNumber
    }
    cursor.offset = start
    do {
      scanner = WALFileScanner(
        file: try fileSystem.open(source.path, .read), path: source.path, fileNumber: source.fileNumber,
        salt: WALFormat.salt(storeID, source.fileNumber), limit: end, offset: start, lastSequence: seenSequence)
    } catch let error as TracestoreError where error.code == .notFound && mode == .published {
      throw TracestoreError(
        .snapshotExpired, "a log file was trimmed while it was read; read the manifest again", path: source.path,
        cause: error)
    }
  }

  private mutating func checkHeader(_ source: Source) {
    defer { lastSequences[source.fileNumber] = seenSequence }
    guard let header = source.header else {
      addGap(
        source, 0..<UInt64(WALFormat.fileHeaderByteCount), "the file header does not match its checksum", isDamage: true
      )
      return
    }
    noteMissing(upTo: header.previousSequence, source, at: 0)
    seenSequence = max(seenSequence, header.previousSequence)
  }

  private mutating func closeSource() {
    scanner?.file.close()
    scanner = nil
    if isLastSource { isAtEnd = true } else { sourceIndex += 1 }
  }
}
