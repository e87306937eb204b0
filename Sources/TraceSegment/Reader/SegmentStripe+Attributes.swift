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

  /// So many pages of shapes for each value that is found, or more, are looked at page by page: a map of all shapes takes
  /// the memory of several columns.
  private static let pagesByHit = 4

  private func pagePrefix(
    of entry: UInt32, _ level: ColumnLevel, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws -> [UInt32] {
    let key = cacheKey(.elementPages)
    let pages = core.cache.block(key) { ElementPages() }
    if let prefix = pages.prefix(of: entry) { return prefix }
    let prefix = try loaded.pagePrefix(of: entry, level, scratch)
    pages.keep(prefix, of: entry)
    core.cache.recount(key)
    return prefix
  }

  private func forEachElement(
    of entry: Int, _ level: ColumnLevel, passing test: ValueTest, in range: Range<Int>, _ loaded: LoadedStripe,
    _ scratch: ReadScratch, _ body: (Int) -> Void
  ) throws {
    let (code, type) = (UInt32(entry), loaded.catalogue[entry].type)
    let isAllOrNothing = type == .absent || type == .empty
    if isAllOrNothing && !test.matches(type, bits: 0) { return }
    // The shape is all there is to look at.
    let isDecidedByShape = isAllOrNothing || test.passesAll(type)
    let known =
      isDecidedByShape ? nil : try indicesBeforeShapes(of: entry, level, passing: test, in: range, loaded, scratch)
    if let known {
      let hitCount = known.setCount
      if hitCount == 0 { return }
      if hitCount <= max(1, loaded.elementCount(level) / (ReadScratch.pageValueCount * Self.pagesByHit)) {
        let prefix = try pagePrefix(of: code, level, loaded, scratch)
        return try loaded.forEachElement(of: code, level, at: known, in: range, by: prefix, scratch, body)
      }
      if loaded.takeFirstPass() {
        return try loaded.forEachElement(of: code, level, at: known, in: range, scratch, body)
      }
    }
    let map = try loaded.shapeMap(level, scratch)
    let prefix = try loaded.prefix(of: code, in: map)
    let count = Int(prefix[prefix.count - 1])
    guard count > 0, !range.isEmpty else { return }
    var cursor = DenseCursor(map: map, prefix: prefix, entry: code)
    if isDecidedByShape {
      for element in range where cursor.valueCount(of: element) > 0 { body(element) }
      return
    }
    let dense = Int(prefix[range.lowerBound >> ShapeMap.blockShift])
    let denseEnd = Int(prefix[((range.upperBound - 1) >> ShapeMap.blockShift) + 1])
    guard dense < denseEnd else { return }
    func found(_ index: Int) {
      if let element = cursor.element(of: index) { body(element) }
    }
    guard let known else {
      return try forEachIndex(of: entry, passing: test, in: dense..<denseEnd, count: count, loaded, scratch, found)
    }
    guard known.count == count else {
      throw loaded.place(ChunkID.attribute(code)).damage("\(count) values are due and \(known.count) are there")
    }
    known.forEachSet(in: dense..<denseEnd, found)
  }

  /// Calls `body` with the places among the values of a catalogue entry that pass, ascending.
  ///
  /// - Parameter count: how many values there are.
  private func forEachIndex(
    of entry: Int, passing test: ValueTest, in dense: Range<Int>, count: Int, _ loaded: LoadedStripe,
    _ scratch: ReadScratch, _ body: (Int) -> Void
  ) throws {
    let type = loaded.catalogue[entry].type
    let id = ChunkID.attribute(UInt32(entry))
    switch type {
    case .bool:
      try loaded.integers(id, count: count).forEachPage(in: dense, scratch) { first, values in
        for index in 0..<values.count where test.matches(.bool, bits: values[index]) { body(first &+ index) }
      }
    case .int:
      let isSpelled = test.spelled != nil
      try loaded.integers(id, count: count).forEachPage(
        in: dense, scratch, holding: isSpelled ? nil : test.ints
      ) { first, values in
        if isSpelled {
          for index in 0..<values.count where test.matches(.int, bits: NumberOrder.int(values[index])) {
            body(first &+ index)
          }
        } else {
          test.ints.forEachIndex(in: values) { body(first &+ $0) }
        }
      }
    case .double:
      try loaded.doubles(id, count: count).forEachValue(in: dense, scratch) { index, bits in
        if test.matches(.double, bits: bits) { body(index) }
      }
    default:
      let text = try loaded.text(id, count: count, scratch)
      let strings = try core.strings()
      if let own = test.text(type) {
        try text.forEachIndex(passing: own, in: dense, strings, scratch, body)
      } else {
        let place = loaded.place(id)
        for index in dense {
          let passes = try text.withValue(at: index, strings, scratch) { bytes in
            try test.matches(AttributeDecoding.value(type, bytes, place))
          }
          if passes { body(index) }
        }
      }
    }
  }

  /// The places among all values of a catalogue entry that pass, found before anybody knows which elements they belong
  /// to: when there are none, the shapes of all elements, which cost more than most columns, need not be decoded. Nil
  /// when the shapes are known, or cost less than the values that `range` leaves out.
  ///
  /// It only spares work: what is damaged may hold them, and is met by those who need it.
  private func indicesBeforeShapes(
    of entry: Int, _ level: ColumnLevel, passing test: ValueTest, in range: Range<Int>, _ loaded: LoadedStripe,
    _ scratch: ReadScratch
  ) throws -> RowMask? {
    let type = loaded.catalogue[entry].type
    let isNumber = type == .bool || type == .int || type == .double
    guard isNumber || test.text(type)?.list != nil || range.count >= loaded.elementCount(level) / 2,
      loaded.known(.shapeMap(level), as: ShapeMap.self) == nil
    else { return nil }
    let count = loaded.indexedCount(UInt32(entry))
    var passing = RowMask(count: count)
    do {
      try forEachIndex(of: entry, passing: test, in: 0..<count, count: count, loaded, scratch) { passing.set($0) }
    } catch let error as TracestoreError where error.code == .corrupt {
      return nil
    }
    return passing
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
