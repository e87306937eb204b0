/// How many durations fall into each bucket of the log-linear scale, for the buckets that have any.
///
/// Says what `DurationHistogram` says, in memory that follows what is there: for figures that are kept by the hundred
/// thousand, the durations of each few and octaves apart.
package struct BucketCounts: Hashable, Sendable {
  package struct Entry: Hashable, Sendable {
    package var bucket: UInt16
    package var count: UInt64

    package init(bucket: UInt16, count: UInt64) {
      self.bucket = bucket
      self.count = count
    }
  }

  /// Ascending by bucket; no count is 0.
  package private(set) var entries: [Entry] = []
  /// All durations.
  package private(set) var count: UInt64 = 0

  package init() {}

  /// From entries that come from elsewhere: nil when they do not ascend, lie outside of the scale, are empty, or count
  /// more than fits.
  package init?(_ entries: [Entry]) {
    var previous = -1
    for entry in entries {
      let (sum, isTooMuch) = count.addingReportingOverflow(entry.count)
      guard Int(entry.bucket) > previous, Int(entry.bucket) < LogLinearScale.bucketCount, entry.count > 0, !isTooMuch
      else { return nil }
      previous = Int(entry.bucket)
      count = sum
    }
    self.entries = entries
  }

  /// Adds durations in nanoseconds.
  package mutating func update(_ durations: UnsafeBufferPointer<UInt64>) {
    var own = BucketCounts()
    for bucket in durations.map({ UInt16(truncatingIfNeeded: LogLinearScale.bucket(of: $0)) }).sorted() {
      if own.entries.last?.bucket == bucket {
        own.entries[own.entries.count - 1].count += 1
      } else {
        own.entries.append(Entry(bucket: bucket, count: 1))
      }
    }
    own.count = UInt64(durations.count)
    merge(own)
  }

  /// Adds a duration by its bucket, and says whether the bucket is a new one.
  package mutating func add(bucket: UInt16) -> Bool {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low &+ high) &>> 1
      if entries[middle].bucket < bucket { low = middle &+ 1 } else { high = middle }
    }
    count &+= 1
    if low < entries.count, entries[low].bucket == bucket {
      entries[low].count &+= 1
      return false
    }
    entries.insert(Entry(bucket: bucket, count: 1), at: low)
    return true
  }

  package mutating func merge(_ other: BucketCounts) {
    var merged: [Entry] = []
    merged.reserveCapacity(entries.count + other.entries.count)
    var (place, otherPlace) = (0, 0)
    while place < entries.count || otherPlace < other.entries.count {
      let own = place < entries.count ? entries[place] : nil
      let their = otherPlace < other.entries.count ? other.entries[otherPlace] : nil
      guard let own else {
        merged += other.entries[otherPlace...]
        break
      }
      guard let their else {
        merged += entries[place...]
        break
      }
      if own.bucket <= their.bucket { place += 1 }
      if their.bucket <= own.bucket { otherPlace += 1 }
      merged.append(
        own.bucket == their.bucket
          ? Entry(bucket: own.bucket, count: own.count + their.count) : own.bucket < their.bucket ? own : their)
    }
    entries = merged
    count += other.count
  }

  /// What stands for the durations around a rank, at most `LogLinearScale.relativeError` from what these would give.
  ///
  /// - Precondition: the rank is of `count`.
  package func finish(_ rank: QuantileRank) -> Double {
    rank.value(LogLinearScale.middle(of: bucket(at: rank.lower)), LogLinearScale.middle(of: bucket(at: rank.upper)))
  }

  /// The duration of rank ⌈share × count⌉ (at least 1), by the middle of its bucket; 0 when there are none.
  package func nearestRank(_ share: Double) -> UInt64 {
    if count == 0 { return 0 }
    let rank = (share * Double(count)).rounded(.up)
    let place = rank >= Double(count) ? count - 1 : rank >= 1 ? UInt64(rank) - 1 : 0
    return LogLinearScale.middle(of: bucket(at: place))
  }

  private func bucket(at place: UInt64) -> Int {
    var before: UInt64 = 0
    for entry in entries {
      before += entry.count
      if place < before { return Int(entry.bucket) }
    }
    preconditionFailure("a place behind all durations")
  }
}
