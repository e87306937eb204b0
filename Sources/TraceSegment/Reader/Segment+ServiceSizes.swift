import TraceColumns
import TraceModel
import TraceSource

/// How many bytes of a segment the spans of a service take, more or less.
package struct SegmentServiceSize: Hashable, Sendable {
  package var service: String
  package var byteCount: Double

  package init(service: String, byteCount: Double) {
    self.service = service
    self.byteCount = byteCount
  }
}

extension Segment {
  /// The bytes of the file divided among services: those of a column by how many of its values a service's spans have,
  /// what belongs to no column by spans. An estimate, because values compress differently. The sum is the byte count
  /// of the file. Services in the order of their first span. Reads every stripe.
  package func serviceSizes() throws -> [SegmentServiceSize] {
    var shares = ServiceShares()
    let strings = try core.strings()
    for stripe in try spanStripes() { try stripe.divide(into: &shares) { try strings.string($0) } }
    for service in try partialServices() { shares.spanCounts[shares.place(service.name)] += Double(service.count) }
    let known = shares.byteCounts.reduce(0, +)
    shares.add(Double(byteCount) - known, by: shares.spanCounts)
    return shares.names.indices.map {
      SegmentServiceSize(service: shares.names[$0], byteCount: shares.byteCounts[$0])
    }
  }
}

/// Bytes and spans of services, by the place of their first span.
private struct ServiceShares {
  private(set) var names: [String] = []
  private var places: [[UInt8]: Int] = [:]
  private(set) var byteCounts: [Double] = []
  var spanCounts: [Double] = []

  mutating func place(_ name: String) -> Int {
    if let known = places[Array(name.utf8)] { return known }
    places[Array(name.utf8)] = names.count
    names.append(name)
    byteCounts.append(0)
    spanCounts.append(0)
    return names.count - 1
  }

  /// Divides bytes among services in proportion to their weights.
  mutating func add(_ byteCount: Double, by weights: [Double]) {
    let total = weights.reduce(0, +)
    guard total > 0 else { return }
    for (place, weight) in weights.enumerated() { byteCounts[place] += byteCount * weight / total }
  }
}

extension SegmentStripe {
  fileprivate func divide(into shares: inout ServiceShares, name: (UInt32) throws -> String) throws {
    let loaded = try read()
    try core.cache.withScratch { scratch in
      var ranges: [(place: Int, rows: Range<Int>)] = []
      let runs = try loaded.runs(scratch)
      for run in 0..<runs.count {
        ranges.append((shares.place(try name(runs.services[run])), runs.rows(of: run)))
      }
      let weights = try ElementWeights(loaded, ranges, placeCount: shares.names.count, scratch)
      for chunk in loaded.head.chunks {
        shares.add(Double(chunk.byteCount), by: weights.weights(of: chunk.id))
      }
      for (place, count) in weights.rows.enumerated() { shares.spanCounts[place] += count }
    }
  }
}

/// How many rows, events, links and values of each key the services of a stripe have, by place.
private struct ElementWeights {
  var rows: [Double]
  private var events: [Double]
  private var links: [Double]
  private var values: [UInt32: [Double]] = [:]

  init(
    _ loaded: LoadedStripe, _ ranges: [(place: Int, rows: Range<Int>)], placeCount: Int, _ scratch: ReadScratch
  ) throws {
    rows = [Double](repeating: 0, count: placeCount)
    (events, links) = (rows, rows)
    for range in ranges { rows[range.place] += Double(range.rows.count) }
    try addValues(of: .span, loaded, ranges, scratch)
    if let offsets = try loaded.eventOffsets(scratch) {
      let ranges = Self.children(of: ranges, offsets)
      for range in ranges { events[range.place] += Double(range.rows.count) }
      try addValues(of: .event, loaded, ranges, scratch)
    }
    if let offsets = try loaded.linkOffsets(scratch) {
      let ranges = Self.children(of: ranges, offsets)
      for range in ranges { links[range.place] += Double(range.rows.count) }
      try addValues(of: .link, loaded, ranges, scratch)
    }
  }

  /// - Parameter offsets: As long as the rows and one more, ascending.
  private static func children(
    of ranges: [(place: Int, rows: Range<Int>)], _ offsets: [UInt32]
  ) -> [(place: Int, rows: Range<Int>)] {
    ranges.map { ($0.place, Int(offsets[$0.rows.lowerBound])..<Int(offsets[$0.rows.upperBound])) }
  }

  private mutating func addValues(
    of level: ColumnLevel, _ loaded: LoadedStripe, _ ranges: [(place: Int, rows: Range<Int>)], _ scratch: ReadScratch
  ) throws {
    let map = try loaded.shapeMap(level, scratch)
    for range in ranges {
      var counts: [UInt32: Double] = [:]
      for element in range.rows { counts[map.codes[element], default: 0] += 1 }
      for (shape, count) in counts {
        for entry in map.shapes.entries(Int(shape)) {
          values[entry, default: [Double](repeating: 0, count: rows.count)][range.place] += count
        }
      }
    }
  }

  func weights(of chunk: UInt32) -> [Double] {
    if chunk >= SegmentFormat.firstAttributeChunk {
      return values[chunk - SegmentFormat.firstAttributeChunk] ?? rows
    }
    return switch chunk {
    case ChunkID.eventTime...ChunkID.eventShape: events
    case ChunkID.linkTraceHigh...ChunkID.linkShape: links
    default: rows
    }
  }
}
