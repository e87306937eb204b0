import TraceBytes

extension TemplateText {
  func forEach(
    scratch: ColumnScratch, _ body: (Int, UnsafeRawBufferPointer) throws(BytesError) -> Void
  ) throws(BytesError) {
    var cursors: [SlotCursor] = []
    for slot in 0..<(firstSlots.last ?? 0) { cursors.append(SlotCursor(try slotColumn(slot))) }
    // The strings without a template come block by block from a cursor of their own.
    var otherCursor = OtherCursor(others)
    let slotCount = (0..<templates.count).map { firstSlots[$0 + 1] - firstSlots[$0] }.max() ?? 0
    var numbers = [UInt64](repeating: 0, count: slotCount)
    let capacity = templates.withTexts { template in
      (0..<templates.count).map { TextTemplate.maximumRenderedByteCount(template($0)) }.max() ?? 0
    }
    let text = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity + 1)
    defer { text.deallocate() }
    var pageIDs = [UInt64](repeating: 0, count: IntegerPage.maximumCount)
    for page in 0..<ids.pageCount {
      let found = try pageIDs.withUnsafeMutableBufferPointer { buffer throws(BytesError) in
        try ids.decodePage(page, into: buffer)
      }
      for index in 0..<found {
        let row = page * IntegerPage.maximumCount + index
        guard pageIDs[index] <= UInt64(templates.count) else { throw Self.disagreement }
        let id = Int(pageIDs[index])
        if id == templates.count {
          try otherCursor.next(scratch: scratch) { text throws(BytesError) in try body(row, text) }
          continue
        }
        let slots = firstSlots[id]..<firstSlots[id + 1]
        for slot in slots { numbers[slot - slots.lowerBound] = try cursors[slot].next() }
        let byteCount = templates.withTexts { template in
          numbers.withUnsafeBufferPointer { TextTemplate.render(template(id), slots: $0, into: text) }
        }
        try body(row, UnsafeRawBufferPointer(start: text, count: byteCount))
      }
    }
  }

  /// Compares the template and the numbers of the needle; no row is rendered.
  func rows(equalTo needle: UnsafeRawBufferPointer, scratch: ColumnScratch) throws(BytesError) -> [Int] {
    var tokenizer = TextTokenizer()
    var wanted: Int?
    if tokenizer.tokenize(needle) {
      wanted = (0..<templates.count).first { templates.isEqual(at: $0, to: tokenizer.template) }
    }
    let otherRanks = try others.rows(equalTo: needle, scratch: scratch)
    var ranks: [Int]?
    if let wanted {
      for (slot, number) in zip(firstSlots[wanted]..<firstSlots[wanted + 1], tokenizer.slots) {
        let column = try slotColumn(slot)
        if let known = ranks {
          guard known.last ?? -1 < column.count else { throw Self.disagreement }
          let values = try column.gather(known)
          ranks = zip(known, values).filter { $0.1 == number }.map(\.0)
        } else {
          ranks = try column.rows(equalTo: number)
        }
        if ranks?.isEmpty == true { break }
      }
    }
    // A template without slots is met by every row that has it.
    let isEveryRank = wanted != nil && ranks == nil
    guard isEveryRank || ranks?.isEmpty == false || !otherRanks.isEmpty else { return [] }
    return try rows(id: wanted, ranks: isEveryRank ? nil : ranks ?? [], otherRanks: otherRanks)
  }

  /// The rows that are the given ones among those with template `id` (all of them if `ranks` is nil) or among those
  /// without a template.
  private func rows(id: Int?, ranks: [Int]?, otherRanks: [Int]) throws(BytesError) -> [Int] {
    var result: [Int] = []
    var rank = 0
    var nextRank = 0
    var otherRank = 0
    var nextOther = 0
    var pageIDs = [UInt64](repeating: 0, count: IntegerPage.maximumCount)
    for page in 0..<ids.pageCount {
      let found = try pageIDs.withUnsafeMutableBufferPointer { buffer throws(BytesError) in
        try ids.decodePage(page, into: buffer)
      }
      for index in 0..<found {
        let row = page * IntegerPage.maximumCount + index
        if let id, pageIDs[index] == UInt64(id) {
          if let ranks {
            if nextRank < ranks.count, ranks[nextRank] == rank {
              result.append(row)
              nextRank += 1
            }
          } else {
            result.append(row)
          }
          rank += 1
        } else if pageIDs[index] == UInt64(templates.count) {
          if nextOther < otherRanks.count, otherRanks[nextOther] == otherRank {
            result.append(row)
            nextOther += 1
          }
          otherRank += 1
        }
      }
    }
    return result
  }

  /// Reads an integer column from front to back, a page at a time.
  private struct SlotCursor {
    private let column: IntegerColumn
    private var page: [UInt64] = []
    private var place = 0
    private var nextPage = 0

    init(_ column: IntegerColumn) { self.column = column }

    mutating func next() throws(BytesError) -> UInt64 {
      if place == page.count {
        guard nextPage < column.pageCount else { throw TemplateText.disagreement }
        let pageColumn = try column.page(at: nextPage)
        guard pageColumn.count > 0 else { throw TemplateText.disagreement }
        page.removeAll(keepingCapacity: true)
        page.append(contentsOf: repeatElement(0, count: pageColumn.count))
        try page.withUnsafeMutableBufferPointer { buffer throws(BytesError) in try pageColumn.decode(into: buffer) }
        nextPage += 1
        place = 0
      }
      defer { place += 1 }
      return page[place]
    }
  }

  /// Reads a raw text column from front to back, some strings ahead.
  private struct OtherCursor {
    private static let aheadCount = 64
    private let column: RawText
    private var ahead = TextArena()
    private var place = 0
    private var nextRow = 0

    init(_ column: RawText) { self.column = column }

    mutating func next(
      scratch: ColumnScratch, _ body: (UnsafeRawBufferPointer) throws(BytesError) -> Void
    ) throws(BytesError) {
      if place == ahead.count {
        guard nextRow < column.count else { throw TemplateText.disagreement }
        ahead.removeAll()
        let rows = Array(nextRow..<min(nextRow + Self.aheadCount, column.count))
        var filled = TextArena()
        try column.gather(rows, scratch: scratch) { _, text in filled.append(text) }
        ahead = filled
        nextRow += rows.count
        place = 0
      }
      let current = place
      place += 1
      try ahead.withTexts { text throws(BytesError) in try body(text(current)) }
    }
  }
}
