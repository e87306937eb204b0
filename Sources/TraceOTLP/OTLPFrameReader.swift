public import TraceModel

/// Splits an input into OTLP requests, whatever frames them.
///
/// Holds at most one frame and what was read ahead, so its memory is bounded by `Limits.maximumRequestByteCount`; a
/// length that lies costs no more than the bytes that really come. Where requests follow each other a frame is handed out
/// as soon as it is whole, without another read, once the framing is found out: by the first request that has spans, if it
/// is among the first thousand. Only where varints frame them, and the first request has less than 16 bytes, that takes
/// the end of the input or a megabyte, for it may be the length of a large request as well. Not thread-safe.
public struct OTLPFrameReader {
  /// How requests follow each other in an input.
  public enum Framing: String, Sendable, CaseIterable {
    /// The whole input is one protobuf message.
    case message
    /// Each protobuf message stands behind its length as four bytes, big-endian: the Collector's file exporter.
    case lengthPrefixed
    /// Each protobuf message stands behind its length as a varint.
    case varintDelimited
    /// The whole input is one JSON object.
    case json
    /// One JSON object a line.
    case jsonLines

    public var encoding: Encoding {
      switch self {
      case .message, .lengthPrefixed, .varintDelimited: .protobuf
      case .json, .jsonLines: .json
      }
    }
  }

  public enum Encoding: String, Sendable {
    case protobuf, json
  }

  /// One request as it stands in the input. Its bytes have not been decoded: they may be malformed.
  public struct Frame: Sendable {
    /// The place among the frames of the input, from 0.
    public var index: Int
    /// The offset of its first byte in the input, behind its length.
    public var offset: UInt64
    public var encoding: Encoding
    public var bytes: [UInt8]

    /// Decodes the request; offsets in errors count from the start of the input.
    public func decode(refusals: inout [OTLP.Refusal]) throws(TracestoreError) -> TraceData {
      do throws(TracestoreError) {
        return switch encoding {
        case .protobuf: try OTLP.decode(bytes, refusals: &refusals)
        case .json: try OTLPJSON.decode(bytes, refusals: &refusals)
        }
      } catch {
        var error = error
        error.offset = error.offset.map { $0 &+ offset }
        throw error
      }
    }
  }

  private let read: (_ maximum: Int) throws -> [UInt8]
  /// What was read and not yet handed out, from `start` on.
  private var buffer: [UInt8] = []
  private var start = 0
  /// The offset in the input of `buffer[start]`.
  private var offset: UInt64 = 0
  private var isAtEnd = false
  /// What `read` threw. The frames that stand whole before it are handed out first.
  private var failure: (any Error)?
  private var isBroken = false
  private var index = 0
  /// The framing that was given or found; nil before the first frame is asked for, and for an empty input.
  public private(set) var framing: Framing?

  /// - Parameters:
  ///   - framing: nil to find it out from the first bytes.
  ///   - read: returns up to that many bytes, at least one unless the input has ended. It may block and may throw.
  public init(framing: Framing? = nil, read: @escaping (_ maximum: Int) throws -> [UInt8]) {
    self.framing = framing
    self.read = read
  }

  /// Reads from bytes in memory.
  public init(framing: Framing? = nil, bytes: [UInt8]) {
    var place = 0
    self.init(framing: framing) { maximum in
      let end = min(bytes.count, place + maximum)
      defer { place = end }
      return Array(bytes[place..<end])
    }
  }

  /// The next frame, or nil at the end of the input. An input without bytes has no frames.
  ///
  /// - Throws: what `read` throws, once every frame that stands whole before that place has been handed out, and
  ///   `TracestoreError` with index and offset: `malformedInput` for a frame that the input cuts short, `limitExceeded`
  ///   for one that is longer than a request may be. After an error in a binary input nothing follows, for nobody knows
  ///   where the next frame begins; after an overlong JSON line the next line does.
  public mutating func next() throws -> Frame? {
    if isBroken { return nil }
    if framing == nil {
      framing = findFraming()
      if available == 0 { return try endOfInput() }
    }
    switch framing {
    case .lengthPrefixed: return try nextDelimited { try $0.bigEndianLength() }
    case .varintDelimited: return try nextDelimited { try $0.varintLength() }
    case .jsonLines: return try nextLine()
    case .message, .json, nil: return try wholeInput()
    }
  }

  // Reading ahead.

  static let detectionByteCount = 1 << 20
  private static let chunkByteCount = 1 << 16

  /// Reads until the bytes at hand settle the framing, or are enough to guess it by. Before the first frame. Nil for an
  /// input without bytes.
  private mutating func findFraming() -> Framing? {
    while available < Self.detectionByteCount, !isAtEnd, failure == nil {
      fill(available + 1)
      if let settled = FramingDetection(bytes: buffer, isWhole: isAtEnd).settledFraming { return settled }
    }
    return available == 0 ? nil : FramingDetection(bytes: buffer, isWhole: isAtEnd).framing
  }

  private var available: Int { buffer.count - start }

  /// Reads until that many bytes are available or the input ends or fails.
  private mutating func fill(_ byteCount: Int) {
    while available < byteCount, !isAtEnd, failure == nil {
      if start > 0, start >= buffer.count / 2 {
        buffer.removeFirst(start)
        start = 0
      }
      do {
        let chunk = try read(Self.chunkByteCount)
        if chunk.isEmpty { isAtEnd = true } else { buffer += chunk }
      } catch {
        failure = error
      }
    }
  }

