import TraceBytes
package import TraceColumns
import TraceModel
package import TraceSource

// The texts that rows are grouped by, from tables and columns. Only rows with several values of a key, whose order a
// column does not tell, are materialised.
extension SegmentStripe {
  package func texts(of key: [UInt8], _ levels: [ColumnLevel], in mask: RowMask) throws -> RowTexts {
    try check(mask)
    var result = RowTexts(rowCount: rowCount)
    var open = mask
    for level in levels where !open.isEmpty {
      switch level {
      case .resource, .scope: try takeEnvelopeTexts(of: key, level, &open, &result)
      case .span: try takeSpanTexts(of: key, &open, &result)
      case .event, .link: try takeRecordTexts(of: key, level, in: open, &open, &result)
      }
    }
    return result
  }

  /// Clears the rows of `open` whose record has the key at a level.
  private func takeRecordTexts(
    of key: [UInt8], _ level: ColumnLevel, in mask: RowMask, _ open: inout RowMask, _ result: inout RowTexts
  ) throws {
    var wanted = mask
    if level == .event || level == .link {
      // Most rows have no such element.
      try filter(&wanted, by: .attribute(level: level, key: key, .present))
    }
    try wanted.forEachBatch { rows in
      for (row, record) in zip(rows, try records(rows)) {
        guard let value = record.firstValue(of: key, level) else { continue }
        result.set(result.code(of: Array(value.text.utf8)), row: row)
        open.clear(row)
      }
    }
  }

  /// A resource or scope has one text for all its rows.
  private func takeEnvelopeTexts(
    of key: [UInt8], _ level: ColumnLevel, _ open: inout RowMask, _ result: inout RowTexts
  ) throws {
    try reading { loaded, scratch in
      let isResource = level == .resource
      let list = try isResource ? loaded.resourceList(scratch) : loaded.scopeList(scratch)
      let codes = try list.map { index -> UInt32? in
        let attributes =
          try isResource
          ? core.resources().value(at: Int(index)).attributes : core.scopes().value(at: Int(index)).attributes
        // Most keys are of another length.
        return attributes.first { $0.key.utf8.count == key.count && $0.key.utf8.elementsEqual(key) }.map {
          result.code(of: Array($0.value.text.utf8))
        }
      }
      if codes.allSatisfy({ $0 == nil }) { return }
      let id = isResource ? ChunkID.resource : ChunkID.scope
      let places = try loaded.integers(id, count: rowCount)
        .decodeCodes(maximum: UInt64(max(1, codes.count)) - 1, scratch)
      for row in open.rows {
        guard let code = codes[Int(places[row])] else { continue }
        result.set(code, row: row)
        open.clear(row)
      }
    }
  }

  private func takeSpanTexts(of key: [UInt8], _ open: inout RowMask, _ result: inout RowTexts) throws {
    // Rows with a value, and those with more than one.
    var single = RowMask(count: rowCount)
    var several = RowMask(count: rowCount)
    try reading { loaded, scratch in
      for entry in try core.keyEntries(level: .span, key: key) {
        let map = try loaded.shapeMap(.span, scratch)
        let prefix = try loaded.prefix(of: UInt32(entry), in: map)
        let count = Int(prefix[prefix.count - 1])
        if count == 0 { continue }
        let codes = try loaded.codes(of: entry, count: count, core.strings(), &result, scratch)
        var cursor = DenseCursor(map: map, prefix: prefix, entry: UInt32(entry))
        for index in 0..<count {
          guard let row = cursor.element(of: index), open[row] else { continue }
          if single[row] || codes == nil { several.set(row) }
          single.set(row)
          if let codes { result.set(codes[index], row: row) }
        }
      }
    }
    open.subtract(single)
    var rest = several
    try takeRecordTexts(of: key, .span, in: several, &rest, &result)
  }
}

extension LoadedStripe {
  /// The code of the text of each value of a key; nil when only records tell.
  fileprivate func codes(
    of entry: Int, count: Int, _ strings: StringTable, _ result: inout RowTexts, _ scratch: ReadScratch
  ) throws -> [UInt32]? {
    let type = catalogue[entry].type
    let id = ChunkID.attribute(UInt32(entry))
    func wordCodes(_ words: [UInt64], _ value: (UInt64) -> AttributeValue) -> [UInt32] {
      var known: [UInt64: UInt32] = [:]
      return words.map { word in
        if let code = known[word] { return code }
        let code = result.code(of: Array(value(word).text.utf8))
        known[word] = code
        return code
      }
    }
    switch type {
    case .absent, .empty: return [UInt32](repeating: 0, count: count)
    case .bool: return wordCodes(try integers(id, count: count).decodeAll()) { .bool($0 != 0) }
    case .int:
      return wordCodes(try integers(id, count: count).decodeAll()) { .int(Int64(bitPattern: NumberOrder.int($0))) }
    case .double:
      var words: [UInt64] = []
      words.reserveCapacity(count)
      try doubles(id, count: count).forEachValue(in: 0..<count, scratch) { _, bits in words.append(bits) }
      return wordCodes(words) { .double(Double(bitPattern: $0)) }
    case .string: return try textCodes(text(id, count: count, scratch).codes(scratch), count: count, strings, &result)
    case .bytes, .array, .map, .opaque, .opaqueAttribute: return nil
    }
  }

  private func textCodes(
    _ texts: TextCodes, count: Int, _ strings: StringTable, _ result: inout RowTexts
  ) throws -> [UInt32] {
    switch texts {
    case .empty: return [UInt32](repeating: 0, count: count)
    case .dictionary(let entries, let shared, let local):
      var codes: [UInt32] = []
      for code in shared { codes.append(result.code(of: try strings.withBytes(code) { Array($0) })) }
      for index in 0..<local.count { codes.append(result.code(of: local.withText(index) { Array($0) })) }
      return entries.map { codes[Int($0)] }
    case .column(let bytes, let ends):
      var start = 0
      return ends.map { end in
        defer { start = end }
        return result.code(of: Array(bytes[start..<end]))
      }
    }
  }
}
