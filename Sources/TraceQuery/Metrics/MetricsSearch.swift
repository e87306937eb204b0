import Synchronization
import TraceAggregate
import TraceFilter
import TraceModel
package import TraceSegment
import TraceSource
package import TracestoreV2

/// Latencies, call rates and error rates of final spans, each distinct one counted once.
package struct MetricsSearch: Sendable {
  package enum Measure: Sendable {
    case latencies, callRates, errorRates
  }

  let measure: Measure
  let query: MetricsQuery
  let snapshot: QuerySnapshot
  let parallel: SegmentParallelism
  let scan: CallScan?
  let window: MetricsWindow?
  let groups: [SeriesGroup]
  /// What run directories cannot decide, behind what narrows it down; nil when they decide all.
  let predicate: SpanPredicate?

  /// Calls whose durations are held at a time: 8 bytes each, and other memory as so many calls. A window of more is walked
  /// through in slices; a bucket of more is folded into sketches, which takes longer.
  package static let maximumRowCount = 1 << 22
  let maximumRowCount: Int
  let maximumGroupRowCount: Int
  /// Whether cells are kept: of stripes, and of what a question came to.
  var keepsAnything: Bool { maximumGroupRowCount > 0 }

  /// Points of one answer: more are of no use to a reader, and fill the memory of both sides.
  static let maximumPointCount = 10_000_000

  static var tooManyPoints: TracestoreError {
    TracestoreError(
      .limitExceeded,
      "The answer has more than \(maximumPointCount) points; ask for a longer step or a shorter window.")
  }

  /// - Parameters:
  ///   - parallel: runs a loop on the threads that there are.
  ///   - maximumRowCount: tests lower it.
  ///   - maximumGroupRowCount: rows whose cells are kept together; tests lower it. Of 0 nothing is kept: all is scanned.
  /// - Throws: `invalidArgument` for a query outside its bounds or without what its measure needs.
  package init(
    _ measure: Measure, _ query: MetricsQuery, in snapshot: QuerySnapshot, parallel: @escaping SegmentParallelism,
    maximumRowCount: Int = Self.maximumRowCount, maximumGroupRowCount: Int = CallGroup.maximumRowCount
  ) throws {
    self.maximumRowCount = maximumRowCount
    self.maximumGroupRowCount = maximumGroupRowCount
    try query.validate()
    if measure == .latencies, query.quantile == nil {
      throw TracestoreError(.invalidArgument, "A query for latencies names no quantile; it must lie between 0 and 1.")
    }
    self.measure = measure
    self.query = query
    self.snapshot = snapshot
    self.parallel = parallel
    window = measure == .latencies ? MetricsWindow(latencies: query) : MetricsWindow(rates: query)
    var attributes: [(key: [UInt8], levels: [ColumnLevel])] = []
    groups = try query.groups.map { group in
      switch group {
      case .operation: return .operation
      case .attribute(let reference):
        attributes.append((Array(reference.key.utf8), try reference.columnLevels()))
        return .attribute(attributes.count - 1)
      }
    }
    let filter = try query.filter?.predicate()
    guard let window else {
      scan = nil
      predicate = nil
      return
    }
    let needsExamples = query.exemplarCount > 0
    let selection = CallSelection(
      services: query.serviceNames.isEmpty ? nil : Set(query.serviceNames.map { Array($0.utf8) }),
      kinds: query.spanKinds.isEmpty ? nil : Set(query.spanKinds.map(\.rawValue)), starts: window.starts,
      needsDurations: measure == .latencies || needsExamples, needsErrors: measure == .errorRates)
    scan = CallScan(
      selection: selection, bucketNanoseconds: window.bucketNanoseconds,
      groupCount: groups.count, isByOperation: query.groups.contains(.operation), attributes: attributes,
      needsExamples: needsExamples,
      isAboutErrors: measure == .errorRates, quantile: measure == .latencies ? query.quantile : nil,
      isExact: query.isExact)
    predicate = filter == nil && attributes.isEmpty ? nil : selection.predicate(and: filter)
  }

  package func run() throws -> MetricFamily {
    var family = MetricFamily(name: name, help: help, summary: ResultSummary(damage: snapshot.damage))
    guard let scan, let window else { return family }
    var damage = DamageReport(snapshot.damage)
    let passes = CallPasses(self, scan, &damage)
    let room = PointRoom(Self.maximumPointCount)
    let answer = try passes.series(&damage) { [self] series in
      (points: points(series, window, room), isExact: series.cells.allSatisfy(\.isExact))
    }
    guard !room.isExceeded else { throw Self.tooManyPoints }
    let names = labelNames
    let labels = answer.shown.map { Self.labels(names, $0) } + (answer.hasOverflow ? [overflowLabels] : [])
    for (labels, series) in zip(labels, answer.made) where !series.points.isEmpty {
      family.metrics.append(Metric(labels: labels, points: series.points))
    }
    let isEstimated = measure == .latencies && answer.made.contains { !$0.isExact }
    family.errorBound = isEstimated ? LogLinearScale.relativeError : 0
    family.summary.isTruncated = answer.hasOverflow
    family.summary.damage = damage.messages
    return family
  }

  // MARK: Points

  /// The points of each series.
  /// - Throws: `limitExceeded` when there are too many.
  func points(_ series: [SeriesCells], _ window: MetricsWindow) throws -> [[MetricPoint]] {
    let room = PointRoom(Self.maximumPointCount)
    let made = series.map { points($0, window, room) }
    guard !room.isExceeded else { throw Self.tooManyPoints }
    return made
  }

  /// The points of a series. There are none when there is no room for them.
  private func points(_ series: SeriesCells, _ window: MetricsWindow, _ room: PointRoom) -> [MetricPoint] {
    let cells = series.cells
    var points: [MetricPoint] = []
    func add(bucket: UInt64, _ value: Double, from own: Range<Int>) {
      points.append(
        MetricPoint(
          time: Timestamp(nanoseconds: bucket &* window.bucketNanoseconds), value: value,
          exemplars: query.exemplarCount > 0 ? exemplars(series, own) : []))
    }
    guard measure != .latencies else {
      room.take(cells.count)
      if room.isExceeded { return [] }
      if query.exemplarCount == 0 {
        let width = window.bucketNanoseconds
        return cells.map { MetricPoint(time: Timestamp(nanoseconds: $0.bucket &* width), value: $0.quantile / 1e6) }
      }
      points.reserveCapacity(cells.count)
      for (place, cell) in cells.enumerated() { add(bucket: cell.bucket, cell.quantile / 1e6, from: place..<place + 1) }
      return points
    }
    let seconds = Double(query.ratePerNanoseconds) / 1e9
    if let first = cells.first, let last = cells.last {
      // At most what the calls are in reach of. Very many are not worth a guess.
      let limit: UInt64 = 1 << 16
      let reachedCount = min(window.reach / window.stride, limit) + 1
      let extent = min((last.bucket - first.bucket) / window.stride, limit) + reachedCount + 1
      points.reserveCapacity(min(Int(min(extent, UInt64(cells.count) * reachedCount, limit)), max(0, room.left)))
    }
    var calls: UInt64 = 0
    var errors: UInt64 = 0
    var first = 0
    var end = 0
    var point = window.points.lowerBound
    while point <= window.points.upperBound {
      while end < cells.count, cells[end].bucket < point {
        calls += cells[end].callCount
        errors += cells[end].errorCount
        end += 1
      }
      while first < end, cells[first].bucket < (point > window.reach ? point - window.reach : 0) {
        calls -= cells[first].callCount
        errors -= cells[first].errorCount
        first += 1
      }
      if first == end {
        // No calls until the next cell: the point behind it is the next one.
        guard end < cells.count else { break }
        point = (cells[end].bucket / window.stride + 1) * window.stride
        continue
      }
      guard points.count < room.left else {
        room.exceed()
        return []
      }
      add(
        bucket: point, measure == .callRates ? Double(calls) / seconds : Double(errors) / Double(calls),
        from: first..<end)
      let (next, isOver) = point.addingReportingOverflow(window.stride)
      if isOver { break }
      point = next
    }
    room.take(points.count)
    return points
  }

  private func exemplars(_ series: SeriesCells, _ cells: Range<Int>) -> [MetricExemplar] {
    var slowest = SlowestSpans()
    for place in cells { slowest.merge(series.slowest(at: place)) }
    return slowest.finish().prefix(query.exemplarCount).map {
      MetricExemplar(traceID: $0.trace, spanID: SpanID($0.span), durationNanoseconds: $0.duration)
    }
  }

  // MARK: Names

  private var isByOperation: Bool { query.groups.contains(.operation) }

  private var name: String {
    let grouped = isByOperation ? "service_operation" : "service"
    return switch measure {
    case .latencies: grouped + "_latencies"
    case .callRates: grouped + "_call_rate"
    case .errorRates: grouped + "_error_rate"
    }
  }

  private var help: String {
    let what =
      switch measure {
      case .latencies: "\(Self.twoDigits(query.quantile ?? 0))th quantile latency"
      case .callRates: "calls/sec"
      case .errorRates: "error rate, computed as a fraction of errors/sec over calls/sec"
      }
    return what + ", grouped by " + (["service"] + groupNames).joined(separator: " & ")
  }

  private var groupNames: [String] {
    query.groups.map { group in
      switch group {
      case .operation: "operation"
      case .attribute(let reference): reference.key
      }
    }
  }

  private static func twoDigits(_ quantile: Double) -> String {
    let hundredths = Int((quantile * 100).rounded(.toNearestOrEven))
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
  }

  var labelNames: [String] { ["service_name"] + groupNames }

  static func labels(_ names: [String], _ texts: [[UInt8]]) -> [MetricLabel] {
    zip(names, texts).map { MetricLabel($0, String(decoding: $1, as: UTF8.self)) }
  }

  /// What exceeds the limit may be of several services: then their label says so too.
  var overflowLabels: [MetricLabel] {
    let service = query.serviceNames.count == 1 ? query.serviceNames[0] : MetricsQuery.overflowLabel
    return [MetricLabel("service_name", service)] + groupNames.map { MetricLabel($0, MetricsQuery.overflowLabel) }
  }
}

