import TraceBytes
package import TraceColumns
package import TraceModel
package import TraceSource

// What exists in a segment: services, operations, keys, values.
extension Segment {
  package func forEachService(_ body: (_ name: String, _ spanCount: Int) -> Void) throws {
    let (operations, strings) = (try core.operations(), try core.strings())
    var counts: [(name: String, spanCount: Int)] = []
    var previous: UInt32?
    for index in 0..<operations.count {
      // Ascending by service: equal ones stand side by side.
      if operations.services[index] != previous {
        counts.append((try strings.string(operations.services[index]), 0))
        previous = operations.services[index]
      }
      counts[counts.count - 1].spanCount += Int(operations.spanCounts[index])
    }
    for service in try partialServices() { counts.append((service.name, service.count)) }
    for (name, spanCount) in counts { body(name, spanCount) }
  }

  package func forEachOperation(
    service: String?, _ body: (_ name: String, _ kind: SpanKind, _ spanCount: Int) -> Void
  ) throws {
    let (operations, strings) = (try core.operations(), try core.strings())
    let wanted = service.map { strings.code(of: Array($0.utf8)) }
    var found: [(name: String, kind: SpanKind, spanCount: Int)] = []
    for index in 0..<operations.count {
      if let wanted, wanted != operations.services[index] { continue }
      found.append(
        (
          try strings.string(operations.names[index]), SpanKind(rawValue: operations.kinds[index]),
          Int(operations.spanCounts[index])
        ))
    }
    for operation in try partialOperations() {
      if let service, !operation.service.utf8.elementsEqual(service.utf8) { continue }
      found.append((operation.name, operation.kind, operation.count))
    }
    for (name, kind, spanCount) in found { body(name, kind, spanCount) }
  }

  package func forEachAttributeKey(_ body: (AttributeKeyCount) -> Void) throws {
    let keys = try core.keys()
    if let partial = try partialStripe() {
      try partial.forEachAttributeKey(in: RowMask(count: partial.rowCount, filled: true), body)
    }
    for entry in keys.entries where entry.valueCount > 0 && entry.level != .resource && entry.level != .scope {
      body(
        AttributeKeyCount(
          key: entry.text, level: entry.level, type: entry.type.rawValue, valueCount: Int(entry.valueCount)))
    }
  }

  package func forEachEnvelope(_ body: (SpanEnvelope) -> Void) throws {
    let resources = try core.resources()
    for index in 0..<resources.count where resources.spanCounts[index] > 0 { body(try resources.envelope(at: index)) }
    let scopes = try core.scopes()
    for index in 0..<scopes.count where scopes.spanCounts[index] > 0 { body(try scopes.envelope(at: index)) }
    if let partial = try partialStripe() {
      try partial.forEachEnvelope(in: RowMask(count: partial.rowCount, filled: true), body)
    }
  }

  /// Of all partial records.
  func partialServices() throws -> [(name: String, count: Int)] {
    guard let partial = try partialStripe() else { return [] }
    return try partial.services(Array(0..<partial.rowCount))
  }

  /// Of all partial records.
  func partialOperations() throws -> [OperationCount] {
    guard let partial = try partialStripe() else { return [] }
    return try partial.operations(Array(0..<partial.rowCount))
  }

  package func forEachAttributeValue(
    key: String, level: ColumnLevel?, limit: Int, _ body: (_ value: AttributeValue, _ count: Int) -> Void
  ) throws -> Bool {
    var tally = ValueTally(limit: limit)
    let bytes = Array(key.utf8)
    for current in ColumnLevel.allCases {
      if let level, level != current { continue }
      switch current {
      case .resource:
        let resources = try core.resources()
        for index in 0..<resources.count where resources.spanCounts[index] > 0 {
          tally.add(try resources.value(at: index).attributes, bytes)
        }
      case .scope:
        let scopes = try core.scopes()
        for index in 0..<scopes.count where scopes.spanCounts[index] > 0 {
          tally.add(try scopes.value(at: index).attributes, bytes)
        }
      case .span, .event, .link:
        for entry in try core.keyEntries(level: current, key: bytes) {
          for stripe in try spanStripes() { try stripe.tallyValues(of: entry, into: &tally) }
        }
      }
    }
    if let partial = try partialStripe() {
      try partial.forEachRecord(Array(0..<partial.rowCount)) { tally.add($1, bytes, level) }
    }
    for (value, count) in tally.values { body(value, count) }
    return tally.hasMore
  }
}

