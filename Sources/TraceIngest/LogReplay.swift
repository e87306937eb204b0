import TraceOTLP
package import TraceWAL

/// Turns log frames back into rows. No rule and no limit is applied: the rows are those that were acknowledged.
package struct LogReplay {
  package let memtable: Memtable
  private let batch = SpanBatch()

  package init(isZeroEndOpen: Bool) { memtable = Memtable(endZeroMeansOpen: isZeroEndOpen) }

  /// Appends a frame's rows, visible at once, and returns how many.
  package func append(_ record: WALRecord) throws -> Int {
    guard record.kind == .request else { return 0 }
    let payload = try record.payload()
    defer { batch.removeAll() }
    return try payload.withUnsafeBytes { bytes in
      try OTLPBatchDecoder.decode(bytes, into: batch)
      let rows = try memtable.append(batch, arrivalNanoseconds: record.arrivalNanoseconds)
      memtable.note(sequence: record.sequence)
      memtable.publish(rows)
      return rows.count
    }
  }
}
