import TraceModel

/// What the records of one (trace id, span id) say together: the definition of partial spans that stores are tested
/// against, in the plainest way. Records make claims about parts of a span; of each part the best claim counts.
///
/// Two records that tie in sequence and observation are told apart by `ContentKey` here; a store may order them
/// otherwise, so that histories for comparisons should not hold such pairs.
struct RecordJoin {
  enum Kind: Int {
    case enrichment, snapshot, final
  }

  /// A record says something about a part of a span.
  private struct Claim {
    var part: String
    /// The greater one wins; equal ones are decided by age.
    var weight: UInt64
  }

  let records: [ReferenceStore.Record]
  let readsZeroEndAsOpen: Bool

  // MARK: Records

  static func isControlKey(_ key: String) -> Bool {
    [
      "tracestore.partial", "tracestore.sequence", "tracestore.observed", "tracestore.removed",
      "tracestore.role.service", "tracestore.role.kind",
    ].contains { $0.utf8.elementsEqual(key.utf8) }
  }

  static func observation(_ span: SpanRecord) -> UInt64? {
    if case .int(let time)? = span.attributes.value(of: "tracestore.observed"), time > 0 { UInt64(time) } else { nil }
  }

  /// The latest time of a record, stated or not.
  static func lastObserved(_ span: SpanRecord) -> UInt64 {
    max(span.lastObserved.nanoseconds, observation(span) ?? 0)
  }

  func kind(_ record: ReferenceStore.Record) -> Kind {
    let isFlagged = record.span.attributes.contains {
      $0.key.utf8.elementsEqual("tracestore.partial".utf8) && $0.value == .bool(true)
    }
    return isFlagged ? .enrichment : record.span.end == .zero && readsZeroEndAsOpen ? .snapshot : .final
  }

  /// Whether the left record is younger.
  private func isNewer(_ left: ReferenceStore.Record, _ right: ReferenceStore.Record) -> Bool {
    func sequence(_ span: SpanRecord) -> Int64 {
      if case .int(let value)? = span.attributes.value(of: "tracestore.sequence") { value } else { 0 }
    }
    func observed(_ span: SpanRecord) -> UInt64 { Self.observation(span) ?? span.lastObserved.nanoseconds }
    if sequence(left.span) != sequence(right.span) { return sequence(left.span) > sequence(right.span) }
    if observed(left.span) != observed(right.span) { return observed(left.span) > observed(right.span) }
    return left.key > right.key
  }

  /// The service and the kind that a record belongs to; nil means any.
  private func role(_ record: ReferenceStore.Record) -> (service: String?, kind: Int32?) {
    if kind(record) != .enrichment { return (record.resource.serviceName, record.span.kind.rawValue) }
    var role: (service: String?, kind: Int32?)
    if case .string(let name)? = record.span.attributes.value(of: "tracestore.role.service") { role.service = name }
    switch record.span.attributes.value(of: "tracestore.role.kind") {
    case .string(let word)?: role.kind = SpanKind(word: word)?.rawValue
    case .int(let value)?: role.kind = Int32(exactly: value)
    default: break
    }
    return role
  }

  private func roleName(_ service: String?, _ kind: Int32?) -> String {
    (service.map { "s" + $0.utf8.map { String($0, radix: 16) }.joined(separator: ".") } ?? "any")
      + (kind.map { " \($0)" } ?? " any")
  }

  // MARK: Claims

  private static func claims(_ span: SpanRecord) -> [Claim] {
    var claims = [Claim(part: "newest", weight: 0)]
    func claim(_ part: String, _ weight: UInt64 = 0, if isPresent: Bool) {
      if isPresent { claims.append(Claim(part: part, weight: weight)) }
    }
    claim("name", if: !span.name.isEmpty)
    claim("kind", if: span.kind != .unspecified)
    claim("parent", if: span.parentSpanID?.isZero == false)
    claim("traceState", if: !span.traceState.isEmpty)
    claim("unknown", if: !span.unknownFields.isEmpty)
    claim("start", .max - span.start.nanoseconds, if: span.start != .zero)
    claim("observed", lastObserved(span), if: true)
    claim("droppedAttributes", UInt64(span.droppedAttributeCount), if: true)
    claim("droppedEvents", UInt64(span.droppedEventCount), if: true)
    claim("droppedLinks", UInt64(span.droppedLinkCount), if: true)
    claim("status", rank(span.status?.code ?? .unset), if: span.status != nil)
    for bit in 0..<32 { claim("flag \(bit)", if: span.flags >> UInt32(bit) & 1 == 1) }
    for key in keys(span) { claim("key \(Array(key.utf8))", if: true) }
    for (event, count) in counts(span.events.map(content)) { claim("event \(event)", UInt64(count), if: true) }
    for (link, count) in counts(span.links.map(content)) { claim("link \(link)", UInt64(count), if: true) }
    return claims
  }

