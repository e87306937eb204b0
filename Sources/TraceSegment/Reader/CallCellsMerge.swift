import TraceAggregate

/// Makes cells of other cells: of those of several groups, or of finer series. For one thread.
struct CallCellsMerge {
  private struct RunKey: Hashable {
    var labels: [[UInt8]]
    var kind: Int32
  }

  /// A cell of one of the runs that go together.
  private struct Source {
    var minute: UInt32
    /// Of its run among those that go together, and its own in the run.
    var run: UInt32
    var place: UInt32
  }

  private let shape: CellShape
  private let inputs: [CallCells]
  private var writer: CallCellsWriter
  private var tally = BucketTally()
  // Kept for their memory.
  private var sources: [Source] = []
  private var durations: [UInt64] = []

  /// What blocks come to together.
  ///
  /// - Precondition: none is damaged, none has a part that another one has, and their shapes have all that is asked for.
  static func cells(_ shape: CellShape, of inputs: [CallCells]) -> CallCells {
    if let only = inputs.first, inputs.count == 1, only.shape == shape { return only }
    var merge = CallCellsMerge(shape, inputs)
    merge.run()
    return CallCells(merge.writer.finish(), shape, of: inputs.flatMap(\.parts))
  }

  private init(_ shape: CellShape, _ inputs: [CallCells]) {
    self.shape = shape
    self.inputs = inputs
    writer = CallCellsWriter(shape)
    guard !shape.isFolded else { return }
    writer.reserve(
      cellCount: inputs.reduce(0) { $0 + $1.cellCount },
      durationByteCount: inputs.reduce(0) { $0 + $1.durationByteCount }
    )
  }

  private mutating func run() {
    var runs: [RunKey: [CallCells.Calls]] = [:]
    for input in inputs {
      for (index, run) in input.runs.enumerated() {
        guard let key = key(of: run, in: input) else { continue }
        runs[key, default: []].append(input.calls(of: index))
      }
    }
    let ordered = runs.sorted { left, right in
      left.key.labels == right.key.labels
        ? left.key.kind < right.key.kind : left.key.labels.precedes(right.key.labels)
    }
    for (key, calls) in ordered { add(key, calls) }
  }

  /// The run that a run becomes a part of; nil for one that is not asked for.
  private func key(of run: CallCells.Run, in input: CallCells) -> RunKey? {
    guard input.shape != shape else { return RunKey(labels: input.labels(of: run), kind: run.kind) }
    switch shape {
    case .operations: preconditionFailure("operations of what does not tell them apart")
    case .services(let kinds):
      guard kinds?.contains(run.kind) ?? true else { return nil }
      return RunKey(labels: [input.text(run.service)], kind: 0)
    }
  }

  private mutating func add(_ key: RunKey, _ calls: [CallCells.Calls]) {
    sources.removeAll(keepingCapacity: true)
    var longest: UInt64 = 0
    var isAscending = true
    for (run, own) in calls.enumerated() {
      for place in 0..<own.count {
        let minute = own.cells[place].minute
        if let last = sources.last, last.minute > minute { isAscending = false }
        sources.append(Source(minute: minute, run: UInt32(run), place: UInt32(place)))
        if case .each(let durations) = own.durations(at: place), durations.count > 0 {
          longest = max(longest, durations.last)
        }
      }
    }
    // Blocks follow each other in time mostly.
    if !isAscending { sources.sort { $0.minute < $1.minute } }
    writer.beginRun(
      key.labels, kind: key.kind,
      PackedDurations.Layout(unit: calls.lazy.map(\.unit).min() ?? 1, longest: longest))
    var first = 0
    while first < sources.count {
      var end = first + 1
      while end < sources.count, sources[end].minute == sources[first].minute { end += 1 }
      addCell(first..<end, calls)
      first = end
    }
  }

  /// Adds a cell of what has one minute.
  private mutating func addCell(_ own: Range<Int>, _ calls: [CallCells.Calls]) {
    var callCount: UInt64 = 0
    var errorCount: UInt32 = 0
    for source in sources[own] {
      let run = calls[Int(source.run)]
      callCount &+= UInt64(run.callCount(at: Int(source.place)))
      errorCount &+= run.cells[Int(source.place)].errorCount
    }
    let minute = sources[own.lowerBound].minute
    guard shape.isFolded, !DurationSketch.isExact(count: callCount) else {
      var count = 0
      if durations.count < Int(callCount) { durations = [UInt64](repeating: 0, count: 2 * Int(callCount)) }
      for source in sources[own] {
        guard case .each(let part) = calls[Int(source.run)].durations(at: Int(source.place)) else { continue }
        unpack(part, at: count)
        count += Int(part.count)
      }
      // In place: a slice of the array would be sorted as a copy.
      return durations.withUnsafeMutableBufferPointer {
        var durations = UnsafeMutableBufferPointer(rebasing: $0[..<count])
        if own.count > 1 { durations.sort() }
        writer.addCell(minute, errorCount: errorCount, UnsafeBufferPointer(durations))
      }
    }
    tally.clear()
    for source in sources[own] {
      switch calls[Int(source.run)].durations(at: Int(source.place)) {
      case .each(let part):
        if durations.count < Int(part.count) { durations = [UInt64](repeating: 0, count: 2 * Int(part.count)) }
        unpack(part, at: 0)
        durations.withUnsafeBufferPointer { tally.update(UnsafeBufferPointer(rebasing: $0[..<Int(part.count)])) }
      case .counted(let buckets): tally.merge(buckets)
      }
    }
    writer.addCell(minute, errorCount: errorCount, tally)
  }

  private mutating func unpack(_ part: PackedDurations, at place: Int) {
    durations.withUnsafeMutableBufferPointer { room in
      if let first = room.baseAddress { part.unpack(0..<Int(part.count), into: first + place) }
    }
  }
}
