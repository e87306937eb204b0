import TraceBytes
import TraceFilter
import TraceModel
import TraceText
import TracestoreV2

/// The place of a trace or a span in the order of a search: rank descending, then the rest ascending.
struct PageCursor: Comparable, Sendable {
  /// What it is ordered by: the newest start, or the longest duration, of the trace's matching spans.
  var rank: UInt64
  var trace: TraceID
  /// The rest is 0 for traces.
  var span: UInt64 = 0
  /// Orders different spans under the same ids.
  var content: UInt64 = 0

  static func < (left: PageCursor, right: PageCursor) -> Bool {
    if left.rank != right.rank { return left.rank > right.rank }
    if left.trace != right.trace { return left.trace < right.trace }
    return (left.span, left.content) < (right.span, right.content)
  }
}

/// What a search lists.
enum Listing: UInt64 {
  case traces = 1
  case spans = 2
}

extension PageCursor {
  private static let version: UInt64 = 2
  private static let wordCount = 9

  /// An opaque text that resumes behind this place: base64 of nine words and their checksum.
  func token(_ query: TraceQuery, _ listing: Listing, storeFingerprint: UInt64) throws -> String {
    var writer = ByteWriter(reserving: Self.wordCount * 8 + 4)
    let words = [
      Self.version, storeFingerprint, try query.fingerprint(), listing.rawValue, rank, trace.high, trace.low, span,
      content,
    ]
    for word in words { writer.appendInteger(word) }
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    return Base64.text(writer.bytes)
  }

  init(token: String, _ query: TraceQuery, _ listing: Listing, storeFingerprint: UInt64) throws {
    let bytes = Base64.canonicalBytes(token) ?? []
    let end = Self.wordCount * 8
    let words: [UInt64] = bytes.withUnsafeBytes { bytes in
      guard bytes.count == end + 4 else { return [] }
      let sum = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self))
      guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<end])) == sum else { return [] }
      return (0..<Self.wordCount).map {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self))
      }
    }
    guard words.count == Self.wordCount, words[0] == Self.version else {
      throw TracestoreError(
        .invalidArgument, "The page token is malformed; use the one that came with the page before.")
    }
    guard words[1] == storeFingerprint else {
      throw TracestoreError(.invalidArgument, "The page token is of another store; ask for the first page again.")
    }
    guard words[2] == (try query.fingerprint()), words[3] == listing.rawValue else {
      throw TracestoreError(.invalidArgument, "The page token is of another query; only the limit may change.")
    }
    self.init(rank: words[4], trace: TraceID(high: words[5], low: words[6]), span: words[7], content: words[8])
  }
}

extension TraceQuery {
  /// Names everything that decides which results there are and in which order.
  func fingerprint() throws -> UInt64 {
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
    writer.appendLengthPrefixed(filter?.json ?? "")
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