  private static func rank(_ code: SpanStatus.Code) -> UInt64 {
    code == .ok ? 3 : code == .error ? 2 : code == .unset ? 0 : 1
  }

  private static func keys(_ span: SpanRecord) -> [String] {
    span.attributes.map(\.key).filter { !isControlKey($0) } + removed(span)
  }

  private static func removed(_ span: SpanRecord) -> [String] {
    guard case .array(let keys)? = span.attributes.value(of: "tracestore.removed") else { return [] }
    return keys.compactMap { if case .string(let key) = $0 { key } else { nil } }
  }

  private static func content(_ event: SpanEvent) -> [UInt8] { ContentKey { $0.add(event) }.bytes }
  private static func content(_ link: SpanLink) -> [UInt8] { ContentKey { $0.add(link) }.bytes }

  private static func counts(_ contents: [[UInt8]]) -> [[UInt8]: Int] {
    contents.reduce(into: [:]) { $0[$1, default: 0] += 1 }
  }

  // MARK: What contributes

  /// The records that have the best claim about anything, among those that are parts of the same spans.
  var contributing: [ReferenceStore.Record] {
    if records.allSatisfy({ kind($0) == .final }) { return records }
    var classes: [String: [ReferenceStore.Record]] = [:]
    for record in records where kind(record) != .final {
      let role = role(record)
      classes["\(kind(record)) \(roleName(role.service, role.kind))", default: []].append(record)
    }
    var kept: Set<ContentKey> = []
    for members in classes.values {
      var best: [String: (weight: UInt64, record: ReferenceStore.Record)] = [:]
      for record in members {
        for claim in Self.claims(record.span) {
          if let known = best[claim.part] {
            if known.weight > claim.weight { continue }
            if known.weight == claim.weight, !isNewer(record, known.record) { continue }
          }
          best[claim.part] = (claim.weight, record)
        }
      }
      for winner in best.values { kept.insert(winner.record.key) }
    }
    return records.filter { kind($0) == .final || kept.contains($0.key) }
  }

  // MARK: Views

  var views: [ReferenceStore.Record] {
    if records.allSatisfy({ kind($0) == .final }) { return records }
    let known = contributing.sorted(by: isNewer)
    let finals = known.filter { kind($0) == .final }
    let snapshots = known.filter { kind($0) == .snapshot }
    let enrichments = known.filter { kind($0) == .enrichment }
    func belongs(_ record: ReferenceStore.Record, _ service: String, _ spanKind: Int32) -> Bool {
      let own = role(record)
      let isKind = own.kind == nil || own.kind == spanKind || own.kind == 0 && kind(record) == .snapshot
      return (own.service.map { $0.utf8.elementsEqual(service.utf8) } ?? true) && isKind
    }
    func join(_ final: ReferenceStore.Record?, _ service: String, _ spanKind: Int32) -> ReferenceStore.Record {
      joined(
        final, snapshots.filter { belongs($0, service, spanKind) },
        enrichments.filter { belongs($0, service, spanKind) })
    }
    var views = finals.map { join($0, $0.resource.serviceName, $0.span.kind.rawValue) }
    var roles: [String: (service: String, kind: Int32)] = [:]
    for record in finals + snapshots {
      let role = (service: record.resource.serviceName, kind: record.span.kind.rawValue)
      roles[roleName(role.service, role.kind)] = role
    }
    for (name, role) in roles where role.kind == 0 && !finals.contains(where: { ownRoleName($0) == name }) {
      // Snapshots without a kind are a span of their own only when nothing else is known of their service.
      let others = roles.values.filter { $0.service.utf8.elementsEqual(role.service.utf8) && $0.kind != 0 }
      if !others.isEmpty { roles[name] = nil }
    }
    for (name, role) in roles where !finals.contains(where: { ownRoleName($0) == name }) {
      views.append(join(nil, role.service, role.kind))
    }
    let waiting = enrichments.filter { record in
      !roles.values.contains { belongs(record, $0.service, $0.kind) }
    }
    if !waiting.isEmpty {
      let keys = Set(waiting.map(\.key))
      views.append(
        joined(nil, [], enrichments.filter { keys.contains($0.key) || role($0) == (nil, nil) }))
    }
    return views
  }

