import TraceGraph
import TraceModel
import TraceSegment
import TraceSource

/// The producers that links point to in stripes of which nothing else is wanted.
struct ProducersElsewhere {
  /// The spans that are looked for, trace by trace.
  private struct Wanted {
    /// Ascending.
    var traces: [TraceID] = []
    /// Of each trace, where its targets begin; then how many there are.
    var firsts: [Int] = []
    /// Ascending.
    var targets: [LinkTarget]

    init(_ targets: Set<LinkTarget>) {
      self.targets = targets.sorted(by: ProducerTable.precedes)
      for (place, target) in self.targets.enumerated() where traces.last != target.trace {
        traces.append(target.trace)
        firsts.append(place)
      }
      firsts.append(targets.count)
    }

    func contains(_ spanID: UInt64, ofTrace trace: Int) -> Bool {
      targets[firsts[trace]..<firsts[trace + 1]].contains { $0.spanID == spanID }
    }
  }

  /// The rows of a stripe that the traces have there.
  private struct Candidates {
    var stripe: any SpanStripe
    var rows: [(trace: Int, rows: [Int])] = []
  }

  private struct StripeKey: Hashable {
    var segment: Int
    var stripe: Int
  }

  /// Traces that one thread looks up in one go.
  private static let traceCount = 64
  /// Traces whose rows are in memory at once.
  private static let waveTraceCount = 4096

  private var found: [LinkTarget: FoundProducer] = [:]

  /// - Cost: for each trace the index of each segment, and where it stands the columns of traces; then of each stripe that
  ///   has any of them a few columns, once in a wave.
  init(
    _ targets: Set<LinkTarget>, in segments: [Segment], _ parallel: SegmentParallelism, _ damage: inout DamageReport
  ) {
    if targets.isEmpty || segments.isEmpty { return }
    let wanted = Wanted(targets)
    for first in stride(from: 0, to: wanted.traces.count, by: Self.waveTraceCount) {
      let wave = first..<min(wanted.traces.count, first + Self.waveTraceCount)
      let stripes = Self.candidates(wanted, wave, in: segments, parallel, &damage)
      let found = concurrently(parallel, stripes.count) { index in
        var report = DamageReport()
        return (Self.producers(among: stripes[index], wanted, &report), report)
      }
      for (producers, report) in found {
        damage.add(report)
        for (target, producer) in producers where self.found[target].map(producer.precedes) ?? true {
          self.found[target] = producer
        }
      }
    }
  }

  /// The service of the producer span that a link points to; nil when there is no such span.
  func service(of target: LinkTarget) -> [UInt8]? { found[target]?.service }

  private static func candidates(
    _ wanted: Wanted, _ wave: Range<Int>, in segments: [Segment], _ parallel: SegmentParallelism,
    _ damage: inout DamageReport
  ) -> [Candidates] {
    let chunkCount = (wave.count + traceCount - 1) / traceCount
    let located = concurrently(parallel, chunkCount * segments.count) { index in
      var report = DamageReport()
      let segment = segments[index / chunkCount]
      let first = wave.lowerBound + index % chunkCount * traceCount
      let own = Array(wanted.traces[first..<min(wave.upperBound, first + traceCount)])
      // A filter that cannot be read rules nothing out.
      let places = report.collect { try segment.mayHold(among: own) } ?? Array(own.indices)
      let rows = places.flatMap { place in
        (report.collect { try segment.finalRows(of: own[place], for: .fields) } ?? []).map { (first + place, $0) }
      }
      return (rows, report)
    }
    var places: [StripeKey: Int] = [:]
    var stripes: [Candidates] = []
    for (index, (rows, report)) in located.enumerated() {
      damage.add(report)
      for (trace, located) in rows {
        let key = StripeKey(segment: index / chunkCount, stripe: located.stripe.index)
        let place = places[key] ?? stripes.count
        if place == stripes.count {
          places[key] = place
          stripes.append(Candidates(stripe: located.stripe))
        }
        stripes[place].rows.append((trace, located.rows))
      }
    }
    return stripes
  }

  private static func producers(
    among candidates: Candidates, _ wanted: Wanted, _ damage: inout DamageReport
  ) -> [(target: LinkTarget, producer: FoundProducer)] {
    // Of each row, which of the traces it is of, counted from one.
    var traces = [UInt32](repeating: 0, count: candidates.stripe.rowCount)
    for (trace, rows) in candidates.rows { for row in rows { traces[row] = UInt32(trace) + 1 } }
    var names = NameTable()
    var found: [(target: LinkTarget, producer: FoundProducer)] = []
    let located = LocatedRows(stripe: candidates.stripe, rows: traces.indices.filter { traces[$0] > 0 })
    damage.salvage(located) { located in
      let ids = try located.stripe.spanIDs(located.rows)
      let rows = zip(located.rows, ids).filter { wanted.contains($1, ofTrace: Int(traces[$0]) - 1) }.map(\.0)
      for row in try located.stripe.callRows(rows, &names) where row.span.role == .producer {
        let trace = wanted.traces[Int(traces[row.row]) - 1]
        let service = names.names[Int(row.span.service)]
        found.append(
          (
            LinkTarget(trace: trace, spanID: row.span.spanID),
            FoundProducer(start: row.span.start, service: service)
          ))
      }
    }
    return found
  }
}
