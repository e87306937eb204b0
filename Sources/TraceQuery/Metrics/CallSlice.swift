import TraceSource

/// Buckets whose calls are held at once.
struct CallSlice: Sendable {
  var starts: ClosedRange<UInt64>
  var readings: [CallReading]
  /// A bucket with more calls than are held: a few readings at a time, whose calls are folded into sketches.
  var isFolded: Bool
  /// Buckets whose cells are known: nothing is read of them.
  var known: Range<UInt64>?

  /// Ascending slices, together all buckets of the window that have calls.
  static func slices(_ places: CallPlaces, _ scan: CallScan, maximumCallCount: Int) -> [CallSlice] {
    let window = scan.selection.starts
    let width = scan.bucketNanoseconds
    var slices: [CallSlice] = []
    func add(_ buckets: ClosedRange<UInt64>) {
      let first = max(buckets.lowerBound * width, window.lowerBound)
      let (end, isBeyond) = (buckets.upperBound * width).addingReportingOverflow(width - 1)
      let starts = first...(isBeyond ? window.upperBound : min(end, window.upperBound))
      let readings = places.readings(in: starts)
      if readings.isEmpty { return }
      if readings.heldCallCount <= Double(maximumCallCount) {
        return slices.append(CallSlice(starts: starts, readings: readings, isFolded: false))
      }
      // Cells are whole, however short the slice: what is left to be gained by cutting is known of rows alone.
      let narrow = readings.flatMap(\.narrowest)
      if narrow.heldCallCount <= Double(maximumCallCount) {
        slices.append(CallSlice(starts: starts, readings: narrow, isFolded: false))
      } else if buckets.lowerBound == buckets.upperBound {
        slices.append(CallSlice(starts: starts, readings: readings, isFolded: true))
      } else {
        let middle = buckets.lowerBound + (buckets.upperBound - buckets.lowerBound) / 2
        add(buckets.lowerBound...middle)
        add((middle + 1)...buckets.upperBound)
      }
    }
    add(window.lowerBound / width...window.upperBound / width)
    return slices
  }

  /// The same of everything, where nothing is known of the question.
  static func slices(_ search: MetricsSearch, _ scan: CallScan, _ repeats: RepeatedRows) -> [CallSlice] {
    slices(CallPlaces(search, scan, repeats), scan, maximumCallCount: search.maximumRowCount)
  }

  /// Ascending slices, together all buckets of the window that have calls, with what is known of a question; without it
  /// where it saves little.
  static func slices(
    _ plan: AskedPlan, _ search: MetricsSearch, _ scan: CallScan, _ repeats: RepeatedRows
  ) -> [CallSlice] {
    let (window, width) = (scan.selection.starts, scan.bucketNanoseconds)
    var unknown: [ClosedRange<UInt64>] = []
    var first = window.lowerBound
    for range in plan.usable.ranges {
      let start = range.lowerBound * width
      if first < start { unknown.append(first...start - 1) }
      first = range.upperBound * width
    }
    if first <= window.upperBound { unknown.append(first...window.upperBound) }
    let places = CallPlaces(search, scan, repeats) { _, stripe in
      unknown.contains { stripe.bounds.mayStart(in: $0) }
    }
    var slices = plan.usable.ranges.map { range in
      CallSlice(
        starts: range.lowerBound * width...range.upperBound * width - 1, readings: [], isFolded: false, known: range)
    }
    // What is unknown may lie scattered, and each piece of it reads all stripes that overlap it.
    let ownCallCount = places.readings(in: window).greatestCallCount
    lazy var everything = self.slices(search, scan, repeats)
    lazy var everyCallCount = everything.reduce(0) { $0 + $1.readings.greatestCallCount }
    var callCount = 0
    for starts in unknown {
      var own = scan
      own.selection.starts = starts
      for slice in self.slices(places, own, maximumCallCount: search.maximumRowCount) {
        slices.append(slice)
        callCount += slice.readings.greatestCallCount
      }
      if callCount > ownCallCount, callCount >= everyCallCount / 2 { return everything }
    }
    return slices.sorted { $0.starts.lowerBound < $1.starts.lowerBound }
  }

  /// The readings in parts that may be held. All rows of a stripe may start in one bucket.
  func waves(maximumCallCount: Int) -> [[CallReading]] {
    var waves: [[CallReading]] = []
    var callCount = 0
    for reading in readings {
      let own = reading.greatestCallCount
      if waves.isEmpty || callCount + own > maximumCallCount {
        waves.append([])
        callCount = 0
      }
      waves[waves.count - 1].append(reading)
      callCount += own
    }
    return waves
  }
}
