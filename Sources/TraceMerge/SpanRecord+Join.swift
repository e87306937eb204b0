import TraceModel

/// The records that are joined into one span, in the order in which they have a say. Never empty.
struct JoinOrder {
  /// A final, or nothing.
  let final: [SpanPart]
  /// Newest first.
  let snapshots: [SpanPart]
  /// Newest first.
  let enrichments: [SpanPart]
  /// Snapshots and enrichments, newest first.
  let partials: [SpanPart]

  init(final: SpanPart?, snapshots: [SpanPart], enrichments: [SpanPart]) {
    self.final = final.map { [$0] } ?? []
    self.snapshots = snapshots
    self.enrichments = enrichments
    partials = (snapshots + enrichments).sorted { $0.precedes($1) }
  }

  /// What the span is called, when it began, where it belongs: a final knows best, and the producer of the span knows
  /// better than whoever adds to it.
  var tiers: [[SpanPart]] { [final, snapshots, enrichments] }
  var asked: [SpanPart] { final + snapshots + enrichments }
  /// What happened and what was noted: a final knows best, then whoever speaks last.
  var newestFirst: [SpanPart] { final + partials }
}

extension SpanRecord {
  /// Completes the first of the records that are asked with what the others say.
  mutating func join(_ order: JoinOrder) {
    let asked = order.asked
    func first<Value>(_ value: (SpanRecord) -> Value?) -> Value? {
      for part in asked { if let value = value(part.span) { return value } }
      return nil
    }
    name = first { $0.name.isEmpty ? nil : $0.name } ?? name
    kind = first { $0.kind == .unspecified ? nil : $0.kind } ?? kind
    parentSpanID = first { $0.parentSpanID?.isZero == false ? $0.parentSpanID : nil } ?? parentSpanID
    traceState = first { $0.traceState.isEmpty ? nil : $0.traceState } ?? traceState
    unknownFields = first { $0.unknownFields.isEmpty ? nil : $0.unknownFields } ?? unknownFields
    joinNumbers(order)
    joinStatus(order)
    joinAttributes(order)
    joinElements(asked)
  }

  private mutating func joinNumbers(_ order: JoinOrder) {
    for tier in order.tiers.reversed() {
      if let earliest = tier.lazy.map(\.span.start).filter({ $0 != .zero }).min() { start = earliest }
      let bits = tier.reduce(0) { $0 | $1.span.flags }
      if bits != 0 { flags = bits }
    }
    for part in order.partials {
      droppedAttributeCount = max(droppedAttributeCount, part.span.droppedAttributeCount)
      droppedEventCount = max(droppedEventCount, part.span.droppedEventCount)
      droppedLinkCount = max(droppedLinkCount, part.span.droppedLinkCount)
    }
  }

  /// The greatest rank, and of equal ones the newest; but a final that says more than "unset" is right.
  private mutating func joinStatus(_ order: JoinOrder) {
    if let own = order.final.first?.span.status, own.code != .unset { return }
    var best = order.final.first?.span.status
    for status in order.partials.compactMap(\.span.status) where best.map({ $0.code.rank < status.code.rank }) ?? true {
      best = status
    }
    status = best
  }

  /// Of each key, the newest word counts, and with it all attributes that the record has under the key. A record that
  /// both sets and removes a key has set it. The first record keeps its order; the others follow in the order in which
  /// they are asked, each with the keys of which it has the last word. Control keys are those of the first.
  private mutating func joinAttributes(_ order: JoinOrder) {
    var lastWord: [[UInt8]: Stamp] = [:]
    for part in order.newestFirst {
      for key in part.span.decidedKeys where lastWord[key] == nil { lastWord[key] = part.stamp }
    }
    var joined: [Attribute] = []
    for (place, part) in order.asked.enumerated() {
      for attribute in part.span.attributes {
        if ControlKey.isHidden(attribute.key)
          ? place == 0 : lastWord[Array(attribute.key.utf8)] == part.stamp
        {
          joined.append(attribute)
        }
      }
    }
    attributes = joined
  }

  /// Events and links are multisets: of equal ones there are as many as the record has that has most. The first record
  /// keeps its order, and so do those that the others add; when an event is added, all are put in order of time.
  private mutating func joinElements(_ asked: [SpanPart]) {
    let ownEventCount = events.count
    var eventCounts: [[UInt8]: Int] = [:]
    var linkCounts: [[UInt8]: Int] = [:]
    (events, links) = ([], [])
    for part in asked {
      events += Self.additions(part.span.events, part.span.eventContents, &eventCounts)
      links += Self.additions(part.span.links, part.span.linkContents, &linkCounts)
    }
    if events.count > ownEventCount {
      // Stable, so that the order depends on the records alone.
      events = events.enumerated().sorted {
        ($0.element.time, $0.offset) < ($1.element.time, $1.offset)
      }.map(\.element)
    }
  }

  /// The elements of one record that exceed what those before it hold.
  private static func additions<Element>(
    _ elements: [Element], _ contents: [[UInt8]], _ counts: inout [[UInt8]: Int]
  ) -> [Element] {
    var own: [[UInt8]: Int] = [:]
    var added: [Element] = []
    for (element, content) in zip(elements, contents) {
      own[content, default: 0] += 1
      if own[content, default: 0] > counts[content, default: 0] {
        counts[content] = own[content]
        added.append(element)
      }
    }
    return added
  }
}
