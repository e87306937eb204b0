import ArgumentParser
import BenchmarkSupport
import Foundation
import TraceEngine

/// What writing costs while somebody looks on, beside what it costs alone.
///
/// On cores that are all busy the rate follows the work of the whole process, so both are measured: seconds, which vary
/// with the machine's other guests, and the process's CPU time a span, which does so less. Loads take turns, and each round
/// begins with another one.
struct LiveLoad: Encodable {
  /// Who looks on.
  enum Kind: String, CaseIterable, ExpressibleByArgument {
    case nobody
    /// Keeps the figures and the graph of `tracestore watch`, from columns.
    case figures
    /// Keeps them from the spans of an event stream, and is told of every span and every trace.
    case events
    /// Is told of the few spans that pass a filter.
    case filteredEvents
    /// A monitoring page asks for its metrics and its graph, again a second after each answer.
    case page
  }

  struct Figures: Encodable {
    /// Round by round: spans a second, to the last span in a segment.
    var spansPerSecond: [Double] = []
    /// CPU time of the process for a span.
    var microsecondsPerSpan: [Double] = []
    /// Medians of the rounds, and how much of the rate of `nobody` in the same round is lost.
    var medianSpansPerSecond = 0.0
    var medianMicrosecondsPerSpan = 0.0
    var medianLoss = 0.0
    /// How much more CPU time a span takes than with `nobody` in the same round.
    var medianWork = 0.0
    /// Spans that were told of before the last one was in a segment, in all rounds.
    var toldSpanCount = 0
    var lostRequestCount: UInt64 = 0
    /// Pages that were answered meanwhile.
    var answerCount = 0
  }

  var spanCount = 0
  var loads: [String: Figures] = [:]

  /// A corpus is of six hours and written in two seconds, with two or three calls of each edge in a minute: figures would
  /// be of hundreds of minutes at once, and most of the work would be to begin cells. So many spans come in a minute where
  /// a writer is busy like that, and therefore they are of one minute here.
  private static let squeeze: UInt64 = 360

  /// - Parameter folder: gets a store for each measurement, one after the other, and the corpus as it is written.
  static func measure(_ corpus: Corpus, in folder: String, _ kinds: [Kind], roundCount: Int) async throws -> LiveLoad {
    let path = folder + "/corpus.otlp"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let corpus = try corpus.squeezed(by: squeeze, into: path)
    var result = LiveLoad()
    for round in 0..<roundCount {
      for index in kinds.indices {
        let kind = kinds[(index + round) % kinds.count]
        var figures = result.loads[kind.rawValue] ?? Figures()
        result.spanCount = try await ingest(corpus, folder, beside: kind, &figures)
        result.loads[kind.rawValue] = figures
      }
    }
    let alone = result.loads[Kind.nobody.rawValue] ?? Figures()
    for kind in kinds { result.loads[kind.rawValue]?.finish(beside: alone) }
    return result
  }

  private static func ingest(
    _ corpus: Corpus, _ folder: String, beside kind: Kind, _ figures: inout Figures
  ) async throws -> Int {
    let path = folder + "/store"
    defer { try? FileManager.default.removeItem(atPath: path) }
    // Live figures know the present, which is the end of the corpus here, and goes on from there.
    let offset = try corpus.lastStart().nanoseconds &- SystemClock.nowNanoseconds()
    let options = StoreOptions(clock: { SystemClock.nowNanoseconds() &+ offset })
    let store = try await TraceStore.open(at: path, options: options)
    let watcher = LiveWatcher(kind)
    let (elapsed, work) = try await withThrowingTaskGroup(of: Void.self) { group in
      let watch = try await watcher.begin(store)
      group.addTask {
        do { try await watch() } catch is CancellationError {}
      }
      let before = processNanoseconds()
      let elapsed = try await ContinuousClock().measure {
        try await corpus.write(to: store)
        try await store.seal()
      }
      let work = processNanoseconds() - before
      try await watcher.finish()
      group.cancelAll()
      try await group.waitForAll()
      return (elapsed.seconds, Double(work) / 1000)
    }
    let spanCount = try await store.statistics().spanCount
    try await store.close()
    figures.spansPerSecond.append((Double(spanCount) / elapsed).rounded())
    figures.microsecondsPerSpan.append(work / Double(spanCount))
    watcher.counts.withLock { counts in
      figures.toldSpanCount += counts.told
      figures.lostRequestCount += counts.lost
      figures.answerCount += counts.answers
    }
    return spanCount
  }

  private static func processNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

extension LiveLoad.Figures {
  fileprivate mutating func finish(beside alone: LiveLoad.Figures) {
    medianSpansPerSecond = Self.median(spansPerSecond)
    medianMicrosecondsPerSpan = Self.median(microsecondsPerSpan)
    medianLoss = Self.median(zip(spansPerSecond, alone.spansPerSecond).map { 1 - $0 / $1 })
    medianWork = Self.median(zip(microsecondsPerSpan, alone.microsecondsPerSpan).map { $0 / $1 - 1 })
  }

  private static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard let last = sorted.last else { return 0 }
    return sorted.count % 2 == 1 ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + last) / 2
  }
}
