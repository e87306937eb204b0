import TraceAggregate

/// Lays cells down, run after run. For one thread.
struct CallCellsWriter {
  struct Content {
    fileprivate(set) var runs: [CallCells.Run] = []
    /// Ends with one that has no calls.
    fileprivate(set) var cells: [CallMinute] = []
    fileprivate(set) var places: [UInt32] = []
    fileprivate(set) var buckets: [UInt8] = []
    fileprivate(set) var words: [UInt64] = []
    fileprivate(set) var texts = LabelTexts()
  }

  private let isFolded: Bool
  private var content = Content()
  private var packer = DurationPacker()
  private var layout = PackedDurations.Layout(unit: 1, longest: 0)
  private var labels: [[UInt8]] = []
  private var callCount: UInt32 = 0
  /// Durations of the run that were written.
  private var writtenCount: UInt32 = 0

  init(_ shape: CellShape) { isFolded = shape.isFolded }

  mutating func reserve(cellCount: Int, durationByteCount: Int) {
    content.cells.reserveCapacity(cellCount + 1)
    packer.reserve(byteCount: durationByteCount)
  }

  /// - Parameter layout: fits all durations that will come.
  mutating func beginRun(_ labels: [[UInt8]], kind: Int32, _ layout: PackedDurations.Layout) {
    var service = content.texts.count
    if let last = content.runs.last, self.labels.first == labels.first {
      service = last.service
    } else {
      content.texts.append(labels[0])
    }
    var firstLabel = content.texts.count
    if let last = content.runs.last, self.labels == labels {
      firstLabel = last.firstLabel
    } else {
      for label in labels.dropFirst() { content.texts.append(label) }
    }
    self.labels = labels
    self.layout = layout
    writtenCount = 0
    content.runs.append(
      CallCells.Run(
        service: service, firstLabel: firstLabel, kind: kind, key: CallKey(of: labels), firstCell: content.cells.count,
        layout: layout, firstByte: packer.begin()))
  }

  /// - Parameter durations: ascending.
  mutating func addCell(_ minute: UInt32, errorCount: UInt32, _ durations: UnsafeBufferPointer<UInt64>) {
    if isFolded { content.places.append(writtenCount) }
    let count = UInt32(truncatingIfNeeded: durations.count)
    addCell(minute, errorCount, callCount: count)
    packer.append(durations, layout)
    writtenCount &+= count
  }

  /// - Precondition: the shape is folded, and so many calls are estimated.
  mutating func addCell(_ minute: UInt32, errorCount: UInt32, _ tally: BucketTally) {
    content.places.append(UInt32(truncatingIfNeeded: content.buckets.count))
    tally.appendBuckets(to: &content.buckets)
    addCell(minute, errorCount, callCount: UInt32(truncatingIfNeeded: tally.count))
  }

  private mutating func addCell(_ minute: UInt32, _ errorCount: UInt32, callCount count: UInt32) {
    content.cells.append(CallMinute(minute: minute, errorCount: errorCount, firstCall: callCount))
    callCount &+= count
  }

  consuming func finish() -> Content {
    content.cells.append(CallMinute(minute: 0, errorCount: 0, firstCall: callCount))
    _ = packer.begin()
    content.words = packer.words
    return content
  }
}

extension [[UInt8]] {
  /// By the bytes of the first labels that differ.
  package func precedes(_ other: [[UInt8]]) -> Bool {
    for (own, others) in zip(self, other) where own != others { return own.lexicographicallyPrecedes(others) }
    return count < other.count
  }
}
