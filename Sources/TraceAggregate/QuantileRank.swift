/// The place of a quantile among ascending values: between the values `lower` and `lower + 1`, counted from 0.
///
/// Place `q · (n − 1)`, with a straight line between neighbours: ClickHouse's `quantile`, DuckDB's `quantile_cont`,
/// NumPy's default.
package struct QuantileRank: Hashable, Sendable {
  package let lower: UInt64
  /// How far the place is behind `lower`, in shares of the way to the next; 0 when there is none.
  package let fraction: Double

  /// - Precondition: `quantile` is from 0 to 1, `count` at least 1.
  package init(_ quantile: Double, of count: UInt64) {
    precondition(quantile >= 0 && quantile <= 1 && count > 0, "a quantile of nothing, or outside of 0 to 1")
    let place = quantile * Double(count - 1)
    // Large counts round up: the last value is the last. Conversion cuts what is behind the point off.
    let lower = min(UInt64(place), count - 1)
    self.lower = lower
    fraction = lower == count - 1 ? 0 : place - Double(lower)
  }

  private init(lower: UInt64, fraction: Double) {
    self.lower = lower
    self.fraction = fraction
  }

  /// The place of the greater neighbour.
  package var upper: UInt64 { fraction > 0 ? lower + 1 : lower }

  /// The same place when so many of the smallest values are left out.
  ///
  /// - Precondition: neither neighbour is among them.
  package func dropping(first count: UInt64) -> QuantileRank { QuantileRank(lower: lower - count, fraction: fraction) }

  /// What a histogram says of the values at `lower` and `upper`.
  package func estimate(_ lower: UInt64, _ upper: UInt64) -> Double {
    func middle(_ value: UInt64) -> UInt64 { LogLinearScale.middle(of: LogLinearScale.bucket(of: value)) }
    return value(middle(lower), middle(upper))
  }

  /// What lies between the values at `lower` and `upper`.
  package func value(_ lower: UInt64, _ upper: UInt64) -> Double {
    fraction > 0 ? Double(lower) + Double(upper - lower) * fraction : Double(lower)
  }
}
