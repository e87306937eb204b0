/// What calls come to in whole numbers: how many, how many failed, how long together, the shortest and the longest.
package struct CallFigures: Hashable, Sendable {
  package private(set) var callCount: UInt64 = 0
  package private(set) var errorCount: UInt64 = 0
  /// Nanoseconds. 128 bits: 2^64 calls of 584 years fit.
  package private(set) var durationSum: UInt128 = 0
  /// The shortest and longest in nanoseconds; nil of nothing, and after `subtract`.
  package private(set) var durations: ClosedRange<UInt64>?

  package init() {}

  /// From figures that come from elsewhere: nil when no calls can have them.
  package init?(callCount: UInt64, errorCount: UInt64, durationSum: UInt128, durations: ClosedRange<UInt64>) {
    let count = UInt128(callCount)
    guard callCount > 0, errorCount <= callCount, durationSum >= count * UInt128(durations.lowerBound),
      durationSum <= count * UInt128(durations.upperBound)
    else { return nil }
    add(calls: callCount, errors: errorCount, sum: durationSum, durations: durations)
  }

  /// Adds calls by their durations in nanoseconds, of which some were errors.
  package mutating func update(_ batch: UnsafeBufferPointer<UInt64>, errorCount errors: Int) {
    guard let first = batch.first else { return }
    // Two sums of half words cannot overflow before 2^32 calls, and a processor adds several pairs at once.
    var low: UInt64 = 0
    var high: UInt64 = 0
    var least = first
    var greatest = first
    var index = 0
    while index < batch.count {
      let duration = batch[index]
      low &+= duration & 0xffff_ffff
      high &+= duration &>> 32
      least = min(least, duration)
      greatest = max(greatest, duration)
      index &+= 1
    }
    add(
      calls: UInt64(batch.count), errors: UInt64(errors), sum: UInt128(high) << 32 + UInt128(low),
      durations: callCount == 0
        ? least...greatest : durations.map { min($0.lowerBound, least)...max($0.upperBound, greatest) })
  }

  package mutating func merge(_ other: CallFigures) {
    guard other.callCount > 0 else { return }
    let both = durations.flatMap { own in
      other.durations.map { min(own.lowerBound, $0.lowerBound)...max(own.upperBound, $0.upperBound) }
    }
    add(
      calls: other.callCount, errors: other.errorCount, sum: other.durationSum,
      durations: callCount == 0 ? other.durations : both)
  }

  /// Takes out what was merged or updated before. The shortest and longest are not known afterwards, unless nothing is
  /// left.
  package mutating func subtract(_ other: CallFigures) {
    guard other.callCount > 0 else { return }
    precondition(
      other.callCount <= callCount && other.errorCount <= errorCount && other.durationSum <= durationSum,
      "figures are subtracted that are no part")
    callCount -= other.callCount
    errorCount -= other.errorCount
    durationSum -= other.durationSum
    durations = nil
  }

  /// The mean duration in nanoseconds; nil of nothing.
  package func finish() -> Double? {
    callCount == 0
      ? nil : Double(durationSum / UInt128(callCount)) + Double(durationSum % UInt128(callCount)) / Double(callCount)
  }

  private mutating func add(calls: UInt64, errors: UInt64, sum: UInt128, durations: ClosedRange<UInt64>?) {
    callCount += calls
    errorCount += errors
    durationSum += sum
    self.durations = durations
  }
}
