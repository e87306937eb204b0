package import TraceWAL

/// Turns log frames back into rows. No rule and no limit is applied: the rows are those that were acknowledged.
package struct LogReplay {
  package let memtable: Memtable
  private let frame = FrameWorkspace()

  package init(isZeroEndOpen: Bool) { memtable = Memtable(endZeroMeansOpen: isZeroEndOpen) }

  /// Appends a frame's rows, visible at once, and returns how many. `unsupportedFormat` for a frame that is no request.
  package func append(_ record: WALRecord) throws -> Int {
    try record.checkIsRequest()
    try frame.load(record)
    try frame.decode()
    return try memtable.append(frame)
  }
}
