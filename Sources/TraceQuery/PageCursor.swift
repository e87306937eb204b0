import TraceBytes
import TraceModel
import TraceText
import TracestoreV2

/// The place of a trace in the order of a search: rank descending, then trace id ascending.
struct PageCursor: Comparable, Sendable {
  /// What the trace is ordered by: the newest start, or the longest duration, of its matching spans.
  var rank: UInt64
  var trace: TraceID

  static func < (left: PageCursor, right: PageCursor) -> Bool {
    left.rank != right.rank ? left.rank > right.rank : left.trace < right.trace
  }
}

extension PageCursor {
  private static let version: UInt64 = 1

  /// An opaque text that resumes behind this place: base64 of six words and their checksum.
  func token(_ query: TraceQuery, storeFingerprint: UInt64) -> String {
    var writer = ByteWriter(reserving: 52)
    for word in [Self.version, storeFingerprint, query.fingerprint, rank, trace.high, trace.low] {
      writer.appendInteger(word)
    }
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    return Base64.text(writer.bytes)
  }

  init(token: String, _ query: TraceQuery, storeFingerprint: UInt64) throws {
    let bytes = Base64.canonicalBytes(token) ?? []
    let words: [UInt64] = bytes.withUnsafeBytes { bytes in
      guard bytes.count == 52 else { return [] }
      let sum = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 48, as: UInt32.self))
      guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<48])) == sum else { return [] }
      return (0..<6).map { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
    }
    guard words.count == 6, words[0] == Self.version else {
      throw TracestoreError(
        .invalidArgument, "The page token is malformed; use the one that came with the page before.")
    }
    guard words[1] == storeFingerprint else {
      throw TracestoreError(.invalidArgument, "The page token is of another store; ask for the first page again.")
    }
    guard words[2] == query.fingerprint else {
      throw TracestoreError(.invalidArgument, "The page token is of another query; only the limit may change.")
    }
    self.init(rank: words[3], trace: TraceID(high: words[4], low: words[5]))
  }
}

extension TraceQuery {
  /// Names everything that decides which results there are and in which order.
  var fingerprint: UInt64 {
    var writer = ByteWriter()
    func add(_ value: UInt64?) {
      writer.append(value == nil ? 0 : 1)
      writer.appendInteger(value ?? 0)
    }
    writer.appendLengthPrefixed(serviceName)
    writer.appendLengthPrefixed(operationName)
    writer.appendVarint(attributes.count)
    for attribute in attributes {
      writer.appendLengthPrefixed(attribute.key)
      writer.appendLengthPrefixed(attribute.value.fingerprintText)
    }
    add(spanKind.map { UInt64(UInt32(bitPattern: $0.rawValue)) })
    add(statusCode.map { UInt64(UInt32(bitPattern: $0.rawValue)) })
    add(startMinimum?.nanoseconds)
    add(startMaximum?.nanoseconds)
    add(durationMinimumNanoseconds)
    add(durationMaximumNanoseconds)
    writer.appendLengthPrefixed(order.rawValue)
    return Hash128(of: writer.bytes).first
  }
}

extension AttributeValue {
  /// Text that differs for values of different types.
  fileprivate var fingerprintText: String {
    switch self {
    case .absent: "absent"
    case .empty: "empty"
    case .string: "s" + text
    case .bool: "b" + text
    case .int: "i" + text
    case .double(let value): "d" + String(value.bitPattern)
    case .bytes: "y" + text
    case .array: "a" + text
    case .map: "m" + text
    case .opaque(let bytes): "o" + Base64.text(bytes)
    }
  }
}
