import Testing
import TraceAggregate
import TraceModel

/// Numbers of all magnitudes, many of them equal.
private struct DurationSource: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }

  mutating func durations(maximumCount: Int) -> [UInt64] {
    let magnitude = next() % 65
    return (0..<Int.random(in: 0...maximumCount, using: &self)).map { _ in
      let value = next() >> (next() % 4 == 0 ? next() % 64 : 64 - max(1, magnitude))
      return next() % 3 == 0 ? value & 0xff : value
    }
  }
}

private func histogram(_ durations: [UInt64]) -> DurationHistogram {
  var histogram = DurationHistogram()
  durations.withUnsafeBufferPointer { histogram.update($0) }
  return histogram
}

private func sketch(_ durations: [UInt64]) -> DurationSketch {
  var sketch = DurationSketch()
  durations.withUnsafeBufferPointer { sketch.update($0) }
  return sketch
}

private func figures(_ durations: [UInt64]) -> CallFigures {
  var figures = CallFigures()
  durations.withUnsafeBufferPointer { figures.update($0, errorCount: durations.count / 3) }
  return figures
}

/// By definition: sorted, a straight line between neighbours.
private func quantile(_ q: Double, _ durations: [UInt64]) -> Double {
  let sorted = durations.sorted()
  let place = q * Double(sorted.count - 1)
  let lower = Int(place)
  if lower + 1 >= sorted.count { return Double(sorted[sorted.count - 1]) }
  if place == Double(lower) { return Double(sorted[lower]) }
  return Double(sorted[lower]) + Double(sorted[lower + 1] - sorted[lower]) * (place - Double(lower))
}

/// The buckets of a histogram as they are kept.
private func packed<Result>(_ histogram: DurationHistogram, _ body: (PackedBuckets) -> Result) -> Result {
  var bytes: [UInt8] = []
  histogram.appendBuckets(to: &bytes)
  // What stands behind a list is not looked at.
  bytes.append(0xff)
  return bytes.withUnsafeBufferPointer {
    body(PackedBuckets($0.baseAddress.unsafelyUnwrapped, count: histogram.count))
  }
}

/// Merged as lists of buckets.
private func unpacked(_ parts: [[UInt64]]) -> DurationHistogram {
  var merged = DurationHistogram()
  for part in parts {
    let part = histogram(part)
    packed(part) { merged.merge($0) }
  }
  return merged
}

private let quantiles = [0, 0.001, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1]

@Suite struct AggregateLawTests {
  @Test func `buckets tile all durations, and their middles are near`() {
    var next: UInt64 = 0
    for bucket in 0..<LogLinearScale.bucketCount {
      let values = LogLinearScale.values(of: bucket)
      #expect(values.lowerBound == next)
      for value in [values.lowerBound, values.upperBound, LogLinearScale.middle(of: bucket)] {
        #expect(LogLinearScale.bucket(of: value) == bucket)
        let distance = Double(
          max(value, LogLinearScale.middle(of: bucket)) - min(value, LogLinearScale.middle(of: bucket)))
        #expect(distance <= Double(value) * LogLinearScale.relativeError)
      }
      next = values.upperBound &+ 1
    }
    #expect(next == 0, "the last bucket ends with the greatest duration")
  }

