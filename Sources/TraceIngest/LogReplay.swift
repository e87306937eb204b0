package import TraceWAL

/// Turns log frames back into rows. No rule and no limit is applied: the rows are those that were acknowledged.
package struct LogReplay {
  package let memtable: Memtable
  private let frame = FrameWorkspace()

  package init(isZeroEndOpen: Bool) { memtable = Memtable(endZeroMeansOpen: isZeroEndOpen) }

  /// Appends a frame's rows, visible at once, and returns how many.
  package func append(_ record: WALRecord) throws -> Int {
    guard record.kind == .request else { return 0 }
    try frame.load(record)
    try frame.decode()
    return try memtable.append(frame)
  }
}
