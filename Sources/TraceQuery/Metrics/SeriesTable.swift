import TraceModel
import TraceSegment
import TracestoreV2

/// Where the value of a label comes from.
enum SeriesGroup {
  case operation
  /// The place of the attribute in the scan.
  case attribute(Int)
}

/// The series of an answer: their labels, how many calls each has, and which go together in the overflow.
struct SeriesTable {
  /// Distinct label sets that are told apart while counting, before the most frequent are chosen: a key of unique ids
  /// must not fill the memory of a query.
  private static let maximumCount = 1 << 20

  /// The values of the labels, as UTF-8.
  private(set) var labels: [[[UInt8]]] = []
  private var callCounts: [UInt64] = []
  private var keys: [CallKey] = []
  private var places: [CallKey: Int] = [:]
  /// By source, of what is scanned.
  private var byCode: [[UInt64: Int]]
  private let groups: [SeriesGroup]

  init(sourceCount: Int, groups: [SeriesGroup]) {
    byCode = Array(repeating: [:], count: sourceCount)
    self.groups = groups
  }

  /// The series of a part, by their places there.
  mutating func places(of part: any CallPart) throws -> [Int] {
    if labels.isEmpty {
      // Other parts mostly have the same series.
      let count = min(part.series.count, Self.maximumCount)
      labels.reserveCapacity(count)
      callCounts.reserveCapacity(count)
      keys.reserveCapacity(count)
      places.reserveCapacity(count)
    }
    // Parts mostly have their series in the same order: then they are found without a look into the table.
    var next = 0
    return try part.series.map { series in
      if let key = series.key {
        let isNext = next < keys.count && keys[next] == key
        let place = try (isNext ? next : places[key]) ?? add(texts(of: series, in: part), key)
        next = place + 1
        return place
      }
      let attributes = part.attributeTexts(of: series)
      if !attributes.isEmpty { return try place(of: texts(of: series, in: part)) }
      // Codes of a source mean one thing in all its stripes, attribute texts do not.
      let code = UInt64(series.service) << 32 | UInt64(series.name)
      if let known = byCode[part.source][code] { return known }
      let place = try place(of: texts(of: series, in: part))
      byCode[part.source][code] = place
      return place
    }
  }

  private func texts(of series: SeriesCode, in part: any CallPart) throws -> [[UInt8]] {
    var texts: [[UInt8]] = []
    texts.reserveCapacity(1 + groups.count)
    texts.append(try part.text(series.service))
    for group in groups {
      switch group {
      case .operation: texts.append(try part.text(series.name))
      case .attribute(let index): texts.append(part.attributeTexts(of: series)[index])
      }
    }
    return texts
  }

  /// The place of a series, which is made when it is new.
  mutating func place(of texts: [[UInt8]]) throws -> Int {
    let key = CallKey(of: texts)
    return try places[key] ?? add(texts, key)
  }

  private mutating func add(_ texts: [[UInt8]], _ key: CallKey) throws -> Int {
    guard labels.count < Self.maximumCount else {
      throw TracestoreError(
        .limitExceeded,
        "The groups of this metrics query have more than \(Self.maximumCount) values; narrow it by service, filter or window."
      )
    }
    labels.append(texts)
    callCounts.append(0)
    keys.append(key)
    places[key] = labels.count - 1
    return labels.count - 1
  }

  mutating func count(_ callCount: Int, of series: Int) { callCounts[series] += UInt64(callCount) }

  /// By series: its rank in the order of labels among those that are shown; the others share the last rank.
  func ranks(maximumCount: Int) -> (ranks: [Int], shown: [[[UInt8]]], hasOverflow: Bool) {
    let seen = labels.indices.filter { callCounts[$0] > 0 }
    var shown = seen
    if seen.count > maximumCount {
      // Calls decide, then labels, so that no order of scanning does.
      shown = Array(
        seen.sorted {
          callCounts[$0] != callCounts[$1]
            ? callCounts[$0] > callCounts[$1] : labels[$0].precedes(labels[$1])
        }.prefix(maximumCount))
    }
    shown.sort { labels[$0].precedes(labels[$1]) }
    var ranks = [Int](repeating: shown.count, count: labels.count)
    for (rank, series) in shown.enumerated() { ranks[series] = rank }
    return (ranks, shown.map { labels[$0] }, seen.count > shown.count)
  }
}
