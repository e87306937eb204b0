package import TraceWAL

/// Turns log frames back into rows. No rule and no limit is applied: the rows are those that were acknowledged.
package struct LogReplay {
  package private(set) var memtable: Memtable
  private let options: IngestOptions
  private let frame = FrameWorkspace()

  package init(_ options: IngestOptions) {
    self.options = options
    memtable = options.makeMemtable()
  }

  /// Appends a frame's rows, visible at once, and returns how many. `unsupportedFormat` for a frame that is no request.
  ///
  /// - Parameter seal: writes a memtable to a segment, because it is full or has no room for the frame; an empty one
  ///   takes its place.
  package mutating func append(_ record: WALRecord, seal: (Memtable) throws -> Void) throws -> Int {
    try record.checkIsRequest()
    try frame.load(record)
    try frame.decode()
    if memtable.rowCount > 0, !memtable.hasRoom(for: frame.batch) { try begin(seal) }
    let count = try memtable.append(frame)
    if options.isFull(memtable) { try begin(seal) }
    return count
  }

  private mutating func begin(_ seal: (Memtable) throws -> Void) throws {
    try seal(memtable)
    memtable = options.makeMemtable()
  }
}
