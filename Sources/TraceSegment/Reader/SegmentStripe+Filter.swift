import TraceBytes
package import TraceColumns
import TraceModel
package import TraceSource

// Leaves on encodings: run directory first, then codes and words, never materialised records.
extension SegmentStripe {
  package func filter(_ mask: inout RowMask, by leaf: SpanLeaf) throws {
    try check(mask)
    guard !mask.isEmpty else { return }
    guard try mayMatch(leaf) else {
      mask.clear(0..<rowCount)
      return
    }
    var result = mask
    try reading { loaded, scratch in
      switch leaf {
      case .service(let bytes):
        let code = try core.strings().code(of: bytes)
        let runs = try loaded.runs(scratch)
        runs.filter(&result) { runs.services[$0] == code }
      case .name(let bytes):
        let code = try core.strings().code(of: bytes)
        let runs = try loaded.runs(scratch)
        runs.filter(&result) { runs.names[$0] == code }
      case .kind(let kind):
        let runs = try loaded.runs(scratch)
        runs.filter(&result) { runs.kinds[$0] == kind }
      case .statusCode(let code):
        try keepStatus(code, &result, loaded, scratch)
      case .statusMessage(let bytes):
        try keepText(ChunkID.statusMessage, bytes, &result, loaded, scratch)
      case .traceState(let bytes):
        try keepText(ChunkID.traceState, bytes, &result, loaded, scratch)
      case .eventName(let bytes):
        try keepEventNames(bytes, &result, loaded, scratch)
      case .scopeName, .scopeVersion:
        let passing = try core.scopes().passing(leaf)
        try keepTableRows(ChunkID.scope, list: try loaded.scopeList(scratch), passing, &result, loaded, scratch)
      case .start(let range):
        try keepStarts(range, &result, loaded, scratch)
      case .duration(let range):
        try keepDurations(range, &result, loaded, scratch)
      case .attribute(.resource, let key, let test):
        let passing = try core.resources().passing(key, test)
        try keepTableRows(ChunkID.resource, list: try loaded.resourceList(scratch), passing, &result, loaded, scratch)
      case .attribute(.scope, _, _):
        let passing = try core.scopes().passing(leaf)
        try keepTableRows(ChunkID.scope, list: try loaded.scopeList(scratch), passing, &result, loaded, scratch)
      case .attribute(let level, let key, let test):
        try keepAttribute(level, key, test, &result, loaded, scratch)
      }
    }
    mask = result
  }

  // MARK: Fixed columns

  private func keepStatus(
    _ code: Int32, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    if code == SpanStatus.Code.error.rawValue {
      // Runs without errors need not be decoded.
      let runs = try loaded.runs(scratch)
      runs.filter(&mask) { runs.errorCounts[$0] > 0 }
    }
    let target = zigzag(Int64(code))
    let column = try loaded.integers(ChunkID.statusCode, count: rowCount)
    try keepValues(column, &mask, scratch) { $0 == target }
  }

  /// Clears the rows whose value `passes` refuses. Pages without set rows are not decoded.
  private func keepValues(
    _ column: IntegerChunk, _ mask: inout RowMask, _ scratch: ReadScratch, passes: (UInt64) -> Bool
  ) throws {
    guard let first = mask.firstSet(), let last = mask.lastSet else { return }
    var kept = mask
    try column.forEachPage(in: first..<(last + 1), scratch, neededRows: mask) { start, values in
      var index = 0
      while index < values.count {
        if !passes(values[index]) { kept.clear(start &+ index) }
        index &+= 1
      }
    }
    mask = kept
  }

  private func keepTableRows(
    _ id: UInt32, list: [UInt32], _ passing: [Bool], _ mask: inout RowMask, _ loaded: LoadedStripe,
    _ scratch: ReadScratch
  ) throws {
    if passing.isEmpty {
      mask.clear(0..<rowCount)
      return
    }
    var local: [Bool] = []
    for index in list {
      guard Int(index) < passing.count else {
        throw loaded.place(id).damage("its list names an entry that is not there")
      }
      local.append(passing[Int(index)])
    }
    if local.allSatisfy({ $0 }) { return }
    let column = try loaded.integers(id, count: rowCount)
    var isDamaged = false
    try keepValues(column, &mask, scratch) { value in
      guard value < UInt64(local.count) else {
        isDamaged = true
        return false
      }
      return local[Int(value)]
    }
    if isDamaged { throw loaded.place(id).damage("a row names an entry that is not in its list") }
  }

