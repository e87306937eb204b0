/// The templates of a column's strings, and which of them pay.
struct TemplatePlan {
  /// A template must serve this many rows, and as many more for each slot: every slot is a column of its own.
  private static let minimumRowCount = 8
  /// Past this many distinct templates, strings with further ones are left as they are.
  private static let maximumCandidateCount = 8192
  /// The most templates that a column keeps.
  static let maximumCount = 1024

  /// The templates that are kept, ascending.
  private(set) var templates: [[UInt8]] = []
  /// The template of each row; `templates.count` where none is kept.
  private(set) var rows: [UInt64] = []
  /// The numbers of each (template, slot), in row order.
  private(set) var slots: [[UInt64]] = []
  /// The rows without a template, ascending.
  private(set) var otherRows: [Int] = []

  /// Nil if no template is worth keeping.
  init?(count: Int, value: (Int) -> UnsafeRawBufferPointer) {
    var tokenizer = TextTokenizer()
    var table = TextTable()
    var candidates = TextArena()
    var rowCounts: [Int] = []
    var slotCounts: [Int] = []
    // For each row its candidate, or nothing; the numbers of all rows one after another.
    let none = UInt32.max
    var candidateOfRow = [UInt32](repeating: none, count: count)
    var numbers: [UInt64] = []
    let rendered = UnsafeMutableRawBufferPointer.allocate(byteCount: 36 * TextTokenizer.maximumByteCount, alignment: 1)
    defer { rendered.deallocate() }
    var last: UInt32 = 0
    for row in 0..<count {
      let text = value(row)
      guard tokenizer.tokenize(text), candidates.count < Self.maximumCandidateCount else { continue }
      // The guard that makes the encoding exact by test and not by argument.
      guard Self.isExact(tokenizer, text, rendered) else { continue }
      // Neighbours mostly have the same template: one comparison instead of a look-up.
      if candidates.count > 0, candidates.isEqual(at: Int(last), to: tokenizer.template) {
        rowCounts[Int(last)] += 1
        candidateOfRow[row] = last
        numbers.append(contentsOf: tokenizer.slots)
        continue
      }
      let (candidate, isNew) = table.insert(tokenizer.template, into: &candidates)
      last = candidate
      if isNew {
        rowCounts.append(0)
        slotCounts.append(tokenizer.slots.count)
      }
      rowCounts[Int(candidate)] += 1
      candidateOfRow[row] = candidate
      numbers.append(contentsOf: tokenizer.slots)
    }
    let kept = Self.choose(candidates, rowCounts: rowCounts, slotCounts: slotCounts)
    guard !kept.isEmpty else { return nil }
    templates = kept.map { candidates.bytes[candidates.range(of: $0)].map { $0 } }
    var rankOfCandidate = [Int](repeating: kept.count, count: candidates.count)
    var firstSlot: [Int] = []
    for (rank, candidate) in kept.enumerated() {
      rankOfCandidate[candidate] = rank
      firstSlot.append(slots.count)
      for _ in 0..<slotCounts[candidate] {
        slots.append([])
        slots[slots.count - 1].reserveCapacity(rowCounts[candidate])
      }
    }
    distribute(candidateOfRow, rankOfCandidate, slotCounts, firstSlot, numbers)
  }

  private static func isExact(
    _ tokenizer: borrowing TextTokenizer, _ text: UnsafeRawBufferPointer, _ rendered: UnsafeMutableRawBufferPointer
  ) -> Bool {
    guard let base = rendered.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
    let byteCount = TextTemplate.render(tokenizer.template, slots: tokenizer.slots, into: base)
    return UnsafeRawBufferPointer(start: base, count: byteCount).hasEqualBytes(text)
  }

  /// The candidates to keep, ascending.
  private static func choose(_ candidates: TextArena, rowCounts: [Int], slotCounts: [Int]) -> [Int] {
    candidates.withTexts { text in
      var worthy = (0..<candidates.count).filter { rowCounts[$0] >= minimumRowCount * (1 + slotCounts[$0]) }
      if worthy.count > maximumCount {
        worthy.sort {
          rowCounts[$0] != rowCounts[$1]
            ? rowCounts[$0] > rowCounts[$1] : TextOrder.precedes(text($0), text($1))
        }
        worthy.removeLast(worthy.count - maximumCount)
      }
      return worthy.sorted { TextOrder.precedes(text($0), text($1)) }
    }
  }

  private mutating func distribute(
    _ candidateOfRow: [UInt32], _ rankOfCandidate: [Int], _ slotCounts: [Int], _ firstSlot: [Int], _ numbers: [UInt64]
  ) {
    rows.reserveCapacity(candidateOfRow.count)
    var place = 0
    for (row, candidate) in candidateOfRow.enumerated() {
      let rank = candidate == .max ? templates.count : rankOfCandidate[Int(candidate)]
      let slotCount = candidate == .max ? 0 : slotCounts[Int(candidate)]
      rows.append(UInt64(rank))
      if rank == templates.count {
        otherRows.append(row)
      } else {
        for slot in 0..<slotCount { slots[firstSlot[rank] + slot].append(numbers[place + slot]) }
      }
      place += slotCount
    }
  }
}