  private func ownRoleName(_ record: ReferenceStore.Record) -> String {
    roleName(record.resource.serviceName, record.span.kind.rawValue)
  }

  /// - Parameters: each newest first.
  private func joined(
    _ final: ReferenceStore.Record?, _ snapshots: [ReferenceStore.Record], _ enrichments: [ReferenceStore.Record]
  ) -> ReferenceStore.Record {
    let asked = (final.map { [$0] } ?? []) + snapshots + enrichments
    let newestFirst = (final.map { [$0] } ?? []) + (snapshots + enrichments).sorted(by: isNewer)
    var view = asked[0]
    view.isOpen = final == nil
    view.isEnriched = !enrichments.isEmpty
    if asked.count == 1 { return view }
    let spans = asked.map(\.span)
    view.span.name = spans.map(\.name).first { !$0.isEmpty } ?? view.span.name
    view.span.kind = spans.map(\.kind).first { $0 != .unspecified } ?? view.span.kind
    view.span.parentSpanID = spans.compactMap(\.parentSpanID).first { !$0.isZero } ?? view.span.parentSpanID
    view.span.traceState = spans.map(\.traceState).first { !$0.isEmpty } ?? view.span.traceState
    view.span.unknownFields = spans.map(\.unknownFields).first { !$0.isEmpty } ?? view.span.unknownFields
    let tiers = [final.map { [$0] } ?? [], snapshots, enrichments]
    let starts = tiers.compactMap { $0.map(\.span.start).filter { $0 != .zero }.min() }
    view.span.start = starts.first ?? view.span.start
    view.span.flags = tiers.map { $0.reduce(0) { $0 | $1.span.flags } }.first { $0 != 0 } ?? 0
    if final == nil { view.span.end = Timestamp(nanoseconds: spans.map(Self.lastObserved).max() ?? 0) }
    view.span.droppedAttributeCount = spans.map(\.droppedAttributeCount).max() ?? 0
    view.span.droppedEventCount = spans.map(\.droppedEventCount).max() ?? 0
    view.span.droppedLinkCount = spans.map(\.droppedLinkCount).max() ?? 0
    if (final?.span.status?.code ?? .unset) == .unset {
      let statuses = newestFirst.compactMap(\.span.status)
      let greatest = statuses.map { Self.rank($0.code) }.max()
      view.span.status = statuses.first { Self.rank($0.code) == greatest }
    }
    joinLists(&view.span, asked, newestFirst)
    view.key = ContentKey(view.resource, view.scope, view.span)
    return view
  }

  private func joinLists(
    _ view: inout SpanRecord, _ asked: [ReferenceStore.Record], _ newestFirst: [ReferenceStore.Record]
  ) {
    func lastWord(_ key: String) -> ContentKey? {
      newestFirst.first { Self.keys($0.span).contains { $0.utf8.elementsEqual(key.utf8) } }?.key
    }
    var (attributes, events, links): ([Attribute], [SpanEvent], [SpanLink]) = ([], [], [])
    for (place, record) in asked.enumerated() {
      attributes += record.span.attributes.filter { attribute in
        Self.isControlKey(attribute.key) ? place == 0 : lastWord(attribute.key) == record.key
      }
      for (index, event) in record.span.events.enumerated() {
        let upToHere = record.span.events[...index].count { Self.content($0) == Self.content(event) }
        if events.count(where: { Self.content($0) == Self.content(event) }) < upToHere { events.append(event) }
      }
      for (index, link) in record.span.links.enumerated() {
        let upToHere = record.span.links[...index].count { Self.content($0) == Self.content(link) }
        if links.count(where: { Self.content($0) == Self.content(link) }) < upToHere { links.append(link) }
      }
    }
    if events.count > view.events.count {
      events = events.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element)
    }
    (view.attributes, view.events, view.links) = (attributes, events, links)
  }
}
