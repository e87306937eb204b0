import TraceModel
import TraceOTLP
import TraceWAL

/// What a thread needs to look into one frame after the other. Not thread-safe.
final class FrameWorkspace {
  /// For `prepare` to decode into. It may borrow `payload`.
  let batch = SpanBatch()
  private(set) var sequence: UInt64 = 0
  private(set) var arrivalNanoseconds: UInt64 = 0
  private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var payloadByteCount = 0

  deinit { memory.deallocate() }

  /// The request of the frame.
  var payload: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<payloadByteCount]) }

  /// Forgets the frame before.
  func load(_ record: WALRecord) throws {
    batch.removeAll()
    payloadByteCount = 0
    sequence = record.sequence
    arrivalNanoseconds = record.arrivalNanoseconds
    // The scanner has held the byte count against the limit.
    if memory.count < record.uncompressedByteCount {
      memory.deallocate()
      memory = .allocate(byteCount: max(record.uncompressedByteCount, 1 << 16), alignment: 16)
    }
    try record.copyPayload(into: UnsafeMutableRawBufferPointer(rebasing: memory[..<record.uncompressedByteCount]))
    payloadByteCount = record.uncompressedByteCount
  }

  /// Decodes the payload into `batch`.
  func decode() throws { try OTLPBatchDecoder.decode(payload, into: batch) }
}

extension Memtable {
  /// Appends the spans that a frame was decoded to, visible at once, and returns how many.
  func append(_ frame: FrameWorkspace) throws -> Int {
    let rows = try append(frame.batch, arrivalNanoseconds: frame.arrivalNanoseconds)
    note(sequence: frame.sequence)
    publish(rows)
    return rows.count
  }
}
