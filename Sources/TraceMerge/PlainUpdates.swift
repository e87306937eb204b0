package import TraceModel

/// The plain case of partial records, decided without hashing anything: a producer sends an open span again and again
/// with new values, so that its newest record says all that the others do.
package enum PlainUpdates {
  /// A record of one (trace id, span id).
  package struct Record {
    package let resource: Resource
    package let scope: InstrumentationScope
    package let span: SpanRecord
    package let isPartial: Bool

    package init(resource: Resource, scope: InstrumentationScope, span: SpanRecord, isPartial: Bool) {
      self.resource = resource
      self.scope = scope
      self.span = span
      self.isPartial = isPartial
    }
  }

  /// How old a plain record is, and where it stands among the records of its span.
  package struct Age {
    let place: Int
    let sequence: Int64
    let observed: UInt64
    let last: UInt64

    /// - Parameters:
    ///   - latest: the later of its start and its end, in nanoseconds.
    ///   - stated: when its producer says that it was observed; counts above zero.
    package init(place: Int, sequence: Int64?, latest: UInt64, stated: Int64?) {
      let stated = stated.flatMap { $0 > 0 ? UInt64($0) : nil }
      self.place = place
      self.sequence = sequence ?? 0
      observed = stated ?? latest
      last = max(latest, stated ?? 0)
    }

    func precedes(_ other: Age) -> Bool { (sequence, observed) < (other.sequence, other.observed) }
  }

  /// The places of those that the newest leaves nothing to say.
  ///
  /// - Parameter isAlike: whether the records at two places differ in the values of their attributes and their ends alone.
  package static func dominated(_ ages: [Age], isAlike: (Int, Int) -> Bool) -> Set<Int> {
    guard ages.count > 1, let newest = ages.max(by: { $0.precedes($1) }) else { return [] }
    let older = ages.filter { $0.precedes(newest) && $0.last <= newest.last && isAlike($0.place, newest.place) }
    return Set(older.map(\.place))
  }

  /// The places of records that plainly do not contribute; see `SpanPart.contributing`, whose answer stays the same
  /// without them.
  ///
  /// - Parameter records: Of one trace and span id, in any order.
  package static func dominated(_ records: [Record]) -> Set<Int> {
    if records.count < 2 { return [] }
    return dominated(records.indices.compactMap { age(of: records[$0], at: $0) }) { isAlike(records[$0], records[$1]) }
  }

  /// The places of records that contribute, ascending; see `SpanPart.contributing`.
  ///
  /// - Parameter records: Of one trace and span id, in any order.
  package static func contributing(_ records: [Record]) -> [Int] {
    let dominated = dominated(records)
    let rest = records.indices.filter { !dominated.contains($0) }
    if rest.count < 2 { return rest }
    return SpanPart.contributing(rest.map { SpanPart(records[$0]) }).map { rest[$0] }
  }

  /// Nil for a record that is not plain.
  private static func age(of record: Record, at place: Int) -> Age? {
    let span = record.span
    guard record.isPartial, span.events.isEmpty, span.links.isEmpty else { return nil }
    var (sequence, observed): (Int64?, Int64?)
    for attribute in span.attributes {
      let key = attribute.key.utf8
      guard key.starts(with: ControlKey.prefix.utf8) else { continue }
      // A repeated key, a value of another type and the other control keys are left to the contest.
      guard case .int(let value) = attribute.value else { return nil }
      if key.elementsEqual(ControlKey.sequence.utf8), sequence == nil {
        sequence = value
      } else if key.elementsEqual(ControlKey.observed.utf8), observed == nil {
        observed = value
      } else {
        return nil
      }
    }
    return Age(
      place: place, sequence: sequence, latest: max(span.start.nanoseconds, span.end.nanoseconds), stated: observed)
  }

  /// Whether two records differ in the values of their attributes alone, and in their ends.
  private static func isAlike(_ left: Record, _ right: Record) -> Bool {
    let (a, b) = (left.span, right.span)
    return left.resource == right.resource && left.scope == right.scope && a.name.utf8.elementsEqual(b.name.utf8)
      && a.kind == b.kind && a.start == b.start && a.parentSpanID == b.parentSpanID
      && a.traceState.utf8.elementsEqual(b.traceState.utf8) && a.flags == b.flags && a.status == b.status
      && a.unknownFields == b.unknownFields && a.droppedAttributeCount == b.droppedAttributeCount
      && a.droppedEventCount == b.droppedEventCount && a.droppedLinkCount == b.droppedLinkCount
      && a.attributes.count == b.attributes.count
      && zip(a.attributes, b.attributes).allSatisfy { $0.key.utf8.elementsEqual($1.key.utf8) }
  }
}
