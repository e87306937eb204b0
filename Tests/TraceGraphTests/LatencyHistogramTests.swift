import Testing
import TraceGraph

@Suite struct LatencyHistogramTests {
  private static let values: [UInt64] = {
    var values = [UInt64](0...4096)
    for shift in 12..<64 as Range<UInt64> {
      let power: UInt64 = 1 << shift
      values += [power - 1, power, power + 1, power + power / 2]
    }
    return values + [.max]
  }()

  @Test func `buckets ascend with their values and their middles are near`() {
    var previous = 0
    for value in Self.values.sorted() {
      let bucket = LatencyHistogram.bucket(of: value)
      #expect(bucket >= previous && bucket < 1920, "\(value)")
      previous = bucket
      let middle = LatencyHistogram.middle(of: bucket)
      let error = middle > value ? middle - value : value - middle
      #expect(error <= value / 64, "\(value): \(middle)")
      #expect(LatencyHistogram.bucket(of: middle) == bucket, "\(value)")
    }
  }

  @Test func `quantiles are those of the sorted values, in any order of adding`() {
    var whole = LatencyHistogram()
    var halves = [LatencyHistogram(), LatencyHistogram()]
    let values: [UInt64] = [5_000, 3, 70, 1_000_000, 3, 12, 900, 41]
    for (index, value) in values.enumerated() {
      whole.add(bucket: LatencyHistogram.bucket(of: value))
      halves[index % 2].add(bucket: LatencyHistogram.bucket(of: value))
    }
    halves[1].add(halves[0])
    let sorted = values.sorted()
    for share in [0.0, 0.1, 0.5, 0.75, 0.95, 1.0] {
      let exact = sorted[max(1, Int((share * 8).rounded(.up))) - 1]
      let found = whole.quantile(share)
      #expect(halves[1].quantile(share) == found)
      #expect(max(found, exact) - min(found, exact) <= exact / 64, "\(share)")
    }
    #expect(LatencyHistogram().quantile(0.5) == 0)
  }
}