/// How many more points an answer may have, all its series together. Thread-safe.
private final class PointRoom: Sendable {
  private let count: Atomic<Int>
  private let isOver = Atomic(false)

  init(_ count: Int) { self.count = Atomic(count) }

  var left: Int { count.load(ordering: .relaxed) }
  var isExceeded: Bool { isOver.load(ordering: .relaxed) }

  func take(_ wanted: Int) { if count.subtract(wanted, ordering: .relaxed).newValue < 0 { exceed() } }
  func exceed() { isOver.store(true, ordering: .relaxed) }
}

extension CallSelection {
  /// The selection as a predicate, with what else has to hold.
  fileprivate func predicate(and filter: SpanPredicate?) -> SpanPredicate {
    var parts: [SpanPredicate] = [.leaf(.start(starts))]
    if let services {
      parts.append(.leaf(.text(.service, .oneOf(services.sorted { $0.lexicographicallyPrecedes($1) }))))
    }
    if let kinds { parts.append(.leaf(.kind(kinds))) }
    if let filter { parts.append(filter) }
    return .all(parts)
  }
}

extension AttributeReference {
  /// Where the attribute is looked for, in this order.
  fileprivate func columnLevels() throws -> [ColumnLevel] {
    switch level {
    case .unqualified: [.span, .resource]
    case .span: [.span]
    case .resource: [.resource]
    case .scope: [.scope]
    case .event: [.event]
    case .link: [.link]
    default:
      throw TracestoreError(
        .invalidArgument,
        "\"\(level.rawValue)\" is no level of attributes; they are span, resource, scope, event and link.")
    }
  }
}
