import TraceBytes
import TraceColumns
import TraceMerge
import TraceModel
import TraceSource
package import TracestoreV2

/// The lists of names: services, operations, attribute keys and values, added up over all sources.
///
/// Lists without a service come from dictionaries and stored counts; lists of one service from scanning codes. A source
/// whose part is damaged does not keep the others out: what it lacks is named in the summary.
package struct Catalogue {
  private let snapshot: QuerySnapshot

  package init(_ snapshot: QuerySnapshot) { self.snapshot = snapshot }

  package func services() -> ResultList<String> {
    var names: Set<[UInt8]> = []
    var damage = DamageReport()
    for source in snapshot.sources {
      damage.collect {
        try source.forEachService { name, _ in if !name.isEmpty { names.insert(Array(name.utf8)) } }
      }
    }
    damage.add(snapshot.damage)
    return ResultList(
      names.sorted { $0.lexicographicallyPrecedes($1) }.map { String(decoding: $0, as: UTF8.self) },
      summary: ResultSummary(damage: damage.messages))
  }

  package func operations(_ query: OperationQuery) -> ResultList<Operation> {
    struct Key: Hashable {
      var name: [UInt8]
      var kind: Int32
    }
    var keys: Set<Key> = []
    var damage = DamageReport()
    for source in snapshot.sources {
      damage.collect {
        try source.forEachOperation(service: query.serviceName) { name, kind, _ in
          if query.spanKind == nil || query.spanKind == kind {
            keys.insert(Key(name: Array(name.utf8), kind: kind.rawValue))
          }
        }
      }
    }
    damage.add(snapshot.damage)
    return ResultList(
      keys.sorted { $0.name != $1.name ? $0.name.lexicographicallyPrecedes($1.name) : $0.kind < $1.kind }
        .map { Operation(name: String(decoding: $0.name, as: UTF8.self), spanKind: SpanKind(rawValue: $0.kind)) },
      summary: ResultSummary(damage: damage.messages))
  }

  package func attributeKeys(_ query: AttributeKeyQuery) -> ResultList<AttributeKeyInfo> {
    struct Key: Hashable {
      var key: [UInt8]
      var level: TracestoreV2.AttributeLevel
      var type: TracestoreV2.AttributeType
    }
    var counts: [Key: UInt64] = [:]
    func add(_ entry: AttributeKeyCount) {
      let level = entry.level.attributeLevel
      guard query.level == nil || query.level == level, let type = TraceBytes.AttributeType(rawValue: entry.type)
      else { return }
      counts[Key(key: Array(entry.key.utf8), level: level, type: type.attributeType), default: 0] += UInt64(
        entry.valueCount)
    }
    var envelopes: Set<SpanEnvelope> = []
    let damage = forEachSelection(
      query.serviceName, query.startMinimum, query.startMaximum,
      whole: { source, damage in
        damage.collect { try source.forEachAttributeKey(add) }
        damage.collect { try source.forEachEnvelope { envelopes.insert($0) } }
      },
      rows: { stripe, mask, damage in
        damage.salvage(mask) { try stripe.forEachAttributeKey(in: $0, add) }
        damage.salvage(mask) { try stripe.forEachEnvelope(in: $0) { envelopes.insert($0) } }
      })
    // Many envelopes share a few lists of keys.
    var lists: [SpanEnvelope.KeyList: (envelope: SpanEnvelope, count: Int)] = [:]
    for envelope in envelopes { lists[envelope.keys, default: (envelope, 0)].count += 1 }
    for (envelope, count) in lists.values {
      for attribute in envelope.attributes {
        add(
          AttributeKeyCount(
            key: attribute.key, level: envelope.level, type: TraceBytes.AttributeType(of: attribute).rawValue,
            valueCount: count))
      }
    }
    let sorted = counts.sorted { left, right in
      if left.key.key != right.key.key { return left.key.key.lexicographicallyPrecedes(right.key.key) }
      return left.key.level != right.key.level ? left.key.level < right.key.level : left.key.type < right.key.type
    }
    return ResultList(
      sorted.map {
        AttributeKeyInfo(
          key: String(decoding: $0.key.key, as: UTF8.self), level: $0.key.level, type: $0.key.type, count: $0.value)
      }, summary: ResultSummary(damage: damage))
  }

  package func attributeValues(_ query: AttributeValueQuery) throws -> ResultList<AttributeValueInfo> {
    guard query.limit >= 1 else {
      throw TracestoreError(.invalidArgument, "The limit is \(query.limit); it must be at least 1.")
    }
    var counts: [AttributeValue: UInt64] = [:]
    var isCut = false
    func add(_ value: AttributeValue, _ count: Int) {
      guard query.prefix.isEmpty || value.text.utf8.starts(with: query.prefix.utf8) else { return }
      if counts.count < Self.maximumValueCount || counts[value] != nil {
        counts[value, default: 0] += UInt64(count)
      } else {
        isCut = true
      }
    }
    let levels = ColumnLevel.allCases.filter { query.level == nil || $0.attributeLevel == query.level }
    let key = Array(query.key.utf8)
    var envelopes: Set<SpanEnvelope> = []
    func values(of levels: [ColumnLevel], in stripe: any SpanStripe, _ mask: RowMask, _ damage: inout DamageReport) {
      damage.salvage(mask) { mask in
        let isMore = try stripe.forEachAttributeValue(key: key, levels, in: mask, limit: Self.maximumValueCount, add)
        isCut = isCut || isMore
      }
    }
    let damage = forEachSelection(
      query.serviceName, query.startMinimum, query.startMaximum,
      whole: { source, damage in
        for level in levels where level != .resource && level != .scope {
          do {
            let isMore = try source.forEachAttributeValue(
              key: query.key, level: level, limit: Self.maximumValueCount, add)
            isCut = isCut || isMore
          } catch {
            // Nothing was given: what can still be read is looked for part by part.
            for stripe in source.stripes {
              values(of: [level], in: stripe, RowMask(count: stripe.rowCount, filled: true), &damage)
            }
          }
        }
        damage.collect { try source.forEachEnvelope { envelopes.insert($0) } }
      },
      rows: { stripe, mask, damage in
        values(of: levels, in: stripe, mask, &damage)
        damage.salvage(mask) { try stripe.forEachEnvelope(in: $0) { envelopes.insert($0) } }
      })
    for envelope in envelopes where levels.contains(envelope.level) {
      for attribute in envelope.attributes where attribute.key.utf8.elementsEqual(query.key.utf8) {
        add(attribute.value, 1)
      }
    }
    let sorted = counts.map { (text: Array($0.key.text.utf8), value: $0.key, count: $0.value) }.sorted {
      if $0.count != $1.count { return $0.count > $1.count }
      return $0.text != $1.text ? $0.text.lexicographicallyPrecedes($1.text) : Self.precedes($0.value, $1.value)
    }
    return ResultList(
      sorted.prefix(query.limit).map { AttributeValueInfo(value: $0.value, count: $0.count) },
      summary: ResultSummary(isTruncated: isCut || sorted.count > query.limit, damage: damage))
  }

  /// The order of values that have one text: by type, then by content, as maps that differ only where JSON has no words.
  private static func precedes(_ left: AttributeValue, _ right: AttributeValue) -> Bool {
    let types = (TracestoreV2.AttributeType(of: left), TracestoreV2.AttributeType(of: right))
    if types.0 != types.1 { return types.0 < types.1 }
    func content(_ value: AttributeValue) -> [UInt8] {
      ContentHash.canonicalBytes(
        resource: Resource(attributes: [Attribute("", value)]), scope: InstrumentationScope(),
        span: SpanRecord(traceID: TraceID(high: 0, low: 0), spanID: SpanID(0)))
    }
    return content(left).lexicographicallyPrecedes(content(right))
  }

  /// Distinct values counted at most: a key of unique ids must not fill the memory of a listing.
  private static let maximumValueCount = 100_000

  /// Whole sources where nothing narrows the list, else the rows of the service in stripes that overlap the window.
  ///
  /// - Returns: what had to be left out.
  private func forEachSelection(
    _ service: String, _ minimum: Timestamp?, _ maximum: Timestamp?,
    whole: (any SpanSource, inout DamageReport) -> Void, rows: (any SpanStripe, RowMask, inout DamageReport) -> Void
  ) -> [String] {
    var damage = DamageReport()
    for source in snapshot.sources {
      if service.isEmpty, minimum == nil, maximum == nil {
        whole(source, &damage)
        continue
      }
      for stripe in source.stripes {
        if let minimum, stripe.bounds.maximumStart < minimum.nanoseconds { continue }
        if let maximum, stripe.bounds.minimumStart > maximum.nanoseconds { continue }
        let window = SpanLeaf.start(
          (minimum?.nanoseconds ?? 0)...max(minimum?.nanoseconds ?? 0, maximum?.nanoseconds ?? .max))
        var selected = RowMask(count: stripe.rowCount)
        damage.salvage(RowMask(count: stripe.rowCount, filled: true)) { part in
          var mask = part
          if minimum != nil || maximum != nil { try stripe.filter(&mask, by: window) }
          if !service.isEmpty { try SpanPredicate.leaf(.service(Array(service.utf8))).filter(&mask, in: stripe) }
          selected.formUnion(mask)
        }
        if !selected.isEmpty { rows(stripe, selected, &damage) }
      }
    }
    damage.add(snapshot.damage)
    return damage.messages
  }
}

extension ColumnLevel {
  var attributeLevel: TracestoreV2.AttributeLevel {
    switch self {
    case .span: .span
    case .event: .event
    case .link: .link
    case .resource: .resource
    case .scope: .scope
    }
  }
}

extension TraceBytes.AttributeType {
  var attributeType: TracestoreV2.AttributeType {
    switch self {
    case .absent, .empty: .empty
    case .string: .string
    case .bool: .bool
    case .int: .int
    case .double: .double
    case .bytes: .bytes
    case .array: .array
    case .map: .map
    case .opaque, .opaqueAttribute: .opaque
    }
  }
}
