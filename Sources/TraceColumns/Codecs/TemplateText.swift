import TraceBytes

/// Strings as templates and numbers.
///
/// Templates (`SortedTextList`; see `TextTokenizer` for the marks), the template of each row (`IntegerColumn`; the
/// template count stands for "none"), ranks (`IntegerColumn`: for each template and then "none", for each page of
/// 1,024 rows but the first, how many rows before that page have it), byte counts of the slot columns
/// (`IntegerColumn`), a raw `TextColumn` of the strings without a template in row order, and the slot columns
/// (`IntegerColumn`): for each template, for each of its slots, the numbers in row order.
struct TemplateText {
  let count: Int
  let isVerifying: Bool
  let ids: IntegerColumn
  let others: RawText
  /// The templates, decoded when the column is opened.
  let templates: TextArena
  /// The first slot column of each template, and the count of all at the end.
  let firstSlots: [Int]
  private let ranks: IntegerColumn
  private let slotEnds: [Int]
  private let slotBytes: UnsafeRawBufferPointer

  static func encode(
    _ plan: TemplatePlan, value: (Int) -> UnsafeRawBufferPointer, into writer: inout ByteWriter, scratch: ColumnScratch
  ) {
    SortedTextList.encode(plan.templates, into: &writer, scratch: scratch)
    IntegerColumn.encode(plan.rows, into: &writer, scratch: scratch)
    IntegerColumn.encode(ranks(plan.rows, templateCount: plan.templates.count), into: &writer, scratch: scratch)
    var columns = ByteWriter()
    var byteCounts: [UInt64] = []
    for slot in plan.slots {
      let start = columns.count
      IntegerColumn.encode(slot, into: &columns, scratch: scratch)
      byteCounts.append(UInt64(columns.count - start))
    }
    IntegerColumn.encode(byteCounts, into: &writer, scratch: scratch)
    writer.append(
      TextColumn.raw(count: plan.otherRows.count, value: { value(plan.otherRows[$0]) }, scratch: scratch))
    writer.append(columns.bytes)
  }

  private static func ranks(_ rows: [UInt64], templateCount: Int) -> [UInt64] {
    let laterPageCount = max(0, (rows.count - 1) / IntegerPage.maximumCount)
    guard laterPageCount > 0 else { return [] }
    var ranks = [UInt64](repeating: 0, count: (templateCount + 1) * laterPageCount)
    var counts = [UInt64](repeating: 0, count: templateCount + 1)
    for (row, id) in rows.enumerated() {
      if row > 0, row % IntegerPage.maximumCount == 0 {
        let page = row / IntegerPage.maximumCount - 1
        for template in 0...templateCount { ranks[template * laterPageCount + page] = counts[template] }
      }
      counts[Int(id)] += 1
    }
    return ranks
  }

  init(_ reader: inout ByteReader, count: Int, verifying: Bool, scratch: ColumnScratch) throws(BytesError) {
    self.count = count
    isVerifying = verifying
    let list = try reader.readTextList(verifying: verifying)
    guard list.count > 0, list.count <= TemplatePlan.maximumCount else {
      throw BytesError(offset: reader.offset, reason: "a template column has \(list.count) templates")
    }
    var templates = TextArena()
    var firstSlots = [0]
    try list.forEach(scratch: scratch) { _, template throws(BytesError) in
      guard template.count <= 2 * TextTokenizer.maximumByteCount, let slotCount = TextTemplate.slotCount(template)
      else {
        throw BytesError(offset: 0, reason: "a template column has a template that is none")
      }
      templates.append(template)
      firstSlots.append((firstSlots.last ?? 0) + slotCount)
    }
    self.templates = templates
    self.firstSlots = firstSlots
    ids = try reader.readIntegerColumn(verifying: verifying)
    ranks = try reader.readIntegerColumn(verifying: verifying)
    let byteCounts = try reader.readIntegerColumn(verifying: verifying)
    let (encoding, otherCount) = try TextColumn.readHead(&reader, verifying: verifying)
    guard encoding == .raw else {
      throw BytesError(offset: reader.offset, reason: "the strings without a template are not raw")
    }
    others = try RawText(&reader, count: otherCount, verifying: verifying)
    guard ids.count == count, ranks.count == (templates.count + 1) * (ids.pageCount - 1),
      byteCounts.count == firstSlots.last
    else { throw BytesError(offset: reader.offset, reason: "the parts of a template column disagree about its count") }
    var slotEnds: [Int] = []
    var end = 0
    for byteCount in try byteCounts.decodeAll() {
      guard byteCount <= UInt64(reader.remaining), end + Int(byteCount) <= reader.remaining else {
        throw BytesError(offset: reader.offset, reason: "the slots of a template column reach beyond it")
      }
      end += Int(byteCount)
      slotEnds.append(end)
    }
    self.slotEnds = slotEnds
    slotBytes = try reader.readBytes(end)
  }

