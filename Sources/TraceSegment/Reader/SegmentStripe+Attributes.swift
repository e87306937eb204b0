import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

// Conditions on attributes of spans, events and links.
extension SegmentStripe {
  /// Any attribute of the row, or of any of its events or links.
  func keepAttribute(
    _ level: ColumnLevel, _ key: [UInt8], _ test: ValueTest, _ mask: inout RowMask, _ loaded: LoadedStripe,
    _ scratch: ReadScratch
  ) throws {
    guard let first = mask.firstSet(), let last = mask.lastSet else { return }
    var hits = RowMask(count: rowCount)
    if level == .span {
      try forEachElement(with: key, level, passing: test, in: first..<(last + 1), loaded, scratch) { hits.set($0) }
    } else if let offsets = try level == .event ? loaded.eventOffsets(scratch) : loaded.linkOffsets(scratch) {
      let elements = Int(offsets[first])..<Int(offsets[last + 1])
      let owners = ElementOwners(offsets)
      var (row, before) = (0, -1)
      try forEachElement(with: key, level, passing: test, in: elements, loaded, scratch) { element in
        // Each entry of the catalogue begins again, and may begin with elements of rows before the first.
        row = owners.owner(of: element, from: element > before ? row : 0)
        before = element
        hits.set(row)
      }
    }
    mask.formIntersection(hits)
  }

  /// Calls `body` with the elements in `range` that have a value of the key that passes: ascending for each type that
  /// the key has.
  func forEachElement(
    with key: [UInt8], _ level: ColumnLevel, passing test: ValueTest, in range: Range<Int>, _ loaded: LoadedStripe,
    _ scratch: ReadScratch, _ body: (Int) -> Void
  ) throws {
    for entry in try core.keyEntries(level: level, key: key) where !test.cannotMatch(loaded.catalogue[entry].type) {
      try forEachElement(of: entry, level, passing: test, in: range, loaded, scratch, body)
    }
  }

  private func forEachElement(
    of entry: Int, _ level: ColumnLevel, passing test: ValueTest, in range: Range<Int>, _ loaded: LoadedStripe,
    _ scratch: ReadScratch, _ body: (Int) -> Void
  ) throws {
    let code = UInt32(entry)
    if try !mayHold(test, of: code, level, loaded, scratch) { return }
    let map = try loaded.shapeMap(level, scratch)
    let prefix = try loaded.prefix(of: code, in: map)
    let count = Int(prefix[prefix.count - 1])
    guard count > 0, !range.isEmpty else { return }
    var cursor = DenseCursor(map: map, prefix: prefix, entry: code)
    let type = loaded.catalogue[entry].type
    let isAllOrNothing = type == .absent || type == .empty
    if isAllOrNothing && !test.matches(type, bits: 0) { return }
    if isAllOrNothing || test.passesAll(type) {
      // The shape is all there is to look at.
      for element in range where cursor.valueCount(of: element) > 0 { body(element) }
      return
    }
    let dense = Int(prefix[range.lowerBound >> ShapeMap.blockShift])
    let denseEnd = Int(prefix[((range.upperBound - 1) >> ShapeMap.blockShift) + 1])
    guard dense < denseEnd else { return }
    let id = ChunkID.attribute(code)
    func found(_ index: Int) {
      if let element = cursor.element(of: index) { body(element) }
    }
    switch type {
    case .bool:
      try loaded.integers(id, count: count).forEachPage(in: dense..<denseEnd, scratch) { first, values in
        for index in 0..<values.count where test.matches(.bool, bits: values[index]) { found(first &+ index) }
      }
    case .int:
      let isSpelled = test.spelled != nil
      try loaded.integers(id, count: count).forEachPage(
        in: dense..<denseEnd, scratch, holding: isSpelled ? nil : test.ints
      ) { first, values in
        if isSpelled {
          for index in 0..<values.count where test.matches(.int, bits: NumberOrder.int(values[index])) {
            found(first &+ index)
          }
        } else {
          test.ints.forEachIndex(in: values) { found(first &+ $0) }
        }
      }
    case .double:
      try loaded.doubles(id, count: count).forEachValue(in: dense..<denseEnd, scratch) { index, bits in
        if test.matches(.double, bits: bits) { found(index) }
      }
    default:
      let text = try loaded.text(id, count: count, scratch)
      let strings = try core.strings()
      if let own = test.text(type) {
        try text.forEachIndex(passing: own, in: dense..<denseEnd, strings, scratch, found)
      } else {
        let place = loaded.place(id)
        for index in dense..<denseEnd {
          let passes = try text.withValue(at: index, strings, scratch) { bytes in
            try test.matches(AttributeDecoding.value(type, bytes, place))
          }
          if passes { found(index) }
        }
      }
    }
  }
}

extension SegmentStripe {
  /// False when no value of the column is one of the texts that are looked for: then the shapes of all elements, which
  /// cost far more than the column of a rare key, need not be decoded. It only spares work: what is damaged may hold
  /// them, and is met by those who need it.
  private func mayHold(
    _ test: ValueTest, of code: UInt32, _ level: ColumnLevel, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws -> Bool {
    guard let text = test.text(loaded.catalogue[Int(code)].type), text.list != nil,
      loaded.known(.shapeMap(level), as: ShapeMap.self) == nil
    else { return true }
    let strings = try core.strings()
    do {
      let column = try loaded.indexedText(ChunkID.attribute(code), scratch)
      var isThere = false
      try column.forEachIndex(passing: text, in: 0..<column.count, strings, scratch) { _ in isThere = true }
      return isThere
    } catch let error as TracestoreError where error.code == .corrupt {
      return true
    }
  }
}

extension WordRanges {
  /// Calls `body` with the index of each value in the set, ascending.
  @inline(__always)
  fileprivate func forEachIndex(in values: UnsafeBufferPointer<UInt64>, _ body: (Int) -> Void) {
    var index = 0
    guard ranges.count == 1 else {
      while index < values.count {
        if contains(values[index]) { body(index) }
        index &+= 1
      }
      return
    }
    let (first, span) = (ranges[0].lowerBound, ranges[0].upperBound &- ranges[0].lowerBound)
    while index < values.count {
      if values[index] &- first <= span { body(index) }
      index &+= 1
    }
  }
}