/// Distinct values with their counts, at most `limit` of them, in the order they were met.
struct ValueTally {
  private let limit: Int
  private var indices: [AttributeValue: Int] = [:]
  private(set) var values: [(value: AttributeValue, count: Int)] = []
  /// True when a value was met that has no place.
  private(set) var hasMore = false

  init(limit: Int) { self.limit = limit }

  mutating func add(_ value: AttributeValue, count: Int) {
    if let index = indices[value] {
      values[index].count += count
    } else if values.count < limit {
      indices[value] = values.count
      values.append((value, count))
    } else {
      hasMore = true
    }
  }

  /// The values of a key in a list of attributes.
  mutating func add(_ attributes: [Attribute], _ key: [UInt8]) {
    for attribute in attributes where attribute.key.utf8.elementsEqual(key) { add(attribute.value, count: 1) }
  }

  /// The values of a key in a record, at one level or all.
  mutating func add(_ record: SourceSpan, _ key: [UInt8], _ level: ColumnLevel?) {
    for current in ColumnLevel.allCases {
      if let level, level != current { continue }
      switch current {
      case .span: add(record.span.attributes, key)
      case .event: for event in record.span.events { add(event.attributes, key) }
      case .link: for link in record.span.links { add(link.attributes, key) }
      case .resource: add(record.resource.attributes, key)
      case .scope: add(record.scope.attributes, key)
      }
    }
  }
}

extension SegmentStripe {
  package func forEachAttributeValue(
    key: [UInt8], _ levels: [ColumnLevel], in mask: RowMask, limit: Int,
    _ body: (_ value: AttributeValue, _ count: Int) -> Void
  ) throws -> Bool {
    try check(mask)
    var tally = ValueTally(limit: limit)
    for level in levels {
      for entry in try core.keyEntries(level: level, key: key) { try tallyValues(of: entry, in: mask, into: &tally) }
    }
    for (value, count) in tally.values { body(value, count) }
    return tally.hasMore
  }

  /// Counts the values of a catalogue entry in this stripe.
  ///
  /// - Parameter mask: only values of these rows; nil counts all, which need not look for their rows. Pages of the
  ///   column that hold none of them, and stand before or behind all of them, are not read.
  func tallyValues(of entry: Int, in mask: RowMask? = nil, into tally: inout ValueTally) throws {
    let key = try core.keys()[entry]
    let id = ChunkID.attribute(UInt32(entry))
    guard let valueCount = summary.number(id)?.valueCount ?? summary.text(id)?.valueCount else { return }
    try reading { loaded, scratch in
      let isWanted = try mask.map { try loaded.ownerTest(of: entry, key.level, in: $0, scratch) }
      let range = try mask.map { try loaded.values(of: entry, key.level, around: $0, scratch) } ?? 0..<valueCount
      if range.isEmpty { return }
      switch key.type {
      case .absent, .empty:
        let count = isWanted.map { isWanted in range.count(where: isWanted) } ?? valueCount
        if count > 0 { tally.add(key.type == .empty ? .empty : .absent, count: count) }
      case .bool, .int, .double:
        var counts: [UInt64: Int] = [:]
        var order: [UInt64] = []
        func count(_ index: Int, _ bits: UInt64) {
          if isWanted?(index) == false { return }
          if counts.updateValue(counts[bits, default: 0] + 1, forKey: bits) == nil { order.append(bits) }
        }
        if key.type == .double {
          try loaded.doubles(id, count: valueCount).forEachValue(in: range, scratch, count)
        } else {
          let flip: UInt64 = key.type == .int ? 1 << 63 : 0
          try loaded.integers(id, count: valueCount).forEachPage(in: range, scratch) { first, values in
            for index in 0..<values.count { count(first + index, values[index] ^ flip) }
          }
        }
        for bits in order { tally.add(Self.value(key.type, bits), count: counts[bits, default: 0]) }
      default:
        let place = loaded.place(id)
        try loaded.text(id, count: valueCount, scratch)
          .forEachDistinct(in: range, where: isWanted, try core.strings(), scratch) { bytes, count in
            tally.add(try AttributeDecoding.value(key.type, bytes, place), count: count)
          }
      }
    }
  }

  private static func value(_ type: AttributeType, _ bits: UInt64) -> AttributeValue {
    switch type {
    case .bool: .bool(bits != 0)
    case .int: .int(Int64(bitPattern: bits))
    default: .double(Double(bitPattern: bits))
    }
  }

