import TraceBytes
package import TraceColumns
import TraceModel
package import TraceSource

// Leaves on encodings: run directory first, then codes and words, never materialised records.
extension SegmentStripe {
  package func mayMatch(_ leaf: SpanLeaf) throws -> Bool {
    try rowCount > 0 && core.stripeTest(leaf).map { try $0(self) } ?? false
  }

  package func filter(_ mask: inout RowMask, by leaf: SpanLeaf) throws {
    try check(mask)
    guard !mask.isEmpty else { return }
    // An index that is damaged spares nothing, and costs nothing: the rows themselves decide.
    guard (try? mayMatch(leaf)) ?? true else {
      mask.clear(0..<rowCount)
      return
    }
    switch leaf {
    case .some(let level, let predicate): return try keepOwners(&mask, of: level, predicate)
    case .record(let test): return try keepRecords(test, &mask)
    default: break
    }
    var result = mask
    try reading { loaded, scratch in
      switch leaf {
      case .text(let text, let test): try keepText(text, test, &result, loaded, scratch)
      case .kind(let kinds):
        let runs = try loaded.runs(scratch)
        // A few kinds are compared sooner than hashed.
        let kinds = Array(kinds)
        runs.filter(&result) { kinds.contains(runs.kinds[$0]) }
      case .statusCode(let codes): try keepStatus(codes, &result, loaded, scratch)
      case .start(let range): try keepStarts(range, &result, loaded, scratch)
      case .end(let range): try keepEnds(range, &result, loaded, scratch)
      case .duration(let range): try keepDurations(range, &result, loaded, scratch)
      case .traceID(let id): try keepTrace(id, &result, loaded, scratch)
      case .spanID(let id):
        try keepValues(try loaded.integers(ChunkID.spanID, count: rowCount), &result, scratch) { $0 == id }
      case .parent(let id): try keepParent(id, &result, loaded, scratch)
      case .attribute(.resource, let key, let test):
        try keepResources(try core.resources().passing(key, test), &result, loaded, scratch)
      case .attribute(.scope, let key, let test):
        let passing = try core.scopes().passing(key, test)
        try keepTableRows(ChunkID.scope, list: try loaded.scopeList(scratch), passing, &result, loaded, scratch)
      case .attribute(let level, let key, let test):
        try keepAttribute(level, key, test, &result, loaded, scratch)
      case .some, .record: break
      }
    }
    mask = result
  }

  /// Records that are materialised together.
  private static let recordBatchCount = 256

  private func keepRecords(_ test: RecordTest, _ mask: inout RowMask) throws {
    let rows = mask.rows
    var first = 0
    while first < rows.count {
      let batch = Array(rows[first..<min(rows.count, first + Self.recordBatchCount)])
      for (row, record) in zip(batch, try records(batch))
      where !test.matches(resource: record.resource, scope: record.scope, span: record.span) { mask.clear(row) }
      first += batch.count
    }
  }

  // MARK: Fixed columns

  private func keepStatus(
    _ codes: Set<Int32>, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    if codes == [SpanStatus.Code.error.rawValue] {
      // Runs without errors need not be decoded.
      let runs = try loaded.runs(scratch)
      runs.filter(&mask) { runs.errorCounts[$0] > 0 }
    }
    let targets = codes.map { zigzag(Int64($0)) }
    let column = try loaded.integers(ChunkID.statusCode, count: rowCount)
    if targets.count == 1 { return try keepValues(column, &mask, scratch) { $0 == targets[0] } }
    try keepValues(column, &mask, scratch) { targets.contains($0) }
  }

  /// Clears the rows whose value `passes` refuses. Pages without set rows are not decoded.
  @inline(__always)
  func keepValues(
    _ column: IntegerChunk, _ mask: inout RowMask, _ scratch: ReadScratch, passes: (UInt64) -> Bool
  ) throws {
    try keepPages(column, &mask, scratch, turn: { _, _ in }, passes: passes)
  }

  /// The same for what `turn` makes of the values of some rows, in their place.
  @inline(__always)
  func keepPages(
    _ column: IntegerChunk, _ mask: inout RowMask, _ scratch: ReadScratch,
    turn: (_ rows: Range<Int>, UnsafeMutableBufferPointer<UInt64>) throws -> Void, passes: (UInt64) -> Bool
  ) throws {
    guard let first = mask.firstSet(), let last = mask.lastSet else { return }
    var kept = mask
    // From the first row of a word on, so that 64 verdicts are written at once.
    try column.forEachPage(in: (first & ~63)..<(last + 1), scratch, neededRows: mask) { start, page in
      // They stand in the scratch.
      let values = UnsafeMutableBufferPointer(mutating: page)
      try turn(start..<(start &+ values.count), values)
      var place = 0
      while place < values.count {
        let end = min(place &+ 64, values.count)
        var verdicts: UInt64 = 0
        var index = place
        while index < end {
          verdicts |= (passes(values[index]) ? 1 : 0) &<< UInt64(index &- place)
          index &+= 1
        }
        kept.keepWord(verdicts, at: (start &+ place) >> 6)
        place = end
      }
    }
    mask = kept
  }

  /// Keeps the rows of the resources that pass. A run has one service, and so has a resource: only runs of the services
  /// of these resources are looked at row by row.
  func keepResources(
    _ passing: [Bool], _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    let list = try loaded.resourceList(scratch)
    if list.allSatisfy({ Int($0) < passing.count && passing[Int($0)] }) { return }
    let services = try core.resources().services
    var wanted: Set<UInt64> = []
    for index in list where Int(index) < passing.count && passing[Int(index)] { wanted.insert(services[Int(index)]) }
    let runs = try loaded.runs(scratch)
    runs.filter(&mask) { wanted.contains(UInt64(runs.services[$0])) }
    if mask.isEmpty { return }
    try keepTableRows(ChunkID.resource, list: list, passing, &mask, loaded, scratch)
  }

  func keepTableRows(
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
}