  /// Runs that have to be cut at a bound of time from this number on are cheaper to cut with all starts at hand.
  private static let cutRunCount = 64

  /// Rows of a run ascend by start, so that each run is cut by bisection.
  private func keepStarts(
    _ range: ClosedRange<UInt64>, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    let runs = try loaded.runs(scratch)
    runs.filter(&mask) { runs.minimumStarts[$0] <= range.upperBound && runs.maximumStarts[$0] >= range.lowerBound }
    let cut = (0..<runs.count).filter { run in
      let isInside = runs.minimumStarts[run] >= range.lowerBound && runs.maximumStarts[run] <= range.upperBound
      return !isInside && mask.hasSet(in: runs.rows(of: run))
    }
    guard !cut.isEmpty else { return }
    let times = try StripeTimes(loaded)
    let all = cut.count < Self.cutRunCount ? nil : try times.starts()
    for run in cut {
      let rows = runs.rows(of: run)
      var kept = rows
      func first(_ passes: (UInt64) -> Bool) throws -> Int {
        try times.partition(kept) { passes(try all?[$0] ?? times.start($0)) }
      }
      if runs.minimumStarts[run] < range.lowerBound { kept = try first { $0 >= range.lowerBound }..<kept.upperBound }
      if runs.maximumStarts[run] > range.upperBound { kept = kept.lowerBound..<(try first { $0 > range.upperBound }) }
      mask.clear(rows.lowerBound..<kept.lowerBound)
      mask.clear(kept.upperBound..<rows.upperBound)
    }
  }

  private func keepDurations(
    _ range: ClosedRange<UInt64>, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    let runs = try loaded.runs(scratch)
    runs.filter(&mask) { runs.maximumDurations[$0] >= range.lowerBound }
    guard let first = mask.firstSet(), let last = mask.lastSet else { return }
    let times = try StripeTimes(loaded)
    var kept = mask
    var inverted: [Int] = []
    // Spans that end before they start count as 0. Their stored durations exceed the longest real one, unless times
    // reach so far that the sum of start and duration has to decide for every row.
    let longest = bounds.maximumDuration
    let isPlain = !bounds.maximumStart.addingReportingOverflow(longest).overflow
    try times.durations.forEachPage(in: first..<(last + 1), scratch, neededRows: mask) {
      start, values in
      var index = 0
      while index < values.count {
        let duration = values[index]
        if duration > longest || !isPlain {
          inverted.append(start &+ index)
        } else if !range.contains(duration) {
          kept.clear(start &+ index)
        }
        index &+= 1
      }
    }
    for row in inverted where mask[row] {
      if !range.contains(try times.visibleDuration(row)) { kept.clear(row) }
    }
    mask = kept
  }

  // MARK: Text columns

  private func keepText(
    _ id: UInt32, _ needle: [UInt8], _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    var hits = RowMask(count: rowCount)
    let code = try core.strings().code(of: needle)
    guard let first = mask.firstSet(), let last = mask.lastSet else { return }
    try loaded.text(id, count: rowCount, scratch).forEachIndex(
      equalTo: needle, code: code, in: first..<(last + 1), neededRows: mask, scratch
    ) { hits.set($0) }
    mask.formIntersection(hits)
  }

  private func keepEventNames(
    _ needle: [UInt8], _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    var hits = RowMask(count: rowCount)
    if let offsets = try loaded.eventOffsets(scratch) {
      let code = try core.strings().code(of: needle)
      guard let first = mask.firstSet(), let last = mask.lastSet else { return }
      let owners = ElementOwners(offsets)
      var row = first
      try loaded.text(ChunkID.eventName, count: loaded.head.eventCount, scratch).forEachIndex(
        equalTo: needle, code: code, in: Int(offsets[first])..<Int(offsets[last + 1]), scratch
      ) { event in
        row = owners.owner(of: event, from: row)
        hits.set(row)
      }
    }
    mask.formIntersection(hits)
  }

