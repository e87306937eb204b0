import TraceColumns
import TraceModel

/// Where every row goes, and what all stripes share: decided in one pass over the rows, before anything is encoded.
final class SegmentPlan {
  /// Rows of one trace inside one stripe.
  struct Fragment {
    /// Index in `traces`.
    var trace: Int
    /// Range in `rowNumbers`.
    var rows: Range<Int>
    var isWholeTrace: Bool
  }

  struct Trace {
    var id: TraceID
    var minimumStart: UInt64
    var maximumEnd: UInt64
    var rowCount: Int

    @inline(__always)
    mutating func include(start: UInt64, end: UInt64) {
      rowCount &+= 1
      if start < minimumStart { minimumStart = start }
      if end > maximumEnd { maximumEnd = end }
    }
  }

  /// A distinct (service, name, kind).
  struct Operation {
    /// Codes in the table's strings.
    var service: UInt32
    var name: UInt32
    var kind: Int32
    var spanCount: UInt64
    var errorCount: UInt64
  }

  let view: SpanTable.View
  // Made by one thread, then only read. Here and in `StripeEncoder` the checks of exclusive access are 6 % of a merge.
  /// Rows in stripe order; inside a fragment they ascend, except that rows of a trace that is cut stand by start.
  @exclusivity(unchecked) private(set) var rowNumbers: [UInt32] = []
  /// The operation of each of `rowNumbers`; operations stand in the order of rows.
  @exclusivity(unchecked) private(set) var rowOperations: [UInt32] = []
  @exclusivity(unchecked) private(set) var operations: [Operation] = []
  @exclusivity(unchecked) private(set) var traces: [Trace] = []
  /// The fragments of each stripe; their place is the trace's ordinal.
  private(set) var stripes: [[Fragment]] = []
  @exclusivity(unchecked) private(set) var totals = SegmentTotals()
  /// How many spans, events and links have each of the table's shapes.
  @exclusivity(unchecked) private(set) var shapeCounts: [[UInt64]] = []
  /// How many spans have each of the table's resources and scopes.
  @exclusivity(unchecked) private(set) var resourceCounts: [UInt64]
  @exclusivity(unchecked) private(set) var scopeCounts: [UInt64]

  init(_ view: SpanTable.View, rows: [UInt32], options: SegmentOptions) {
    self.view = view
    resourceCounts = [UInt64](repeating: 0, count: view.resources.count)
    scopeCounts = [UInt64](repeating: 0, count: view.scopes.count)
    var traceOfRow: [UInt32] = []
    var operationOfRow: [UInt32] = []
    survey(rows, &traceOfRow, &operationOfRow)
    let ranks = rankOperations()
    let order = traceOrder()
    group(rows, traceOfRow, operationOfRow, ranks: ranks, order: order)
    cut(options)
  }

  /// One pass over the rows: traces, operations, usage counts, totals.
  private func survey(_ rows: [UInt32], _ traceOfRow: inout [UInt32], _ operationOfRow: inout [UInt32]) {
    // All that changes with every row is local: what a class or an array of arrays holds is looked up each time.
    var table = OperationTable()
    var operations: [Operation] = []
    var traces: [Trace] = []
    var totals = SegmentTotals()
    let shapeCount = view.shapes.count
    var shapeCounts = [UInt64](repeating: 0, count: 3 * shapeCount)
    var traceNumbers = [UInt32](repeating: .max, count: view.rows.count + 1)
    let services = view.resources.map(\.service)
    traceOfRow.reserveCapacity(rows.count)
    operationOfRow.reserveCapacity(rows.count)
    for number in rows {
      let row = view.rows.pointer(at: Int(number))
      let isError = row.pointee.statusCode == 2
      var trace = traceNumbers[Int(row.pointee.trace)]
      if trace == .max {
        trace = UInt32(traces.count)
        traceNumbers[Int(row.pointee.trace)] = trace
        traces.append(
          Trace(
            id: TraceID(high: row.pointee.traceHigh, low: row.pointee.traceLow), minimumStart: row.pointee.start,
            maximumEnd: row.pointee.end, rowCount: 1))
      } else {
        traces[Int(trace)].include(start: row.pointee.start, end: row.pointee.end)
      }
      traceOfRow.append(trace)
      let operation = table.number(
        service: services[Int(row.pointee.resource)], name: row.pointee.name, kind: row.pointee.kind, in: &operations)
      operations[operation].spanCount += 1
      if isError { operations[operation].errorCount += 1 }
      operationOfRow.append(UInt32(operation))
      resourceCounts[Int(row.pointee.resource)] += 1
      scopeCounts[Int(row.pointee.scope)] += 1
      shapeCounts[Int(row.pointee.shape)] += 1
      for index in Int(row.pointee.firstEvent)..<Int(row.pointee.firstEvent) + Int(row.pointee.eventCount) {
        shapeCounts[shapeCount + Int(view.events.pointer(at: index).pointee.shape)] += 1
      }
      for index in Int(row.pointee.firstLink)..<Int(row.pointee.firstLink) + Int(row.pointee.linkCount) {
        shapeCounts[2 * shapeCount + Int(view.links.pointer(at: index).pointee.shape)] += 1
      }
      totals.include(row, isError: isError)
    }
    totals.rowCount = UInt64(rows.count)
    totals.traceCount = UInt64(traces.count)
    for trace in traces where trace.maximumEnd > trace.minimumStart {
      totals.longestTraceDuration = max(totals.longestTraceDuration, trace.maximumEnd - trace.minimumStart)
    }
    self.operations = operations
    self.traces = traces
    self.totals = totals
    self.shapeCounts = (0..<3).map { Array(shapeCounts[$0 * shapeCount..<($0 + 1) * shapeCount]) }
  }

