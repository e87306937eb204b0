import TraceBytes
import TraceColumns
import TraceSource

extension StripeEncoder {
  /// Encodes a text chunk of the table's codes, unless all are empty.
  @inline(__always)
  func encodeText(_ id: UInt32, count: Int, _ code: (Int) -> UInt32) {
    let words = column.reserve(count)
    var bits: UInt32 = 0
    var index = 0
    while index < count {
      let code = code(index)
      words[index] = UInt64(code)
      bits |= code
      index &+= 1
    }
    if bits != 0 { encodeText(id, UnsafeMutableBufferPointer(start: words, count: count)) }
  }

  /// Encodes a text chunk of the table's codes, which are overwritten, unless all are empty.
  func encodeText(_ id: UInt32, _ codes: UnsafeMutableBufferPointer<UInt64>) {
    var bits: UInt64 = 0
    var index = 0
    while index < codes.count {
      bits |= codes[index]
      index &+= 1
    }
    if bits == 0 { return }
    encodeText(id, codes, isSearchable: ChunkID.searchableFixedTexts.contains(id), isAttribute: false)
  }

  /// Encodes a text chunk. `codes` are the table's and are overwritten.
  func encodeText(
    _ id: UInt32, _ codes: UnsafeMutableBufferPointer<UInt64>, isSearchable: Bool, isAttribute: Bool
  ) {
    let view = context.view
    var summary = TextSummary(chunk: id, valueCount: codes.count, form: .empty)
    var distinct: [UInt32] = []
    stamps.beginRound()
    var place = 0
    while place < codes.count {
      let code = UInt32(truncatingIfNeeded: codes[place])
      let (number, isNew) = stamps.number(code, next: UInt32(truncatingIfNeeded: distinct.count))
      if isNew { distinct.append(code) }
      codes[place] = UInt64(number)
      place &+= 1
    }
    if distinct.count == 1, view.bytes(distinct[0]).isEmpty {
      if isAttribute { result.summary.texts.append(summary) }
      return
    }
    let start = writer.count
    var local: [UInt32] = []
    for code in distinct where !context.strings.isShared(code) { local.append(code) }
    let plan = TextPlan(valueCount: codes.count, distinctCount: distinct.count, localCount: local.count)
    var columnBytes = ByteWriter()
    if plan.triesColumn {
      TextColumn.encode(
        count: codes.count, value: { view.bytes(distinct[Int(codes[$0])]) }, into: &columnBytes, scratch: scratch)
    }
    if plan.triesDictionary {
      encodeDictionary(codes, distinct, local: &local, summary: &summary)
      let byteCount = writer.count - start
      if plan.triesColumn, plan.prefersColumn(of: columnBytes.count, toDictionaryOf: byteCount) {
        writer.bytes.removeLast(byteCount)
        summary.shared = []
        summary.form = .empty
      }
    }
    if summary.form == .empty {
      summary.form = .column
      local = distinct
      TextChunkHead(form: .column, firstByteCount: columnBytes.count, secondByteCount: 0).encode(into: &writer)
      writer.append(columnBytes.bytes)
    }
    result.chunks.append(EncodedStripe.Chunk(id: id, range: start..<writer.count))
    summary.localDistinctCount = local.count
    if isSearchable, !local.isEmpty { appendFilter(local, isAttribute: isAttribute, &summary) }
    result.summary.texts.append(summary)
  }

  /// Appends the chunk with its indices into shared, then local strings. `codes` are places in `distinct`.
  private func encodeDictionary(
    _ codes: UnsafeMutableBufferPointer<UInt64>, _ distinct: [UInt32], local: inout [UInt32],
    summary: inout TextSummary
  ) {
    let view = context.view
    var shared: [UInt32] = []
    shared.reserveCapacity(distinct.count - local.count)
    for code in distinct where context.strings.isShared(code) { shared.append(code) }
    TextOrder.sort(&shared) { view.bytes($0) }
    TextOrder.sort(&local) { view.bytes($0) }
    for (index, code) in shared.enumerated() { stamps.set(code, UInt32(index)) }
    for (index, code) in local.enumerated() { stamps.set(code, UInt32(shared.count + index)) }
    let indices = sortedCodes.reserve(codes.count)
    distinct.withUnsafeBufferPointer { distinct in
      var place = 0
      while place < codes.count {
        indices[place] = UInt64(stamps[distinct[Int(codes[place])]])
        place &+= 1
      }
    }
    var body = ByteWriter()
    IntegerColumn.encode(
      UnsafeBufferPointer(start: indices, count: codes.count), cycle: UInt64(distinct.count), into: &body,
      scratch: scratch)
    let indicesByteCount = body.count
    let strings = local
    SortedTextList.encode(count: strings.count, text: { view.bytes(strings[$0]) }, into: &body, scratch: scratch)
    TextChunkHead(
      form: .dictionary, firstByteCount: indicesByteCount, secondByteCount: body.count - indicesByteCount
    ).encode(into: &writer)
    writer.append(body.bytes)
    summary.form = .dictionary
    summary.shared = shared
  }

  private func appendFilter(_ codes: [UInt32], isAttribute: Bool, _ summary: inout TextSummary) {
    var hashes: [UInt64] = []
    hashes.reserveCapacity(codes.count)
    for code in codes { hashes.append(FilterHash.hash(context.view.bytes(code))) }
    // Without a filter the stripe is read.
    if isAttribute { result.textHashes += hashes }
    guard let filter = FuseFilter(hashes, width: .eight) else { return }
    var bytes = ByteWriter()
    filter.encode(into: &bytes)
    summary.filterOffset = UInt32(result.filters.count)
    summary.filterByteCount = UInt32(bytes.count)
    result.filters.append(contentsOf: bytes.bytes)
  }
}

/// Which forms of a text chunk are worth encoding.
private struct TextPlan {
  let valueCount: Int
  let distinctCount: Int
  let localCount: Int

  /// Few distinct values, or values that other stripes have as well, so that their strings cost nothing here.
  var triesDictionary: Bool {
    distinctCount <= 16 || distinctCount * 4 <= valueCount
      || (localCount * 8 <= distinctCount && distinctCount * 2 <= valueCount)
  }

  /// A dictionary of few strings that are stored here costs little more than its indices: nothing beats that.
  var triesColumn: Bool { !triesDictionary || localCount > 256 || distinctCount > 4096 }

  /// Strings in the dictionary, or in a filter beside the column, cost a byte each in the index. A dictionary is
  /// searched without rendering anything, so that a column has to be clearly shorter.
  func prefersColumn(of columnByteCount: Int, toDictionaryOf dictionaryByteCount: Int) -> Bool {
    let dictionary = dictionaryByteCount + distinctCount
    let column = TextChunkHead.byteCount + columnByteCount + distinctCount * 9 / 8
    return column < dictionary - dictionary / 8
  }
}
