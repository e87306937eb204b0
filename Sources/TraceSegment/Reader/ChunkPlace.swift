import TraceBytes
import TraceModel

/// Where a chunk stands, for errors: what it is called is put into words only when there is one.
struct ChunkPlace: Sendable {
  enum Subject: Sendable {
    case section(SectionKind)
    case traceIndexBlock(Int)
    case stripe(Int)
    case stripeHead(Int)
    /// A chunk of a stripe.
    case column(UInt32, stripe: Int, KeyTable)
  }

  var path: String
  var subject: Subject
  /// The offset of its first byte in the file.
  var fileOffset: UInt64

  private var name: String {
    switch subject {
    case .section(let kind): "section \(kind)"
    case .traceIndexBlock(let index): "trace index block \(index)"
    case .stripe(let stripe): "stripe \(stripe)"
    case .stripeHead(let stripe): "stripe \(stripe), head"
    case .column(let id, let stripe, let catalogue): "stripe \(stripe), column \(catalogue.columnName(id))"
    }
  }

  /// The error for bytes that passed their checksum and mean nothing, or did not pass it.
  func damage(_ reason: String, cause: (any Error)? = nil) -> TracestoreError {
    TracestoreError(
      .corrupt, "the segment's \(name) is damaged: \(reason); run tracestore verify", path: path, offset: fileOffset,
      cause: cause)
  }

  /// The same, with the offset where the bytes mean nothing.
  func damage(_ error: BytesError) -> TracestoreError {
    var failure = damage(error.reason)
    failure.offset = fileOffset &+ UInt64(clamping: error.offset)
    return failure
  }

  /// Runs `body` and turns the errors of codecs into `corrupt` with this place.
  @inline(__always)
  func naming<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch { throw named(error) }
  }

  /// The error with this place, unless it has one.
  @inline(never)
  func named(_ error: any Error) -> TracestoreError {
    switch error {
    case let error as TracestoreError where error.path != nil: return error
    case let error as BytesError: return damage(error)
    case let error as CompressionError: return damage(error.reason)
    default: return damage("\(error)", cause: error)
    }
  }
}
