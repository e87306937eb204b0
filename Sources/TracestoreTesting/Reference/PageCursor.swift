import TraceFilter
import TraceModel
import TracestoreV2

/// The place behind one result: rank descending, then trace id, span id and content ascending.
struct PageCursor: Comparable {
  enum Listing: UInt8 {
    case traces = 116
    case spans = 115
  }

  var rank: UInt64
  var traceID: TraceID
  var spanID: SpanID
  var content: UInt64

  init(_ rank: UInt64, _ traceID: TraceID, _ spanID: SpanID = SpanID(0), _ content: UInt64 = 0) {
    self.rank = rank
    self.traceID = traceID
    self.spanID = spanID
    self.content = content
  }

  static func < (left: PageCursor, right: PageCursor) -> Bool {
    if left.rank != right.rank { return left.rank > right.rank }
    if left.traceID != right.traceID { return left.traceID < right.traceID }
    if left.spanID != right.spanID { return left.spanID < right.spanID }
    return left.content < right.content
  }

  /// Hexadecimal words: version, store, query fingerprint, rank, trace id, span id, content.
  func token(_ query: TraceQuery, listing: Listing, storeID: UInt64) -> String {
    let words = [storeID, query.fingerprint(listing), rank, traceID.high, traceID.low, spanID.rawValue, content]
    return "1-" + words.map { String($0, radix: 16) }.joined(separator: "-")
  }

  init(token: String, _ query: TraceQuery, listing: Listing, storeID: UInt64) throws {
    let words = token.split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0, radix: 16) }
    guard words.count == 8, words[0] == 1, !words.contains(nil) else {
      throw TracestoreError(
        .invalidArgument, "The page token is malformed; use the one that came with the page before.")
    }
    let values = words.compactMap(\.self)
    guard values[1] == storeID else {
      throw TracestoreError(.invalidArgument, "The page token is of another store; ask the first page again.")
    }
    guard values[2] == query.fingerprint(listing) else {
      throw TracestoreError(.invalidArgument, "The page token is of another query; only the limit may change.")
    }
    self.init(values[3], TraceID(high: values[4], low: values[5]), SpanID(values[6]), values[7])
  }
}

extension TraceQuery {
  /// Names everything that decides which results there are and in which order.
  func fingerprint(_ listing: PageCursor.Listing) -> UInt64 {
    ContentKey { encoder in
      encoder.bytes.append(listing.rawValue)
      encoder.add(serviceName)
      encoder.add(operationName)
      encoder.add(attributes)
      encoder.add(spanKind.map { UInt64(UInt32(bitPattern: $0.rawValue)) })
      encoder.add(statusCode.map { UInt64(UInt32(bitPattern: $0.rawValue)) })
      encoder.add(startMinimum?.nanoseconds)
      encoder.add(startMaximum?.nanoseconds)
      encoder.add(durationMinimumNanoseconds)
      encoder.add(durationMaximumNanoseconds)
      encoder.add(filter?.text ?? "")
      encoder.add(order.rawValue)
    }.hash64
  }
}
