package import TraceModel

/// What a follower of the log has told of requests that may not be in a segment yet, so that it is not told again from
/// there: a hash of what tells a final span from all others (ids, kind, times), in the order of the log.
///
/// 8 bytes a span. Looked up only when a segment has to be read in place of the log, which is rare: then they are made a
/// set, for as long as the segment is read.
package struct ToldSpans: Sendable {
  /// As many as a memtable holds by default: 2 MB, and up to 8 MB as a set.
  private static let maximumCount = 1 << 18

  /// All that was told of the requests from this one on is known.
  package private(set) var firstSequence: UInt64
  private var keys: [Int] = []
  /// Where the spans of a request begin in `keys`.
  private var requests: [(sequence: UInt64, firstKey: Int)] = []
  private var known: Set<Int>?

  package init(from sequence: UInt64) { firstSequence = sequence }

  package var isFull: Bool { keys.count >= Self.maximumCount }

  static func key(traceHigh: UInt64, traceLow: UInt64, spanID: UInt64, kind: Int32, start: UInt64, end: UInt64) -> Int {
    var hasher = Hasher()
    hasher.combine(traceHigh)
    hasher.combine(traceLow)
    hasher.combine(spanID)
    hasher.combine(kind)
    hasher.combine(start)
    hasher.combine(end)
    return hasher.finalize()
  }

  private static func key(_ span: SpanRecord) -> Int {
    key(
      traceHigh: span.traceID.high, traceLow: span.traceID.low, spanID: span.spanID.rawValue, kind: span.kind.rawValue,
      start: span.start.nanoseconds, end: span.end.nanoseconds)
  }

  package mutating func add(_ span: SpanRecord, sequence: UInt64) { add(key: Self.key(span), sequence: sequence) }

  mutating func add(key: Int, sequence: UInt64) {
    if requests.last?.sequence != sequence { requests.append((sequence, keys.count)) }
    keys.append(key)
    known = nil
  }

  package mutating func contains(_ span: SpanRecord) -> Bool {
    let set = known ?? Set(keys)
    known = set
    return set.contains(Self.key(span))
  }

  /// Lets go of what look-ups need.
  package mutating func endLookups() { known = nil }

  /// Makes room: requests below `sequence` are in segments. When that is not enough, all are forgotten.
  package mutating func forget(below sequence: UInt64, next: UInt64) {
    known = nil
    let kept = requests.firstIndex { $0.sequence >= sequence }
    let firstKept = kept.map { requests[$0].firstKey } ?? keys.count
    keys.removeFirst(firstKept)
    requests.removeFirst(kept ?? requests.count)
    for place in requests.indices { requests[place].firstKey -= firstKept }
    firstSequence = max(firstSequence, sequence)
    if keys.count > Self.maximumCount / 2 {
      keys = []
      requests = []
      firstSequence = next
    }
  }
}