  /// Sorts the operations by (service, name, kind); returns the new place of each.
  private func rankOperations() -> [UInt32] {
    var codes: [UInt32] = []
    for operation in operations {
      codes.append(operation.service)
      codes.append(operation.name)
    }
    codes.sort()
    var distinct: [UInt32] = []
    for code in codes where distinct.last != code { distinct.append(code) }
    TextOrder.sort(&distinct) { view.bytes($0) }
    var rank: [UInt32: UInt32] = [:]
    for (index, code) in distinct.enumerated() { rank[code] = UInt32(index) }
    func key(_ operation: Operation) -> (UInt32, UInt32, Int32) {
      (rank[operation.service, default: 0], rank[operation.name, default: 0], operation.kind)
    }
    let keys = operations.map(key)
    let order = operations.indices.sorted { keys[$0] < keys[$1] }
    var places = [UInt32](repeating: 0, count: operations.count)
    for (place, index) in order.enumerated() { places[index] = UInt32(place) }
    operations = order.map { operations[$0] }
    return places
  }

  /// The traces by (least start, id).
  private func traceOrder() -> [UInt32] {
    var order = (0..<UInt32(traces.count)).map { $0 }
    order.sort { left, right in
      let (left, right) = (traces[Int(left)], traces[Int(right)])
      return left.minimumStart != right.minimumStart ? left.minimumStart < right.minimumStart : left.id < right.id
    }
    return order
  }

  /// Puts the rows of a trace side by side, traces in order.
  private func group(
    _ rows: [UInt32], _ traceOfRow: [UInt32], _ operationOfRow: [UInt32], ranks: [UInt32], order: [UInt32]
  ) {
    var next = [Int](repeating: 0, count: traces.count)
    var offset = 0
    for trace in order {
      next[Int(trace)] = offset
      offset += traces[Int(trace)].rowCount
    }
    rowNumbers = [UInt32](repeating: 0, count: rows.count)
    rowOperations = [UInt32](repeating: 0, count: rows.count)
    for index in 0..<rows.count {
      let trace = Int(traceOfRow[index])
      rowNumbers[next[trace]] = rows[index]
      rowOperations[next[trace]] = ranks[Int(operationOfRow[index])]
      next[trace] += 1
    }
    traces = order.map { traces[Int($0)] }
  }

  /// Fills stripes with whole traces; a trace that is too large is cut along time.
  private func cut(_ options: SegmentOptions) {
    let weights = LongTextWeights(view)
    func weight(_ rows: Range<Int>) -> Int {
      if weights.isEmpty { return 0 }
      var sum = 0
      for index in rows { sum += weights.byteCount(rowNumbers[index]) }
      return sum
    }
    var fragments: [Fragment] = []
    var filled = (rowCount: 0, byteCount: 0)
    var first = 0
    func close() {
      if !fragments.isEmpty { stripes.append(fragments) }
      fragments = []
      filled = (0, 0)
    }
    for (index, trace) in traces.enumerated() {
      let rows = first..<first + trace.rowCount
      first = rows.upperBound
      let byteCount = weight(rows)
      if !options.isRoom(rowCount: filled.rowCount + rows.count, byteCount: filled.byteCount + byteCount) { close() }
      if options.isRoom(rowCount: rows.count, byteCount: byteCount) {
        fragments.append(Fragment(trace: index, rows: rows, isWholeTrace: true))
        filled.rowCount += rows.count
        filled.byteCount += byteCount
        continue
      }
      close()
      sortByStart(rows)
      var start = rows.lowerBound
      while start < rows.upperBound {
        var end = start + 1
        var filledByteCount = weight(start..<end)
        while end < rows.upperBound {
          filledByteCount += weight(end..<end + 1)
          guard options.isRoom(rowCount: end + 1 - start, byteCount: filledByteCount) else { break }
          end += 1
        }
        // A single row may be too large for any stripe, and yet be its whole trace.
        stripes.append([Fragment(trace: index, rows: start..<end, isWholeTrace: rows == start..<end)])
        start = end
      }
    }
    close()
    totals.stripeCount = UInt64(stripes.count)
  }

  private func sortByStart(_ range: Range<Int>) {
    struct Key {
      var start: UInt64
      var spanID: UInt64
      var row: UInt32
      var operation: UInt32
    }
    var keys = range.map { index in
      let row = view.rows.pointer(at: Int(rowNumbers[index]))
      return Key(
        start: row.pointee.start, spanID: row.pointee.spanID, row: rowNumbers[index],
        operation: rowOperations[index])
    }
    keys.sort { ($0.start, $0.spanID, $0.row) < ($1.start, $1.spanID, $1.row) }
    for (place, key) in zip(range, keys) {
      rowNumbers[place] = key.row
      rowOperations[place] = key.operation
    }
  }
}

extension SegmentTotals {
  @inline(__always)
  fileprivate mutating func include(_ row: UnsafePointer<SpanRow>, isError: Bool) {
    let duration = row.pointee.durationNanoseconds
    minimumStart = min(minimumStart, row.pointee.start)
    maximumStart = max(maximumStart, row.pointee.start)
    maximumEnd = max(maximumEnd, row.pointee.end)
    minimumDuration = min(minimumDuration, duration)
    maximumDuration = max(maximumDuration, duration)
    if isError { errorCount += 1 }
    eventCount += UInt64(row.pointee.eventCount)
    linkCount += UInt64(row.pointee.linkCount)
  }
}
