package import TraceBytes

extension TextColumn {
  /// Columns up to this count are encoded in every way to find the shortest; longer ones are judged by a sample.
  private static let maximumTrialCount = 4096
  private static let sampleRunCount = 8
  private static let sampleRunLength = 256

  /// Appends a column of `count` strings. The choice depends on the strings alone. The pointers that `value` gives
  /// must stay valid during the call.
  package static func encode(
    count: Int, value: (Int) -> UnsafeRawBufferPointer, into writer: inout ByteWriter, scratch: ColumnScratch
  ) {
    precondition(count <= maximumCount, "a text column holds at most \(maximumCount) strings")
    let encoded = encodeShortest(count: count, value: value, scratch: scratch)
    writer.append(encoded)
  }

  package static func encode(_ texts: [[UInt8]], into writer: inout ByteWriter, scratch: ColumnScratch) {
    TextArena(texts).withTexts { encode(count: texts.count, value: $0, into: &writer, scratch: scratch) }
  }

  /// What each encoding would take for these strings, cheapest first, by encoding them. For people.
  package static func estimates(
    count: Int, value: (Int) -> UnsafeRawBufferPointer, scratch: ColumnScratch
  ) -> [(name: String, byteCount: Int)] {
    var result: [(name: String, byteCount: Int)] = [
      (TextEncoding.raw.name, raw(count: count, value: value, scratch: scratch).count)
    ]
    if let distinct = DistinctTexts(count: count, value: value, maximumCount: count) {
      if let bytes = dictionary(distinct, count: count, scratch: scratch) {
        result.append((TextEncoding.dictionary.name, bytes.count))
      }
    }
    if let bytes = template(count: count, value: value, scratch: scratch) {
      result.append((TextEncoding.template.name, bytes.count))
    }
    return result.sorted { $0.byteCount != $1.byteCount ? $0.byteCount < $1.byteCount : $0.name < $1.name }
  }

  private static func encodeShortest(
    count: Int, value: (Int) -> UnsafeRawBufferPointer, scratch: ColumnScratch
  ) -> [UInt8] {
    guard count > 0 else { return raw(count: 0, value: value, scratch: scratch) }
    var best: [UInt8]?
    let isTrial = count <= maximumTrialCount
    let rows = isTrial ? [] : sampleRows(count)
    // Where nearly every string of the sample is new, the whole is not worth a table.
    let isRepetitive =
      isTrial || DistinctTexts(count: rows.count, value: { value(rows[$0]) }, maximumCount: rows.count * 63 / 64) != nil
    if isRepetitive,
      let distinct = DistinctTexts(count: count, value: value, maximumCount: isTrial ? count * 3 / 4 + 1 : count / 2)
    {
      best = dictionary(distinct, count: count, scratch: scratch)
      // About a bit a string: nothing else comes near.
      if let best, best.count <= count / 8 + 64 { return best }
    }
    guard !isTrial else {
      let candidates = [
        best, template(count: count, value: value, scratch: scratch), raw(count: count, value: value, scratch: scratch),
      ]
      var shortest: [UInt8] = []
      for case let candidate? in candidates where shortest.isEmpty || candidate.count < shortest.count {
        shortest = candidate
      }
      return shortest
    }
    func scaled(_ byteCount: Int) -> Int { byteCount * count / rows.count }
    let sampledRaw = scaled(raw(count: rows.count, value: { value(rows[$0]) }, scratch: scratch).count)
    let sampledTemplate = template(count: rows.count, value: { value(rows[$0]) }, scratch: scratch)
      .map { scaled($0.count) }
    if let best, best.count <= min(sampledRaw, sampledTemplate ?? .max) { return best }
    if let sampledTemplate, sampledTemplate < sampledRaw,
      let encoded = template(count: count, value: value, scratch: scratch)
    {
      if let best, best.count <= encoded.count { return best }
      return encoded
    }
    return raw(count: count, value: value, scratch: scratch)
  }

  /// Runs of neighbours, evenly spread: neighbours are alike in sorted columns, and blocks compress them together.
  private static func sampleRows(_ count: Int) -> [Int] {
    let stride = (count - sampleRunLength) / (sampleRunCount - 1)
    return (0..<sampleRunCount).flatMap { ($0 * stride)..<($0 * stride + sampleRunLength) }
  }

  private static func open(_ encoding: TextEncoding, count: Int) -> ByteWriter {
    var writer = ByteWriter()
    writer.append(encoding.rawValue)
    writer.appendVarint(count)
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    return writer
  }

  static func raw(count: Int, value: (Int) -> UnsafeRawBufferPointer, scratch: ColumnScratch) -> [UInt8] {
    var writer = open(.raw, count: count)
    RawText.encode(count: count, value: value, into: &writer, scratch: scratch)
    return writer.bytes
  }

  private static func dictionary(_ distinct: DistinctTexts, count: Int, scratch: ColumnScratch) -> [UInt8]? {
    guard distinct.byteCount <= DictionaryText.maximumByteCount else { return nil }
    var writer = open(.dictionary, count: count)
    DictionaryText.encode(distinct, into: &writer, scratch: scratch)
    return writer.bytes
  }

  private static func template(
    count: Int, value: (Int) -> UnsafeRawBufferPointer, scratch: ColumnScratch
  ) -> [UInt8]? {
    guard let plan = TemplatePlan(count: count, value: value) else { return nil }
    var writer = open(.template, count: count)
    TemplateText.encode(plan, value: value, into: &writer, scratch: scratch)
    return writer.bytes
  }
}