  /// Opens slot column `slot`, counted over all templates.
  func slotColumn(_ slot: Int) throws(BytesError) -> IntegerColumn {
    let start = slot == 0 ? 0 : slotEnds[slot - 1]
    return try IntegerColumn(
      UnsafeRawBufferPointer(rebasing: slotBytes[start..<slotEnds[slot]]), verifying: isVerifying)
  }

  /// How many rows before page `page` have template `id`.
  private func rank(of id: Int, beforePage page: Int) throws(BytesError) -> Int {
    guard page > 0 else { return 0 }
    let rank = try ranks.value(at: id * (ids.pageCount - 1) + page - 1)
    guard rank <= UInt64(count) else { throw Self.disagreement }
    return Int(rank)
  }

  static var disagreement: BytesError {
    BytesError(offset: 0, reason: "the parts of a template column disagree about its rows")
  }

  /// The template of a row and how many rows before it have the same one.
  ///
  /// - Parameter ids: of the row's page.
  private func place(
    of row: Int, _ ids: UnsafeMutableBufferPointer<UInt64>
  ) throws(BytesError) -> (id: Int, rank: Int) {
    let place = row % IntegerPage.maximumCount
    let id = ids[place]
    guard id <= UInt64(templates.count) else { throw Self.disagreement }
    var rank = 0
    var index = 0
    while index < place {
      rank &+= ids[index] == id ? 1 : 0
      index &+= 1
    }
    return (Int(id), rank + (try self.rank(of: Int(id), beforePage: row / IntegerPage.maximumCount)))
  }

  func withValue<Result>(
    at row: Int, scratch: ColumnScratch, _ body: (UnsafeRawBufferPointer) throws(BytesError) -> Result
  ) throws(BytesError) -> Result {
    let place = try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: IntegerPage.maximumCount) {
      buffer throws(BytesError) in
      try ids.decodePage(row / IntegerPage.maximumCount, into: buffer)
      return try self.place(of: row, buffer)
    }
    return try withValue(of: place.id, at: place.rank, scratch: scratch, body)
  }

  /// Hands the strings of ascending rows to `body` with their place in `rows`. Opens each page of ids once.
  func gather(
    _ rows: [Int], scratch: ColumnScratch, _ body: (Int, UnsafeRawBufferPointer) throws(BytesError) -> Void
  ) throws(BytesError) {
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: IntegerPage.maximumCount) {
      buffer throws(BytesError) in
      var decoded = -1
      for (place, row) in rows.enumerated() {
        let page = row / IntegerPage.maximumCount
        if page != decoded {
          try ids.decodePage(page, into: buffer)
          decoded = page
        }
        let (id, rank) = try self.place(of: row, buffer)
        try withValue(of: id, at: rank, scratch: scratch) { text throws(BytesError) in try body(place, text) }
      }
    }
  }

  /// Hands a string to `body`, by its template and its rank among the strings that have it.
  private func withValue<Result>(
    of id: Int, at rank: Int, scratch: ColumnScratch, _ body: (UnsafeRawBufferPointer) throws(BytesError) -> Result
  ) throws(BytesError) -> Result {
    guard id < templates.count else {
      guard rank < others.count else { throw Self.disagreement }
      return try others.withValue(at: rank, scratch: scratch, body)
    }
    let slots = firstSlots[id]..<firstSlots[id + 1]
    // At least one, so that there is an address.
    return try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: slots.count + 1) {
      numbers throws(BytesError) in
      for slot in slots {
        let column = try slotColumn(slot)
        guard rank < column.count else { throw Self.disagreement }
        numbers[slot - slots.lowerBound] = try column.value(at: rank)
      }
      return try templates.withTexts { template throws(BytesError) in
        try Self.withRendered(template(id), UnsafeBufferPointer(numbers), body)
      }
    }
  }

  private static func withRendered<Result>(
    _ template: UnsafeRawBufferPointer, _ slots: UnsafeBufferPointer<UInt64>,
    _ body: (UnsafeRawBufferPointer) throws(BytesError) -> Result
  ) throws(BytesError) -> Result {
    let capacity = TextTemplate.maximumRenderedByteCount(template)
    return try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity + 1) { text throws(BytesError) in
      guard let base = text.baseAddress else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
      let byteCount = TextTemplate.render(template, slots: slots, into: base)
      return try body(UnsafeRawBufferPointer(start: base, count: byteCount))
    }
  }

  func describe() -> [String] {
    var lines = ["\(templates.count) templates, \(others.count) strings without"]
    templates.withTexts { template in
      for id in 0..<templates.count {
        let shown = template(id).map { byte in
          switch byte {
          case 1...4: "#"
          case 5..<0x20, 0x7f...: "?"
          default: String(UnicodeScalar(byte))
          }
        }
        lines.append("template \(id): \(shown.joined())")
        for slot in firstSlots[id]..<firstSlots[id + 1] {
          do throws(BytesError) {
            lines.append(contentsOf: try slotColumn(slot).describe().map { "  slot \(slot - firstSlots[id]): \($0)" })
          } catch {
            lines.append("  slot \(slot - firstSlots[id]): \(error.reason)")
          }
        }
      }
    }
    return lines + ["without a template:"] + others.describe()
  }
}
