import TraceBytes
import TraceColumns
package import TraceModel

/// The values of a column of a stripe, decoded, and what they take as they stand.
package struct ColumnContent {
  package enum Values {
    /// Below `cycle`, unless that is 0; for each page of 1,024 what it takes.
    case integers([UInt64], cycle: UInt64, pageByteCounts: [Int])
    /// The bits of doubles.
    case doubles([UInt64])
    /// Texts side by side, and where each ends.
    case texts(bytes: [UInt8], ends: [Int])
    /// Texts whose bytes are more than were asked for.
    case longTexts
  }

  /// As in `SegmentPartSize`; the indices of a dictionary are called after their column.
  package var name: String
  package var valueCount: Int
  package var byteCount: Int
  package var values: Values
}

extension SegmentStripe {
  /// Hands every column of the stripe that has pages to `body`, a dictionary first as its texts and then as its indices.
  /// Goes on past damaged columns, which it returns.
  package func forEachColumn(
    maximumTextByteCount: Int, _ body: (ColumnContent) throws -> Void
  ) throws -> [TracestoreError] {
    var damages: [TracestoreError] = []
    try reading(isWhole: true) { loaded, scratch in
      let strings = try core.strings()
      for chunk in loaded.head.chunks {
        var contents: [ColumnContent] = []
        do {
          contents = try loaded.contents(chunk, strings, maximumTextByteCount: maximumTextByteCount, scratch)
        } catch {
          let place = loaded.place(chunk.id)
          damages.append(error as? TracestoreError ?? place.damage("\(error)", cause: error))
        }
        for content in contents { try body(content) }
      }
    }
    return damages
  }
}

extension LoadedStripe {
  fileprivate func contents(
    _ chunk: ChunkEntry, _ strings: StringTable, maximumTextByteCount: Int, _ scratch: ReadScratch
  ) throws -> [ColumnContent] {
    guard let bytes = try chunkBytes(chunk.id)?.bytes else { return [] }
    let name = catalogue.columnName(chunk.id)
    let place = place(chunk.id)
    return try place.naming {
      switch form(chunk.id) {
      case .shapes: return []
      case .integers: return [try integers(bytes, name, cycle: 0)]
      case .doubles:
        let head = try DoubleChunkHead(bytes, at: place.fileOffset)
        let values = UnsafeRawBufferPointer(
          rebasing: bytes[DoubleChunkHead.byteCount..<(DoubleChunkHead.byteCount + head.valuesByteCount)])
        let count = try IntegerColumn(values).count
        var words: [UInt64] = []
        words.reserveCapacity(count)
        try doubles(chunk.id, count: count).forEachValue(in: 0..<count, scratch) { words.append($1) }
        return [ColumnContent(name: name, valueCount: count, byteCount: bytes.count, values: .doubles(words))]
      case .text:
        let count = summary.text(chunk.id)?.valueCount ?? 0
        let codes = try text(chunk.id, count: count, scratch).codes(scratch)
        var content = ColumnContent(name: name, valueCount: count, byteCount: bytes.count, values: .longTexts)
        content.values = try codes.texts(strings, maximumByteCount: maximumTextByteCount)
        guard case .dictionary(_, let shared, let local) = codes else { return [content] }
        let head = try TextChunkHead(bytes, at: place.fileOffset)
        let first = UnsafeRawBufferPointer(rebasing: bytes[TextChunkHead.byteCount...].prefix(head.firstByteCount))
        return [content, try integers(first, name + " indices", cycle: UInt64(shared.count + local.count))]
      }
    }
  }

  private func integers(_ bytes: UnsafeRawBufferPointer, _ name: String, cycle: UInt64) throws -> ColumnContent {
    let column = try IntegerColumn(bytes)
    var pageByteCounts: [Int] = []
    for page in 0..<column.pageCount { pageByteCounts.append(try column.page(at: page).byteCount) }
    return ColumnContent(
      name: name, valueCount: column.count, byteCount: bytes.count,
      values: .integers(try column.decodeAll(), cycle: cycle, pageByteCounts: pageByteCounts))
  }
}

extension TextCodes {
  /// The texts themselves, unless they are too many bytes: a long text may stand in a dictionary once and in the rows
  /// a million times.
  fileprivate func texts(_ strings: StringTable, maximumByteCount: Int) throws -> ColumnContent.Values {
    switch self {
    case .empty: return .longTexts
    case .column(let bytes, let ends):
      return bytes.count <= maximumByteCount ? .texts(bytes: bytes, ends: ends) : .longTexts
    case .dictionary(let entries, let shared, let local):
      var distinct: [[UInt8]] = []
      for code in shared { distinct.append(try strings.withBytes(code) { $0.array }) }
      for index in 0..<local.count { distinct.append(local.withText(index) { $0.array }) }
      var byteCount = 0
      for entry in entries {
        byteCount += distinct[Int(entry)].count
        if byteCount > maximumByteCount { return .longTexts }
      }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(byteCount)
      var ends: [Int] = []
      ends.reserveCapacity(entries.count)
      for entry in entries {
        bytes += distinct[Int(entry)]
        ends.append(bytes.count)
      }
      return .texts(bytes: bytes, ends: ends)
    }
  }
}
