/// A figure of a sample with the range that the true one lies in, nineteen times out of twenty.
public struct Interval: Hashable, Sendable {
  public var value: Double
  public var low: Double
  public var high: Double

  /// True when the ranges do not meet: more than the chance of small samples explains. A careful test: two ranges that
  /// meet may still belong to different figures.
  public func isApart(from other: Interval) -> Bool { low > other.high || high < other.low }

  /// 1.96 standard deviations hold nineteen in twenty.
  private static let deviations = 1.96

  /// A share of cases, with Wilson's range corrected for continuity (Newcombe 1998, method 4). Nil without cases.
  public static func share(_ count: Int, of total: Int) -> Interval? {
    guard total > 0, count >= 0, count <= total else { return nil }
    let (n, p, z) = (Double(total), Double(count) / Double(total), deviations)
    let middle = 2 * n * p + z * z
    let scale = 2 * (n + z * z)
    func reach(_ sign: Double) -> Double {
      z * max(0, z * z - 1 / n + 4 * n * p * (1 - p) + sign * (4 * p - 2)).squareRoot() + 1
    }
    return Interval(
      value: p, low: count == 0 ? 0 : max(0, (middle - reach(1)) / scale),
      high: count == total ? 1 : min(1, (middle + reach(-1)) / scale))
  }

  /// A quantile of ascending values: the value of rank ⌈share × n⌉, with the range between the values of rank
  /// n × share ± 1.96 √(n × share × (1 − share)), whatever the values' distribution. Nil when a rank lies outside of the
  /// sample, which is too small then: at least 8 values for a median, 110 for a 95th percentile.
  public static func quantile(_ share: Double, of ascending: [UInt64]) -> Interval? {
    let n = Double(ascending.count)
    let reach = deviations * (n * share * (1 - share)).squareRoot()
    let low = (n * share - reach).rounded(.down)
    let high = (n * share + reach).rounded(.up) + 1
    guard low >= 1, high <= n, let value = plain(share, of: ascending) else { return nil }
    return Interval(
      value: Double(value), low: Double(ascending[Int(low) - 1]), high: Double(ascending[Int(high) - 1]))
  }

  /// The value of rank ⌈share × n⌉; nil without values.
  public static func plain(_ share: Double, of ascending: [UInt64]) -> UInt64? {
    guard !ascending.isEmpty else { return nil }
    let rank = Int((share * Double(ascending.count)).rounded(.up))
    return ascending[min(ascending.count, max(1, rank)) - 1]
  }
}