  @Test func `parts merged in any order are the whole, and subtracting undoes merging`() {
    for seed in 0..<60 as Range<UInt64> {
      var source = DurationSource(state: seed)
      let parts = (0..<4).map { _ in source.durations(maximumCount: 150) }
      let all = parts.flatMap(\.self)
      var (merged, mergedFigures, mergedSketch) = (DurationHistogram(), CallFigures(), DurationSketch())
      for part in parts.shuffled(using: &source) {
        merged.merge(histogram(part))
        mergedFigures.merge(figures(part))
        mergedSketch.merge(sketch(part))
      }
      let whole = histogram(all.shuffled(using: &source))
      #expect(merged == whole, "seed \(seed)")
      #expect(unpacked(parts) == whole, "seed \(seed)")
      #expect(mergedFigures.callCount == UInt64(all.count), "seed \(seed)")
      #expect(mergedFigures.durationSum == all.reduce(0) { $0 + UInt128($1) }, "seed \(seed)")
      #expect(mergedFigures.durations == all.min().flatMap { least in all.max().map { least...$0 } }, "seed \(seed)")
      #expect(mergedSketch.isExact == DurationSketch.isExact(count: UInt64(all.count)), "seed \(seed)")
      for q in quantiles { #expect(mergedSketch.finish(q) == sketch(all).finish(q), "seed \(seed), \(q)") }

      var left = whole
      left.subtract(histogram(parts[0]))
      #expect(left == histogram(parts[1...].flatMap(\.self)), "seed \(seed)")
      var leftFigures = figures(parts[0])
      leftFigures.merge(figures(all))
      leftFigures.subtract(figures(parts[0]))
      #expect(leftFigures.callCount == figures(all).callCount, "seed \(seed)")
      #expect(leftFigures.errorCount == figures(all).errorCount, "seed \(seed)")
      #expect(leftFigures.durationSum == figures(all).durationSum, "seed \(seed)")
      if !parts[0].isEmpty { #expect(leftFigures.durations == nil) }
    }
  }

  @Test func `an estimate is within its bound, and a second pass makes it exact`() {
    for seed in 0..<60 as Range<UInt64> {
      var source = DurationSource(state: 1000 + seed)
      let all = source.durations(maximumCount: seed % 2 == 0 ? 1500 : 20)
      guard !all.isEmpty else { continue }
      let own = sketch(all)
      for q in quantiles {
        let exact = quantile(q, all)
        let rank = QuantileRank(q, of: UInt64(all.count))
        var values = all
        let (lower, upper) = values.withUnsafeMutableBufferPointer { Selection.neighbours(of: rank, in: $0) }
        #expect(rank.value(lower, upper) == exact, "seed \(seed), \(q)")
        let estimate = histogram(all).finish(rank)
        #expect(rank.estimate(lower, upper) == estimate, "seed \(seed), \(q)")
        // A rounding of the last bit may come on top.
        #expect(abs(estimate - exact) <= exact * (LogLinearScale.relativeError + 1e-12), "seed \(seed), \(q)")
        guard var search = own.search(q) else {
          #expect(own.finish(q) == exact, "seed \(seed), \(q)")
          continue
        }
        for part in [all[..<(all.count / 2)], all[(all.count / 2)...]] {
          Array(part).withUnsafeBufferPointer { search.update($0) }
        }
        #expect(search.finish() == exact, "seed \(seed), \(q)")
      }
    }
  }

  @Test(arguments: [1, 999, 1_000, 1_000_000] as [UInt64])
  func `packed durations are what was packed`(unit: UInt64) {
    for seed in 0..<65 as Range<UInt64> {
      var source = DurationSource(state: 5000 + seed)
      // Every width, and lists that begin at any bit.
      let lists = (0..<5).map { _ in
        source.durations(maximumCount: 40).map { ($0 >> (seed % 65)) / unit * unit }.sorted()
      }
      let all = lists.flatMap(\.self)
      let layout = all.withUnsafeBufferPointer { PackedDurations.Layout(for: $0) }
      #expect(unit == 999 || all.isEmpty || UInt64(layout.unit) >= unit, "seed \(seed)")
      var packer = DurationPacker()
      // What another run has stands before it.
      _ = packer.begin()
      [1].withUnsafeBufferPointer { packer.append($0, PackedDurations.Layout(for: $0)) }
      let firstByte = packer.begin()
      // However they come.
      for list in [Array(all.prefix(3)), Array(all.dropFirst(3))] {
        list.withUnsafeBufferPointer { packer.append($0, layout) }
      }
      _ = packer.begin()
      let written = packer.words
      let memory = UnsafeMutableRawBufferPointer.allocate(
        byteCount: written.count * 8 + PackedDurations.slackByteCount, alignment: 1)
      defer { memory.deallocate() }
      memory.initializeMemory(as: UInt8.self, repeating: 0)
      written.withUnsafeBytes { memory.copyMemory(from: $0) }
      guard let base = memory.baseAddress else { return }
      let packed = PackedDurations(UnsafeRawPointer(base) + firstByte, layout, count: UInt32(all.count))
      check(packed, holds: lists.filter { !$0.isEmpty }, "seed \(seed)")
      var first = 0
      for list in lists where !list.isEmpty {
        let part = packed.part(from: first, count: UInt32(list.count))
        first += list.count
        var words = list.map { _ in UInt64(7) }
        words.withUnsafeMutableBufferPointer { words in
          if let first = words.baseAddress { part.unpack(1..<words.count, into: first + 1) }
        }
        #expect(words.dropFirst() == list.dropFirst(), "seed \(seed)")
        for q in quantiles {
          let rank = QuantileRank(q, of: UInt64(list.count))
          let (lower, upper) = part.neighbours(of: rank)
          #expect(rank.value(lower, upper) == quantile(q, list), "seed \(seed), \(q)")
        }
      }
    }
  }

  /// All quantiles of cells at once, exact and as a sketch of as many has them.
  private func check(_ packed: PackedDurations, holds lists: [[UInt64]], _ what: Comment) {
    var cells: [CallMinute] = []
    var count: UInt32 = 100
    for list in lists {
      cells.append(CallMinute(minute: UInt32(cells.count), errorCount: 0, firstCall: count))
      count += UInt32(list.count)
    }
    cells.append(CallMinute(minute: 0, errorCount: 0, firstCall: count))
    for q in quantiles {
      for isExact in [false, true] {
        var values = lists.map { _ in -1.0 }
        values.withUnsafeMutableBufferPointer { values in
          cells.withUnsafeBufferPointer {
            if let first = values.baseAddress { packed.quantiles(q, of: $0, isExact: isExact, into: first) }
          }
        }
        #expect(values == lists.map { isExact ? quantile(q, $0) : sketch($0).finish(q) ?? -1 }, what)
      }
    }
  }

  @Test func `quantiles of cells with many calls are those of a sketch`() {
    var source = DurationSource(state: 77)
    let lists = [255, 256, 700].map { count in
      (0..<count).map { _ in source.next() >> (30 + source.next() % 20) }.sorted()
    }
    let all = lists.flatMap(\.self)
    var packer = DurationPacker()
    let layout = all.withUnsafeBufferPointer { PackedDurations.Layout(for: $0) }
    all.withUnsafeBufferPointer { packer.append($0, layout) }
    _ = packer.begin()
    (packer.words + [0]).withUnsafeBytes { memory in
      guard let base = memory.baseAddress else { return }
      check(PackedDurations(base, layout, count: UInt32(all.count)), holds: lists, "\(layout)")
    }
  }

  @Test func `counts of any size come back from a few bytes`() {
    for count in [
      1, 2, 9, 10, 15, 16, 17, 31, 32, 127, 128, 129, 1000, 65_535, 524_287, 524_288, 3_000_000, 1 << 31,
    ] as [UInt64] {
      var histogram = DurationHistogram()
      var single = DurationHistogram()
      single.update(5_000)
      // Doubled and added bit by bit.
      for bit in (0..<UInt64.bitWidth).reversed() {
        histogram.merge(histogram)
        if count >> UInt64(bit) & 1 == 1 { histogram.merge(single) }
      }
      #expect(histogram.count == count)
      guard count < 1 << 31 else {
        // One more bucket behind it, far off.
        histogram.update(.max)
        var merged = DurationHistogram()
        packed(histogram) { merged.merge($0) }
        #expect(merged == histogram)
        continue
      }
      packed(histogram) { buckets in
        var sum: UInt64 = 0
        var entryCount = 0
        buckets.forEachBucket { bucket, count in
          #expect(bucket == LogLinearScale.bucket(of: 5_000))
          sum += count
          entryCount += 1
        }
        #expect(sum == count)
        #expect(entryCount <= 2 + 3 * (UInt64.bitWidth - count.leadingZeroBitCount), "\(count): \(entryCount)")
      }
      var merged = DurationHistogram()
      packed(histogram) { merged.merge($0) }
      #expect(merged == histogram)
    }
  }

  @Test func `a tally says what a histogram says, however its durations come`() {
    var tally = BucketTally()
    for seed in 0..<60 as Range<UInt64> {
      var source = DurationSource(state: 9000 + seed)
      let parts = (0..<4).map { _ in source.durations(maximumCount: 150) }
      let all = parts.flatMap(\.self)
      // In the memory of the one before.
      tally.clear()
      for (place, part) in parts.enumerated() {
        if place % 2 == 0 {
          part.withUnsafeBufferPointer { tally.update($0) }
        } else {
          packed(histogram(part)) { tally.merge($0) }
        }
      }
      let whole = histogram(all)
      #expect(tally.count == whole.count, "seed \(seed)")
      guard !all.isEmpty else { continue }
      var buckets: [UInt8] = []
      tally.appendBuckets(to: &buckets)
      var expected: [UInt8] = []
      whole.appendBuckets(to: &expected)
      #expect(buckets == expected, "seed \(seed)")
      for q in quantiles {
        let rank = QuantileRank(q, of: whole.count)
        let estimate = packed(whole) { rank.estimate($0) }
        #expect(estimate == whole.finish(rank), "seed \(seed), \(q)")
        #expect(rank.value(tally.value(at: rank.lower), tally.value(at: rank.upper)) == estimate, "seed \(seed), \(q)")
      }
    }
  }

  @Test(arguments: 0..<60 as Range<UInt64>)
  func `values by rank are found among lists that ascend`(_ seed: UInt64) {
    var source = DurationSource(state: 12_000 + seed)
    var lists: [[UInt64]] = []
    for _ in 0..<Int.random(in: 1...40, using: &source) {
      // Empty ones, equal ones, and one that has nearly all.
      let maximumCount = [0, 3, 30, 300, 3000][Int(source.next() % 5)]
      lists.append(source.durations(maximumCount: maximumCount).sorted())
      if source.next() % 6 == 0 { lists.append(lists[0]) }
    }
    let all = lists.flatMap(\.self).sorted()
    if all.isEmpty { return }
    let layout = all.withUnsafeBufferPointer { PackedDurations.Layout(for: $0) }
    var packer = DurationPacker()
    for list in lists { list.withUnsafeBufferPointer { packer.append($0, layout) } }
    _ = packer.begin()
    let words = packer.words + [0]
    words.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      let packed = PackedDurations(base, layout, count: UInt32(all.count))
      var ascending = AscendingLists()
      // What was asked before leaves nothing behind.
      for _ in 0..<2 {
        ascending.clear()
        var place = 0
        for list in lists {
          ascending.append(packed.part(from: place, count: UInt32(list.count)))
          place += list.count
        }
        for q in quantiles {
          let rank = QuantileRank(q, of: UInt64(all.count))
          let (lower, upper) = ascending.neighbours(of: rank)
          #expect(lower == all[Int(rank.lower)] && upper == all[Int(rank.upper)], "seed \(seed), \(q)")
        }
      }
    }
  }

  @Test func `counts of the buckets that occur say what a histogram says`() {
    for seed in 0..<60 as Range<UInt64> {
      var source = DurationSource(state: 3000 + seed)
      let parts = (0..<4).map { _ in source.durations(maximumCount: 150) }
      let all = parts.flatMap(\.self)
      var merged = BucketCounts()
      for part in parts.shuffled(using: &source) {
        var own = BucketCounts()
        part.withUnsafeBufferPointer { own.update($0) }
        merged.merge(own)
      }
      var whole = BucketCounts()
      all.withUnsafeBufferPointer { whole.update($0) }
      #expect(merged == whole, "seed \(seed)")
      #expect(BucketCounts(whole.entries) == whole, "seed \(seed)")
      let dense = histogram(all)
      #expect(whole.count == dense.count, "seed \(seed)")
      #expect(whole.entries.map(\.count) == dense.counts.filter { $0 > 0 }, "seed \(seed)")
      guard !all.isEmpty else { continue }
      for q in quantiles {
        let rank = QuantileRank(q, of: whole.count)
        #expect(whole.finish(rank) == dense.finish(rank), "seed \(seed), \(q)")
      }
    }
  }

  @Test func `entries and figures that nothing has are refused`() {
    func counts(_ entries: [(UInt16, UInt64)]) -> BucketCounts? {
      BucketCounts(entries.map { BucketCounts.Entry(bucket: $0, count: $1) })
    }
    #expect(counts([(3, 1), (5, 2)])?.count == 3)
    let unsound: [[(UInt16, UInt64)]] = [
      [(5, 1), (3, 1)], [(3, 1), (3, 1)], [(3, 0)], [(1920, 1)], [(3, .max), (4, 1)],
    ]
    for entries in unsound {
      #expect(counts(entries) == nil, "\(entries)")
    }
    func figures(_ calls: UInt64, _ errors: UInt64, _ sum: UInt128) -> CallFigures? {
      CallFigures(callCount: calls, errorCount: errors, durationSum: sum, durations: 2...5)
    }
    #expect(figures(2, 2, 7)?.finish() == 3.5)
    #expect(figures(0, 0, 0) == nil && figures(2, 3, 7) == nil && figures(2, 0, 3) == nil && figures(2, 0, 11) == nil)
  }

  @Test func `the slowest are the slowest whatever comes first`() {
    for seed in 0..<50 as Range<UInt64> {
      var source = DurationSource(state: 2000 + seed)
      let entries = (0..<12).map { index in
        SlowestSpans.Entry(
          duration: source.next() % 4, trace: TraceID(high: 0, low: source.next() % 3 + 1), span: UInt64(index))
      }
      var parts = (SlowestSpans(), SlowestSpans())
      parts.0.update(Array(entries[..<5]))
      parts.1.update(Array(entries[5...]))
      parts.1.merge(parts.0)
      #expect(parts.1.finish() == Array(entries.sorted().prefix(SlowestSpans.maximumCount)), "seed \(seed)")
    }
  }

  @Test func `the nearest rank is that of the sorted durations, whether they come one by one or together`() {
    var source = DurationSource(state: 41)
    for _ in 0..<200 {
      let durations = source.durations(maximumCount: 40)
      var single = DurationHistogram()
      for duration in durations { single.update(duration) }
      #expect(single == histogram(durations))
      let sorted = durations.sorted()
      for share in [0.0, 0.1, 0.5, 0.75, 0.95, 1.0] {
        guard !sorted.isEmpty else {
          #expect(single.nearestRank(share) == 0)
          continue
        }
        let exact = sorted[max(1, Int((share * Double(sorted.count)).rounded(.up))) - 1]
        let found = single.nearestRank(share)
        #expect(max(found, exact) - min(found, exact) <= exact / 64, "\(share) of \(sorted)")
      }
    }
  }
}

@Suite struct OctaveCountsTests {
  @Test(arguments: 1...200 as ClosedRange<UInt64>)
  func `durations that come one by one count as they do together`(_ seed: UInt64) {
    var source = DurationSource(state: seed)
    let durations = source.durations(maximumCount: 300)
    var counts = OctaveCounts()
    var byteCount = 0
    for duration in durations { byteCount += counts.add(bucket: UInt16(LogLinearScale.bucket(of: duration))) }
    var expected = BucketCounts()
    durations.withUnsafeBufferPointer { expected.update($0) }
    #expect(counts.buckets == expected)
    #expect(OctaveCounts(expected).buckets == expected)
    // A page for each octave that has any, and the index.
    let octaves = Set(expected.entries.map { $0.bucket / 32 })
    #expect(byteCount == (durations.isEmpty ? 0 : 60 + 128 * octaves.count))
  }

  @Test func `counts of a bucket end at the greatest number`() {
    var counts = OctaveCounts()
    _ = counts.add(bucket: 1919, count: .max - 1)
    for _ in 0..<3 { _ = counts.add(bucket: 1919) }
    #expect(counts.buckets.entries == [BucketCounts.Entry(bucket: 1919, count: UInt64(UInt32.max))])
  }
}
