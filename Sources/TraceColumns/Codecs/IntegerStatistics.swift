import TraceBytes

/// What the choice among encodings needs to know about a page, gathered in two passes without allocation on
/// the page's own account: the buffers belong to the codec's workspace and are reused.
///
/// All figures speak about the *reduced* values `(value - base) / scale`.
struct IntegerStatistics {
  var count = 0
  /// The least value, which every encoding subtracts.
  var base: UInt64 = 0
  var scale = IntegerScale.one
  /// The greatest reduced value.
  var maximum: UInt64 = 0
  /// How many runs of equal values there are.
  var runCount = 0
  /// The longest run.
  var longestRun = 0
  /// The least and the greatest difference of neighbours, as signed numbers modulo 2^64.
  var minimumDelta: Int64 = 0
  var maximumDelta: Int64 = 0

  /// The bits that one exception of `PatchedBits` needs for its position.
  static let positionWidth = 10

  /// The size of `PatchedBits` for values with this histogram of widths, and the width to pack at.
  static func bestPatch(
    _ histogram: UnsafePointer<UInt16>, count: Int, maximumWidth: Int
  ) -> (byteCount: Int, width: Int, exceptionCount: Int) {
    var best = (byteCount: Int.max, width: maximumWidth, exceptionCount: 0)
    var exceptionCount = 0
    var width = maximumWidth
    while width >= 0 {
      let byteCount = PatchedBits.byteCount(
        count: count, width: width, exceptionCount: exceptionCount, highWidth: maximumWidth &- width)
      if byteCount < best.byteCount { best = (byteCount, width, exceptionCount) }
      exceptionCount &+= Int(histogram[width])
      width &-= 1
    }
    return best
  }
}

/// Buffers for one page, reused from page to page. Not thread-safe: one per worker.
final class IntegerWorkspace {
  /// The reduced values of the page.
  let reduced: UnsafeMutablePointer<UInt64>
  /// What an encoding computes on its way: deltas, run values, indices.
  let first: UnsafeMutablePointer<UInt64>
  let second: UnsafeMutablePointer<UInt64>
  /// Widths, zigzagged deltas' widths, and a second pair that is added to them in the end.
  private let histograms: UnsafeMutablePointer<UInt16>
  private static let histogramCount = 65
  /// Distinct values and how often each occurs.
  @exclusivity(unchecked) var dictionary = SmallDictionary()
  /// Whether `dictionary` and the indices in `second` describe the page at hand.
  var hasDictionary = false
  /// The steps of the plan that `StepIntegers` proposed last.
  let steps = StepTable()
  /// The code lengths of the plan that the Huffman encoding proposed last.
  let codeLengths: UnsafeMutablePointer<UInt64>

  init() {
    reduced = .allocate(capacity: IntegerPage.maximumCount)
    first = .allocate(capacity: IntegerPage.maximumCount)
    second = .allocate(capacity: IntegerPage.maximumCount)
    histograms = .allocate(capacity: 4 * Self.histogramCount)
    codeLengths = .allocate(capacity: SmallDictionary.maximumCount)
  }

  deinit {
    reduced.deallocate()
    first.deallocate()
    second.deallocate()
    histograms.deallocate()
    codeLengths.deallocate()
  }

  /// `widths[w]` reduced values need exactly `w` bits.
  var widths: UnsafePointer<UInt16> { UnsafePointer(histograms) }
  /// The same for zigzagged deltas.
  var deltaWidths: UnsafePointer<UInt16> { UnsafePointer(histograms + Self.histogramCount) }

  /// Fills `reduced` and the histograms.
  func survey(_ values: UnsafeBufferPointer<UInt64>) -> IntegerStatistics {
    var statistics = IntegerStatistics()
    statistics.count = values.count
    guard let head = values.first else { return statistics }
    var minimum = head
    var maximum = head
    var differing: UInt64 = 0
    var index = 1
    while index < values.count {
      let value = values[index]
      minimum = min(minimum, value)
      maximum = max(maximum, value)
      differing |= value ^ head
      index &+= 1
    }
    statistics.base = minimum
    guard maximum != minimum else {
      statistics.runCount = 1
      statistics.longestRun = values.count
      reduced.update(repeating: 0, count: values.count)
      return statistics
    }
    // The lowest bit in which values differ is the lowest bit of their differences from the least one.
    statistics.scale = .common(to: values, minimum: minimum, differingBits: differing)
    reduce(values, base: minimum, scale: statistics.scale)
    statistics.maximum = (maximum &- minimum) / statistics.scale.factor
    surveyReduced(&statistics)
    return statistics
  }

  private func reduce(_ values: UnsafeBufferPointer<UInt64>, base: UInt64, scale: IntegerScale) {
    var index = 0
    let count = values.count
    if scale.factor == 1 {
      while index < count {
        reduced[index] = values[index] &- base
        index &+= 1
      }
    } else if scale.code > 9 {
      let shift = UInt64(scale.code - 0x40)
      while index < count {
        reduced[index] = (values[index] &- base) &>> shift
        index &+= 1
      }
    } else {
      let exponent = UInt64(scale.code)
      let inverse = IntegerScale.inverse(ofPowerOfFive: scale.code)
      while index < count {
        reduced[index] = ((values[index] &- base) &>> exponent) &* inverse
        index &+= 1
      }
    }
  }

  /// Two neighbours at a time, with histograms of their own: counting twice in the same place waits for memory.
  private func surveyReduced(_ statistics: inout IntegerStatistics) {
    let histograms = histograms
    histograms.update(repeating: 0, count: 4 * Self.histogramCount)
    let oddWidths = histograms + 2 * Self.histogramCount
    let count = statistics.count
    var previous = reduced[0]
    var minimumDelta = Int64.max
    var maximumDelta = Int64.min
    var runCount = 1
    var runLength = 1
    var longestRun = 1
    @inline(__always)
    func take(_ index: Int, into widths: UnsafeMutablePointer<UInt16>) {
      let value = reduced[index]
      widths[BitPacking.width(of: value)] &+= 1
      let delta = Int64(bitPattern: value &- previous)
      minimumDelta = min(minimumDelta, delta)
      maximumDelta = max(maximumDelta, delta)
      widths[Self.histogramCount &+ BitPacking.width(of: zigzag(delta))] &+= 1
      let isNew = delta == 0 ? 0 : 1
      runCount &+= isNew
      runLength = (runLength & (isNew &- 1)) &+ 1
      longestRun = max(longestRun, runLength)
      previous = value
    }
    histograms[BitPacking.width(of: previous)] &+= 1
    var index = 1
    while index &+ 1 < count {
      take(index, into: histograms)
      take(index &+ 1, into: oddWidths)
      index &+= 2
    }
    if index < count { take(index, into: histograms) }
    index = 0
    while index < 2 * Self.histogramCount {
      histograms[index] &+= oddWidths[index]
      index &+= 1
    }
    statistics.runCount = runCount
    statistics.longestRun = longestRun
    statistics.minimumDelta = minimumDelta
    statistics.maximumDelta = maximumDelta
  }
}
