import TraceBytes
import TraceFiles
import TraceModel

/// Walks the frames of one file with a bounded window of its bytes.
struct WALFileScanner {
  enum Step {
    case frame(WALRecord, syncedSequence: UInt64)
    /// No valid frame starts here. `end` is where the frame ends when its header is right and its payload is not.
    case invalid(reason: String, end: UInt64?)
    case end
  }

  private static let windowByteCount = 1 << 20

  let file: any File
  let path: String
  let fileNumber: UInt64
  let salt: UInt32
  /// Where the file ends, or the part of it that may be read.
  let limit: UInt64
  /// Where the next frame starts.
  var offset: UInt64
  /// Frames must be above it.
  var lastSequence: UInt64
  private var window: [UInt8] = []
  private var windowStart: UInt64 = 0

  init(
    file: any File, path: String, fileNumber: UInt64, salt: UInt32, limit: UInt64, offset: UInt64,
    lastSequence: UInt64
  ) {
    self.file = file
    self.path = path
    self.fileNumber = fileNumber
    self.salt = salt
    self.limit = limit
    self.offset = offset
    self.lastSequence = lastSequence
  }

  /// The frame at `offset`. Moves past it when it is valid, and stays otherwise.
  mutating func next() throws -> Step {
    guard offset < limit else { return .end }
    let step = try examine(offset)
    if case .frame(let record, _) = step {
      offset += UInt64(record.byteCount)
      lastSequence = record.sequence
    }
    return step
  }

  /// Moves to the first valid frame at or after a place, and tells whether there is one before the limit.
  mutating func resynchronize(afterInvalidEnd end: UInt64?) throws -> Bool {
    var candidate = end ?? offset + 1
    // A right header is believed about where its frame ends: bytes inside a payload are never taken for frames.
    while let found = try nextMagic(from: candidate) {
      switch try examine(found) {
      case .frame:
        offset = found
        return true
      case .invalid(_, let end): candidate = end ?? found + 1
      case .end: return false
      }
    }
    return false
  }

  private mutating func examine(_ start: UInt64) throws -> Step {
    let headerByteCount = WALFormat.frameHeaderByteCount
    guard limit > start, limit - start >= UInt64(headerByteCount), let place = try load(start, headerByteCount) else {
      return .invalid(reason: "the file ends inside a frame header", end: limit)
    }
    let header = window.withUnsafeBytes { bytes in
      WALFrameHeader.decode(UnsafeRawBufferPointer(rebasing: bytes[place..<place + headerByteCount]), salt: salt)
    }
    guard let header else { return .invalid(reason: "a frame header does not match its checksum", end: nil) }
    guard header.storedByteCount <= WALFormat.maximumPayloadByteCount,
      header.uncompressedByteCount <= WALFormat.maximumPayloadByteCount
    else { return .invalid(reason: "a frame announces more bytes than the limit", end: nil) }
    guard header.compression != WALCompression.none.rawValue || header.storedByteCount == header.uncompressedByteCount
    else { return .invalid(reason: "a raw frame announces two byte counts", end: nil) }
    let storedByteCount = Int(header.storedByteCount)
    let end = start + UInt64(headerByteCount) + UInt64(storedByteCount)
    guard header.sequence > lastSequence else {
      return .invalid(reason: "frame \(header.sequence) follows frame \(lastSequence)", end: min(end, limit))
    }
    guard end <= limit, let payload = try load(start + UInt64(headerByteCount), storedByteCount) else {
      return .invalid(reason: "the file ends inside the payload of frame \(header.sequence)", end: limit)
    }
    let isRight = window.withUnsafeBytes { bytes in
      CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[payload..<payload + storedByteCount]))
        == header.payloadChecksum
    }
    guard isRight else {
      return .invalid(reason: "the payload of frame \(header.sequence) does not match its checksum", end: end)
    }
    guard header.kind.isKnown, header.flags & WALFormat.mustUnderstandFlags == 0,
      let compression = WALCompression(rawValue: header.compression)
    else {
      throw TracestoreError(
        .unsupportedFormat,
        "log frame \(header.sequence) has kind \(header.kind.rawValue), codec \(header.compression) and flags "
          + "\(header.flags), which this version does not know; open the store with the version that wrote it",
        path: path, offset: start)
    }
    let record = WALRecord(
      kind: header.kind, sequence: header.sequence, arrivalNanoseconds: header.arrivalNanoseconds,
      rulesVersion: header.rulesVersion, uncompressedByteCount: Int(header.uncompressedByteCount),
      storedBytes: Array(window[payload..<payload + storedByteCount]), compression: compression, path: path,
      fileNumber: fileNumber, offset: start)
    return .frame(record, syncedSequence: header.syncedSequence)
  }

  /// The place of `byteCount` bytes from `start` on in the window, or nil when the file has become shorter.
  private mutating func load(_ start: UInt64, _ byteCount: Int) throws -> Int? {
    if start >= windowStart, start - windowStart <= UInt64(window.count) {
      let place = Int(start - windowStart)
      if window.count - place >= byteCount { return place }
    }
    let wanted = min(UInt64(max(byteCount, Self.windowByteCount)), limit - min(limit, start))
    window = try file.bytes(at: start, byteCount: Int(wanted))
    windowStart = start
    return window.count >= byteCount ? 0 : nil
  }

  /// The first place from `start` on where the four bytes that open a frame stand.
  private mutating func nextMagic(from start: UInt64) throws -> UInt64? {
    var start = start
    while start < limit, limit - start >= UInt64(WALFormat.frameHeaderByteCount) {
      guard let place = try load(start, WALFormat.frameHeaderByteCount) else { return nil }
      let found = window.withUnsafeBytes { bytes -> Int? in
        var index = place
        while index &+ 4 <= bytes.count {
          if UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self)) == WALFormat.frameMagic {
            return index
          }
          index &+= 1
        }
        return nil
      }
      if let found { return windowStart + UInt64(found) }
      start = windowStart + UInt64(max(window.count - 3, place + 1))
    }
    return nil
  }
}
