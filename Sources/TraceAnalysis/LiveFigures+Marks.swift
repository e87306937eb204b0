/// A figure of a service that is far from what it was in the minutes before.
public struct AnomalyMark: Hashable, Sendable {
  public enum Figure: String, Hashable, Sendable, CaseIterable {
    case calls
    /// From 0 to 1.
    case errorRate
    /// The 95th percentile of durations in nanoseconds.
    case percentile95
  }

  public var service: String
  public var figure: Figure
  public var value: Double
  /// The median of the minutes before.
  public var usual: Double
  /// How many robust standard deviations the value lies above (or, negative, below) the median.
  public var score: Double
}

extension LiveFigures {
  /// Minutes with the service that there must have been before anything is said.
  public static let minimumHistoryCount = 8
  /// From this score on a figure is marked.
  public static let markedScore = 5.0

  /// What is unusual in a minute, by service, then figure.
  ///
  /// The score of a value x against the values h of the same service and figure in the minutes before is
  /// (x − median(h)) / max(1.4826 × MAD(h), floor), where MAD is the median of |h − median(h)| and 1.4826 makes it a
  /// standard deviation where values are normal. The floor keeps steady figures from being marked for trifles: a
  /// tenth of the median, and at least the square root of the median for calls, 1 % for error rates, 1 ms for durations.
  /// Only minutes before it are looked at, so a minute that is under way compares its calls with whole ones: mark
  /// minutes that are over.
  public func marks(inMinute minute: UInt64) -> [AnomalyMark] {
    let before = minutes.filter { $0 < minute }.map { cells(ofMinute: $0) }
    var marks: [AnomalyMark] = []
    for (service, cell) in cells(ofMinute: minute) {
      let history = before.compactMap { cells in
        cells.first { $0.service.utf8.elementsEqual(service.utf8) }?.cell
      }
      guard history.count >= Self.minimumHistoryCount else { continue }
      for figure in AnomalyMark.Figure.allCases {
        let value = cell.value(of: figure)
        let (usual, score) = Self.score(value, against: history.map { $0.value(of: figure) }, figure)
        if abs(score) >= Self.markedScore {
          marks.append(
            AnomalyMark(service: service, figure: figure, value: value, usual: usual, score: score))
        }
      }
    }
    return marks
  }

  static func score(
    _ value: Double, against history: [Double], _ figure: AnomalyMark.Figure
  ) -> (usual: Double, score: Double) {
    let usual = median(history)
    let deviation = 1.4826 * median(history.map { abs($0 - usual) })
    let least =
      switch figure {
      case .calls: usual.squareRoot()
      case .errorRate: 0.01
      case .percentile95: 1_000_000.0
      }
    return (usual, (value - usual) / max(deviation, usual / 10, least, .leastNormalMagnitude))
  }

  private static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return 0 }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

extension LiveFigures.Cell {
  fileprivate func value(of figure: AnomalyMark.Figure) -> Double {
    switch figure {
    case .calls: Double(callCount)
    case .errorRate: errorRate
    case .percentile95: Double(nanoseconds(quantile: 0.95))
    }
  }
}