  // MARK: Attributes of spans, events and links

  private func keepAttribute(
    _ level: ColumnLevel, _ key: [UInt8], _ test: ValueTest, _ mask: inout RowMask, _ loaded: LoadedStripe,
    _ scratch: ReadScratch
  ) throws {
    var hits = RowMask(count: rowCount)
    let offsets: [UInt32]?
    switch level {
    case .event: offsets = try loaded.eventOffsets(scratch)
    case .link: offsets = try loaded.linkOffsets(scratch)
    default: offsets = nil
    }
    if level == .span || offsets != nil {
      guard let first = mask.firstSet(), let last = mask.lastSet else { return }
      var elements = first..<(last + 1)
      if let offsets { elements = Int(offsets[first])..<Int(offsets[last + 1]) }
      let owners = offsets.map(ElementOwners.init)
      var row = 0
      for entry in try core.keyEntries(level: level, key: key) where !test.cannotMatch(loaded.catalogue[entry].type) {
        row = 0
        try forEachElement(of: entry, level, passing: test, in: elements, loaded, scratch) { element in
          if let owners {
            row = owners.owner(of: element, from: row)
            hits.set(row)
          } else {
            hits.set(element)
          }
        }
      }
    }
    mask.formIntersection(hits)
  }

  /// Calls `body` with the elements in `range`, ascending, that have a value of a catalogue entry that passes.
  private func forEachElement(
    of entry: Int, _ level: ColumnLevel, passing test: ValueTest, in range: Range<Int>, _ loaded: LoadedStripe,
    _ scratch: ReadScratch, _ body: (Int) -> Void
  ) throws {
    let map = try loaded.shapeMap(level, scratch)
    let code = UInt32(entry)
    let prefix = try loaded.prefix(of: code, in: map)
    let count = Int(prefix[prefix.count - 1])
    guard count > 0, !range.isEmpty else { return }
    var cursor = DenseCursor(map: map, prefix: prefix, entry: code)
    let type = loaded.catalogue[entry].type
    if type == .absent || type == .empty {
      // Without a value the shape is all there is.
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
      guard let only = test.exactInt else { return }
      let target = NumberOrder.int(UInt64(bitPattern: only))
      try loaded.integers(id, count: count).forEachPage(in: dense..<denseEnd, scratch) { first, values in
        var index = 0
        while index < values.count {
          if values[index] == target { found(first &+ index) }
          index &+= 1
        }
      }
    case .double:
      try loaded.doubles(id, count: count).forEachValue(in: dense..<denseEnd, scratch) { index, bits in
        if test.matches(.double, bits: bits) { found(index) }
      }
    default:
      let text = try loaded.text(id, count: count, scratch)
      if let needle = test.exactBytes(type) {
        try text.forEachIndex(
          equalTo: needle, code: try core.strings().code(of: needle), in: dense..<denseEnd,
          scratch, found)
      } else {
        let strings = try core.strings()
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

/// Finds the row that an event or link belongs to.
struct ElementOwners {
  private let offsets: [UInt32]

  /// - Parameter offsets: the first element of each row, then the element count.
  init(_ offsets: [UInt32]) { self.offsets = offsets }

  /// The row of `element`, at or after `row`; logarithmic in the distance.
  func owner(of element: Int, from row: Int) -> Int {
    var low = row
    var step = 1
    while low + step < offsets.count - 1, Int(offsets[low + step]) <= element {
      low += step
      step *= 2
    }
    var high = min(low + step, offsets.count - 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if Int(offsets[middle]) <= element { low = middle } else { high = middle }
    }
    return low
  }
}

extension RowMask {
  /// Whether any row of a range inside the mask is set.
  func hasSet(in range: Range<Int>) -> Bool {
    guard let row = firstSet(from: range.lowerBound) else { return false }
    return row < range.upperBound
  }
}
