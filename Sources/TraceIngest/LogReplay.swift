import TraceFiles
import TraceModel
package import TraceSegment
package import TraceWAL

/// Turns log frames back into rows. No rule and no limit is applied: the rows are those that were acknowledged.
package struct LogReplay {
  package private(set) var memtable: Memtable
  private let options: IngestOptions
  private let frame = FrameWorkspace()
  /// Whether the disk had no room for a segment.
  private var isDiskFull = false

  package init(_ options: IngestOptions) {
    self.options = options
    memtable = options.makeMemtable()
  }

  /// Appends a frame's rows, visible at once, and returns how many. `unsupportedFormat` for a frame that is no request.
  ///
  /// - Parameter seal: writes a memtable to a segment, because it is full or has no room for the frame; an empty one
  ///   takes its place. When the disk has no room for the segment, the memtable takes up what follows: on a full disk the
  ///   log holds two memtables at most, and who opens the store may be about to make room.
  package mutating func append(_ record: WALRecord, seal: (Memtable) throws -> Void) throws -> Int {
    try record.checkIsRequest()
    try frame.load(record)
    try frame.decode()
    return try append(frame, seal: seal)
  }

  /// Appends the rows of all frames that `reader` still has, decoded on several threads and in the order of the log.
  /// Returns how many there were; throws as `append(_:seal:)`, for the first frame that fails.
  package mutating func appendAll(
    of reader: inout WALReader, parallel: SegmentParallelism, seal: @escaping @Sendable (Memtable) throws -> Void
  ) throws -> (frameCount: Int, rowCount: Int) {
    let shared = Monitor((replay: self, rowCount: 0))
    let pass = LogPass(reader, isPassingOver: false) { frame in
      try frame.decode()
      return true
    } append: { frame in
      try shared.withLock { $0.rowCount += try $0.replay.append(frame, seal: seal) }
    }
    let report = pass.run(parallel, serialByteCount: Self.serialByteCount)
    if let failure = report.failure { throw failure }
    reader = report.reader
    return shared.withLock { shared in
      self = shared.replay
      return (report.frameCount, shared.rowCount)
    }
  }

  /// Up to here one thread reads alone: starting others would take longer.
  private static let serialByteCount = 1 << 20

  /// Hands the rows of the memtable to `seal`, if there are any.
  package mutating func sealRest(_ seal: (Memtable) throws -> Void) throws {
    if memtable.rowCount > 0 { try begin(seal) }
  }

  private mutating func append(_ frame: FrameWorkspace, seal: (Memtable) throws -> Void) throws -> Int {
    if memtable.rowCount > 0, !memtable.hasRoom(for: frame.batch) { try begin(seal) }
    let count = try memtable.append(frame)
    if options.isFull(memtable), !isDiskFull {
      do { try begin(seal) } catch let error as TracestoreError where error.code == .diskFull { isDiskFull = true }
    }
    return count
  }

  private mutating func begin(_ seal: (Memtable) throws -> Void) throws {
    try seal(memtable)
    memtable = options.makeMemtable()
  }
}
