import TraceColumns
import TraceModel
import TraceSegment
import TraceSource

/// What is known of a question that was asked before, and what of its answer can be kept.
struct AskedPlan {
  /// What is known of all questions takes no more than this part of the cache: 4 of 64 MiB.
  private static let maximumShare = 16

  private let question: MetricsQuestion
  private let cache: BlockCache
  let known: AskedCells
  /// The stripes of the window all of whose rows count.
  let parts: [AskedCells.Part: ClosedRange<UInt64>]
  /// The buckets that the window does not cut, and none of whose calls stand elsewhere.
  private(set) var keepable: RangeSet<UInt64>
  /// Those of them whose cells are known.
  private(set) var usable = RangeSet<UInt64>()

  /// Nil for a question that is asked for the first time, and for those that are answered otherwise.
  ///
  /// - Parameter buckets: those that some readings have calls in; nil when that takes too much to find out.
  init?(
    _ search: MetricsSearch, _ scan: CallScan, _ repeats: RepeatedRows,
    buckets: ([CallReading]) -> RangeSet<UInt64>?
  ) {
    let sources = search.snapshot.recordSources
    let starts = scan.selection.starts
    guard search.mayKeepAnswer(to: scan), starts.upperBound < .max,
      let cache = sources.lazy.compactMap({ $0 as? Segment }).first?.cache
    else { return nil }
    question = MetricsQuestion(search.measure, search.query)
    guard question.textByteCount <= MetricsQuestion.maximumTextByteCount else { return nil }
    self.cache = cache
    guard let known: AskedCells = cache.find(.question(question)), known.question == question else {
      Self.keep(AskedCells(question), in: cache)
      return nil
    }
    self.known = known
    let width = scan.bucketNanoseconds
    let end = (starts.upperBound + 1) / width
    let first = min(end, starts.lowerBound / width + (starts.lowerBound % width > 0 ? 1 : 0))
    keepable = RangeSet(first..<end)

    var parts: [AskedCells.Part: ClosedRange<UInt64>] = [:]
    for (index, source) in sources.enumerated() where source.bounds.mayStart(in: starts) {
      for stripe in source.stripes where stripe.bounds.mayStart(in: starts) && repeats[index, stripe.index] == nil {
        guard let part = AskedCells.Part(stripe, of: source) else { continue }
        let bounds = stripe.bounds
        parts[part] = bounds.minimumStart...max(bounds.minimumStart, bounds.maximumStart)
      }
    }
    self.parts = parts
    func readings(in window: ClosedRange<UInt64>, _ isWanted: (AskedCells.Part?) -> Bool) -> [CallReading] {
      CallPlaces(search, scan, repeats) { index, stripe in
        let part = AskedCells.Part(stripe, of: sources[index])
        return isWanted(part.flatMap { parts[$0] == nil ? nil : $0 })
      }.readings(in: window)
    }
    guard let elsewhere = buckets(readings(in: starts) { $0 == nil }) else { return nil }
    keepable.subtract(elsewhere)
    usable = keepable.intersection(known.buckets)
    for (part, own) in known.parts where parts[part] == nil && own.overlaps(starts) {
      let gone = own.clamped(to: starts)
      usable.remove(contentsOf: gone.lowerBound / width..<gone.upperBound / width + 1)
    }
    guard let first = usable.ranges.first, let last = usable.ranges.last else { return }
    let new = buckets(
      readings(in: first.lowerBound * width...last.upperBound * width - 1) {
        $0.map { known.parts[$0] == nil } ?? false
      })
    if let new { usable.subtract(new) } else { usable = RangeSet() }
  }

  private static func maximumByteCount(in cache: BlockCache) -> Int {
    cache.statistics.maximumByteCount / maximumShare
  }

  private static func keep(_ cells: AskedCells, in cache: BlockCache) {
    cache.replace(.question(cells.question), by: cells, maximumByteCountOfKind: maximumByteCount(in: cache))
  }

  /// Keeps the cells of an answer, if there is more among them than is known, and they are few enough.
  ///
  /// - Parameter labels: of each series.
  func keep(_ cells: [SeriesCells], labels: [[[UInt8]]], for scan: CallScan) {
    if usable == keepable, known.parts == parts { return }
    let made = AskedCells(
      question, of: parts, in: keepable, labels: labels, cells, for: scan,
      maximumByteCount: Self.maximumByteCount(in: cache))
    if let made { Self.keep(made, in: cache) }
  }
}

extension AskedCells.Part {
  /// Nil for a stripe whose content may change, or cannot be read.
  fileprivate init?(_ stripe: any SpanStripe, of source: any SpanSource) {
    guard let number = (source as? Segment)?.contentNumber, stripe is SegmentStripe else { return nil }
    self.init(segment: number, stripe: stripe.index)
  }
}

extension BlockCache.Key {
  fileprivate static func question(_ question: MetricsQuestion) -> BlockCache.Key {
    var hasher = Hasher()
    hasher.combine(question)
    return .ofNoFile(variant: UInt64(bitPattern: Int64(hasher.finalize())))
  }
}

extension MetricsSearch {
  /// Whether what is asked is scanned, and comes to cells that know all that is asked for.
  fileprivate func mayKeepAnswer(to scan: CallScan) -> Bool {
    keepsAnything && !scan.needsExamples && (predicate != nil || !scan.fitsCells)
  }
}
