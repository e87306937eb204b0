package import TraceBytes
package import TraceModel

/// The age of a record among the records of its span: of two that say different things, the greater one counts.
///
/// All of it is read from the record, never from a clock, so that every copy of a record has the same stamp wherever
/// and whenever it is read. No two different records have equal stamps: content hashes differ, as far as hashes do.
package struct Stamp: Comparable, Sendable {
  /// The producer's update number; 0 when it gives none.
  package var sequence: Int64
  /// When the record was observed, in nanoseconds.
  package var observed: UInt64
  /// The hash of resource and scope.
  package var origin: Hash128
  package var content: Hash128

  package static func < (left: Stamp, right: Stamp) -> Bool {
    if left.sequence != right.sequence { return left.sequence < right.sequence }
    if left.observed != right.observed { return left.observed < right.observed }
    if left.origin != right.origin { return left.origin < right.origin }
    return left.content < right.content
  }
}

extension SpanRecord {
  /// The latest time in the record: its start, its end, its events, and when its producer says it was observed.
  package var lastObservedNanoseconds: UInt64 { max(latestNanoseconds, statedObservation ?? 0) }

  /// The latest of start, end and the times of events.
  package var latestNanoseconds: UInt64 {
    events.reduce(max(start.nanoseconds, end.nanoseconds)) { max($0, $1.time.nanoseconds) }
  }

  /// `tracestore.observed`; nil when it is missing, not a number, or not above zero.
  var statedObservation: UInt64? {
    guard case .int(let value)? = attributes.value(of: ControlKey.observed), value > 0 else { return nil }
    return UInt64(value)
  }

  /// `tracestore.sequence`; 0 when it is missing or not a number.
  var sequence: Int64 {
    if case .int(let value)? = attributes.value(of: ControlKey.sequence) { value } else { 0 }
  }

  /// The keys that `tracestore.removed` names, as UTF-8.
  var removedKeys: [[UInt8]] {
    guard case .array(let values)? = attributes.value(of: ControlKey.removed) else { return [] }
    return values.compactMap { if case .string(let key) = $0 { Array(key.utf8) } else { nil } }
  }

  /// Whether the record adds to a span instead of being one.
  package var isEnrichment: Bool {
    attributes.contains { $0.key.utf8.elementsEqual(ControlKey.partial.utf8) && $0.value == .bool(true) }
  }
}