  /// There are no more bytes: the end of the frames, unless reading failed.
  private mutating func endOfInput() throws -> Frame? {
    isBroken = true
    if let failure { throw failure }
    return nil
  }

  private mutating func take(_ byteCount: Int) -> [UInt8] {
    let bytes = Array(buffer[start..<start + byteCount])
    drop(byteCount)
    return bytes
  }

  private mutating func drop(_ byteCount: Int) {
    start += byteCount
    offset += UInt64(byteCount)
    if start == buffer.count {
      buffer.removeAll(keepingCapacity: buffer.capacity <= 2 * Self.detectionByteCount)
      start = 0
    }
  }

  private mutating func frame(_ byteCount: Int) -> Frame {
    defer { index += 1 }
    let place = offset
    return Frame(index: index, offset: place, encoding: framing?.encoding ?? .protobuf, bytes: take(byteCount))
  }

  /// A frame lacks bytes: the input's fault when it ends, else what kept us from reading on.
  private mutating func cutShort(_ message: String) -> any Error {
    let error = broken(.malformedInput, message)
    return failure ?? error
  }

  private mutating func broken(_ code: TracestoreError.Code, _ message: String) -> TracestoreError {
    isBroken = true
    return TracestoreError(code, "Frame \(index) \(message)", offset: offset)
  }

  // The framings.

  private mutating func wholeInput() throws -> Frame? {
    fill(Limits.maximumRequestByteCount + 1)
    if failure != nil { return try endOfInput() }
    guard available <= Limits.maximumRequestByteCount else {
      throw broken(.limitExceeded, "is longer than \(Limits.maximumRequestByteCount) bytes")
    }
    let isBlank = framing == .json && buffer[start...].allSatisfy { FramingDetection.isSpace($0) }
    guard available > 0, !isBlank else { return nil }
    isBroken = true
    return frame(available)
  }

  private mutating func nextDelimited(
    _ length: (inout OTLPFrameReader) throws -> (value: UInt64, headerByteCount: Int)?
  ) throws -> Frame? {
    guard let (value, headerByteCount) = try length(&self) else { return try endOfInput() }
    guard value <= UInt64(Limits.maximumRequestByteCount) else {
      throw broken(.limitExceeded, "announces \(value) bytes; a request has at most \(Limits.maximumRequestByteCount)")
    }
    let byteCount = Int(value)
    fill(headerByteCount + byteCount)
    guard available >= headerByteCount + byteCount else {
      throw cutShort("announces \(byteCount) bytes, and the input ends after \(available - headerByteCount)")
    }
    drop(headerByteCount)
    return frame(byteCount)
  }

  private mutating func bigEndianLength() throws -> (value: UInt64, headerByteCount: Int)? {
    fill(4)
    if available == 0 { return nil }
    guard available >= 4 else { throw cutShort("is cut short inside its length") }
    return (buffer[start..<start + 4].reduce(0) { $0 << 8 | UInt64($1) }, 4)
  }

  private mutating func varintLength() throws -> (value: UInt64, headerByteCount: Int)? {
    var value: UInt64 = 0
    for index in 0..<10 {
      // One by one, for the whole frame may be shorter than the longest length.
      fill(index + 1)
      guard available > index else {
        if index == 0 { return nil }
        throw cutShort("is cut short inside its length")
      }
      let byte = buffer[start + index]
      guard index < 9 || byte <= 1 else { break }
      value |= UInt64(byte & 0x7f) << UInt64(7 * index)
      if byte < 0x80 { return (value, index + 1) }
    }
    throw broken(.malformedInput, "has a length of more than 64 bits")
  }

  private mutating func nextLine() throws -> Frame? {
    var searched = 0
    var isOverlong = false
    while true {
      if let newline = buffer[(start + searched)...].firstIndex(of: UInt8(ascii: "\n")) {
        let lineByteCount = newline - start
        if isOverlong {
          drop(lineByteCount + 1)
          throw overlongLine()
        }
        if let frame = line(lineByteCount, newlineByteCount: 1) { return frame }
        searched = 0
      } else {
        searched = available
        if searched > Limits.maximumRequestByteCount {
          isOverlong = true
          drop(searched)
          searched = 0
        }
        fill(available + 1)
        guard isAtEnd || failure != nil, available == searched else { continue }
        if failure != nil { return try endOfInput() }
        if isOverlong {
          drop(available)
          throw overlongLine()
        }
        return line(available, newlineByteCount: 0)
      }
    }
  }

  private mutating func overlongLine() -> TracestoreError {
    defer { index += 1 }
    return TracestoreError(
      .limitExceeded, "Frame \(index) is a line of more than \(Limits.maximumRequestByteCount) bytes", offset: offset)
  }

  /// Takes a line; nil when it is blank.
  private mutating func line(_ byteCount: Int, newlineByteCount: Int) -> Frame? {
    let isBlank = buffer[start..<start + byteCount].allSatisfy { FramingDetection.isSpace($0) }
    guard byteCount > 0, !isBlank else {
      drop(byteCount + newlineByteCount)
      return nil
    }
    let line = frame(byteCount)
    drop(newlineByteCount)
    return line
  }
}