  package func forEachAttributeKey(in mask: RowMask, _ body: (AttributeKeyCount) -> Void) throws {
    try check(mask)
    guard !mask.isEmpty else { return }
    var found: [AttributeKeyCount] = []
    try reading { loaded, scratch in
      let keys = loaded.catalogue
      var counts = [Int](repeating: 0, count: keys.count)
      for level in [ColumnLevel.span, .event, .link] where loaded.elementCount(level) > 0 {
        let offsets: [UInt32]? =
          switch level {
          case .event: try loaded.eventOffsets(scratch)
          case .link: try loaded.linkOffsets(scratch)
          default: nil
          }
        let map = try loaded.shapeMap(level, scratch)
        var shapeCounts = [Int](repeating: 0, count: map.shapes.count)
        mask.forEachSet { row in
          if let offsets {
            for element in Int(offsets[row])..<Int(offsets[row + 1]) { shapeCounts[Int(map.codes[element])] += 1 }
          } else {
            shapeCounts[Int(map.codes[row])] += 1
          }
        }
        for (shape, count) in shapeCounts.enumerated() where count > 0 {
          for entry in map.shapes.entries(shape) { counts[Int(entry)] += count }
        }
      }
      for (entry, count) in counts.enumerated() where count > 0 {
        let key = keys[entry]
        found.append(AttributeKeyCount(key: key.text, level: key.level, type: key.type.rawValue, valueCount: count))
      }
    }
    for count in found { body(count) }
  }

  package func forEachEnvelope(in mask: RowMask, _ body: (SpanEnvelope) -> Void) throws {
    try check(mask)
    guard !mask.isEmpty else { return }
    var found: [SpanEnvelope] = []
    try reading { loaded, scratch in
      let rows = mask.rows
      try tallyList(loaded, ChunkID.resource, try loaded.resourceList(scratch), rows) { index, _ in
        found.append(try core.resources().envelope(at: index))
      }
      try tallyList(loaded, ChunkID.scope, try loaded.scopeList(scratch), rows) { index, _ in
        found.append(try core.scopes().envelope(at: index))
      }
    }
    for envelope in found { body(envelope) }
  }

  /// Calls `body` with each table index that the rows name, and how many rows do.
  private func tallyList(
    _ loaded: LoadedStripe, _ id: UInt32, _ list: [UInt32], _ rows: [Int], _ body: (Int, Int) throws -> Void
  ) throws {
    var counts = [Int](repeating: 0, count: list.count)
    for index in try loaded.integers(id, count: rowCount).gather(rows) {
      guard index < UInt64(counts.count) else {
        throw loaded.place(id).damage("a row names entry \(index) of \(counts.count)")
      }
      counts[Int(index)] += 1
    }
    for (place, count) in counts.enumerated() where count > 0 { try body(Int(list[place]), count) }
  }
}

extension LoadedStripe {
  /// Where the values of a catalogue entry stand that rows of a mask may have.
  fileprivate func values(
    of entry: Int, _ level: ColumnLevel, around mask: RowMask, _ scratch: ReadScratch
  ) throws -> Range<Int> {
    guard let first = mask.firstSet(), let last = mask.lastSet else { return 0..<0 }
    var elements = first..<(last + 1)
    if level == .event || level == .link {
      guard let offsets = try level == .event ? eventOffsets(scratch) : linkOffsets(scratch) else { return 0..<0 }
      elements = Int(offsets[first])..<Int(offsets[last + 1])
    }
    if elements.isEmpty { return 0..<0 }
    let prefix = try prefix(of: UInt32(entry), in: try shapeMap(level, scratch))
    let end = Int(prefix[((elements.upperBound - 1) >> ShapeMap.blockShift) + 1])
    return Int(prefix[elements.lowerBound >> ShapeMap.blockShift])..<end
  }

  /// Tells of the values of a catalogue entry, which are asked for in order, whether a row of the mask has them.
  fileprivate func ownerTest(
    of entry: Int, _ level: ColumnLevel, in mask: RowMask, _ scratch: ReadScratch
  ) throws -> (Int) -> Bool {
    let map = try shapeMap(level, scratch)
    let code = UInt32(entry)
    var cursor = DenseCursor(map: map, prefix: try prefix(of: code, in: map), entry: code)
    switch level {
    case .event, .link:
      guard let offsets = try level == .event ? eventOffsets(scratch) : linkOffsets(scratch) else {
        return { _ in false }
      }
      let owners = ElementOwners(offsets)
      var row = 0
      return { index in
        guard let element = cursor.element(of: index) else { return false }
        row = owners.owner(of: element, from: row)
        return mask[row]
      }
    default: return { index in cursor.element(of: index).map { mask[$0] } ?? false }
    }
  }
}
