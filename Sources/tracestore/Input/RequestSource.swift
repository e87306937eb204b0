import TraceModel
import TraceOTLP
import TracestoreV1
import TracestoreV2

/// What an input holds.
enum InputForm {
  /// To be found out.
  case unknown
  case otlp(OTLPFrameReader.Framing)
  case foreign(ForeignJSON)
}

/// The requests of an input, one after another: those that stand in it, or those that its documents are cut into.
struct RequestSource {
  /// Where the spans of a request stand in their document.
  struct Places: Sendable {
    var indexes: [Int]
    /// In the input.
    var offsets: [UInt64]
  }

  struct Request {
    /// Which request or document of the input it is, or comes from.
    var index: Int
    /// In the input: where it begins, or where its first span does.
    var offset: UInt64
    var encoding: OTLPEncoding
    var bytes: [UInt8]
    /// Nil for requests that stand in the input as they are.
    var places: Places?
  }

  private var reader: OTLPFrameReader
  private let foreign: ForeignJSON?
  private var document: (index: Int, offset: UInt64, requests: DecodedSpans.Requests)?
  /// How many requests or documents were read, those that could not be read included.
  private var readCount = 0
  /// The place of the last one among them.
  var index: Int { max(0, readCount - 1) }

  private static let detectionByteCount = 1 << 20

  /// - Parameter read: returns up to that many bytes, none at the end.
  init(_ form: InputForm, read: @escaping (Int) throws -> [UInt8]) {
    if case .otlp(let framing) = form {
      foreign = nil
      reader = OTLPFrameReader(framing: framing, read: read)
      return
    }
    let input = ReadAhead(read)
    let prefix = input.prefix(Self.detectionByteCount, isEnough: ForeignJSON.isSettled)
    foreign = if case .foreign(let named) = form { named } else { ForeignJSON(prefix: prefix) }
    var framing: OTLPFrameReader.Framing?
    if foreign != nil { framing = ForeignJSON.isOneDocumentALine(prefix: prefix) ? .jsonLines : .json }
    reader = OTLPFrameReader(framing: framing) { try input.read($0) }
  }

  /// The next request, or nil at the end.
  ///
  /// - Throws: as `OTLPFrameReader.next()`, and `TracestoreError` with its offset in the input for a document that
  ///   cannot be read, of which nothing has been handed out. What is behind it may follow.
  mutating func next() throws -> Request? {
    while true {
      if let request = nextOfDocument() { return request }
      readCount += 1
      guard let frame = try reader.next() else { return nil }
      guard let foreign else {
        return Request(
          index: frame.index, offset: frame.offset, encoding: frame.encoding == .json ? .json : .protobuf,
          bytes: frame.bytes)
      }
      do {
        document = (frame.index, frame.offset, try foreign.decodeSpans(frame.bytes).requests)
      } catch let fault as TracestoreError {
        var error = fault
        error.offset = frame.offset &+ (error.offset ?? 0)
        throw error
      }
    }
  }

  private mutating func nextOfDocument() -> Request? {
    guard let part = document?.requests.next(), let (index, offset, _) = document else {
      document = nil
      return nil
    }
    let places = Places(indexes: part.spanIndexes, offsets: part.spanOffsets.map { offset &+ UInt64(clamping: $0) })
    return Request(
      index: index, offset: places.offsets.min() ?? offset, encoding: .protobuf, bytes: OTLP.encode(part.data),
      places: places)
  }
}
