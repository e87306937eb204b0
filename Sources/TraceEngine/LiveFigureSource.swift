import TraceAnalysis
import TraceFiles
import TraceIngest
import TraceManifest

/// What stands behind one `LiveFigureStream`: counts rows as they come, whoever looks at the figures and when.
final class LiveFigureSource: MemtableFollower {
  private struct State {
    var keeper: LiveFigureKeeper
    /// What a writer's rows are read from.
    var memtables = MemtableTail()
    /// What they are read from beside a writer.
    var log: LogRows?
    /// When figures were given last.
    var givenNanoseconds: UInt64?
  }

  private let core: StoreCore
  private let options: LiveFigureOptions
  private let state: Monitor<State>

  private init(_ core: StoreCore, _ options: LiveFigureOptions, _ state: State) {
    self.core = core
    self.options = options
    self.state = Monitor(state)
  }

  /// Figures of what is acknowledged from now on. Blocks.
  static func begin(_ core: StoreCore, _ options: LiveFigureOptions) throws -> LiveFigureSource {
    var keeper = LiveFigureKeeper(
      LiveFigures(
        minuteCount: options.minuteCount, maximumServiceCount: options.maximumServiceCount,
        maximumByteCount: options.maximumByteCount),
      maximumWaitingSpanCount: options.maximumWaitingSpanCount, quietNanoseconds: options.quietNanoseconds)
    _ = keeper.advance(to: core.options.clock())
    guard case .writer(let ingestor, _, _) = core.origin else {
      let log = LogRows(try core.logTail(), isZeroEndOpen: core.manifest.current.settings.isZeroEndOpen)
      return LiveFigureSource(core, options, State(keeper: keeper, log: log))
    }
    let source = LiveFigureSource(core, options, State(keeper: keeper))
    // A memtable that is to be sealed meanwhile waits for the lock, so that all rows count from the same moment on.
    source.state.withLock { state in
      ingestor.add(source)
      state.memtables.skipToEnd(of: ingestor.memtables)
    }
    return source
  }

  /// The figures of all that is acknowledged.
  func current() async throws -> LiveFigures {
    try await core.readers.run { [self] in
      try state.withLock { state in
        try update(&state)
        return state.keeper.figures
      }
    }
  }

  /// The same once the interval is over; nil when the store is closed.
  func next() async throws -> LiveFigures? {
    while true {
      try Task.checkCancellation()
      let (figures, pauseNanoseconds): (LiveFigures?, UInt64)
      do {
        (figures, pauseNanoseconds) = try await core.readers.run { [self] in try state.withLock { try look(&$0) } }
      } catch let error as TracestoreError where error.code == .closed {
        return nil
      }
      if let figures { return figures }
      try await Task.sleep(nanoseconds: pauseNanoseconds)
    }
  }

  /// Counts what has come, also where it is too early for figures: traces are known to have been quiet that way, and the log
  /// does not go unread. Nobody holds the figures then, who would make every change copy them.
  private func look(_ state: inout State) throws -> (figures: LiveFigures?, pauseNanoseconds: UInt64) {
    try update(&state)
    let now = monotonicNanoseconds()
    let elapsed = state.givenNanoseconds.map { now - $0 } ?? .max
    guard elapsed < options.intervalNanoseconds else {
      state.givenNanoseconds = now
      return (state.keeper.figures, 0)
    }
    return (nil, min(options.intervalNanoseconds - elapsed, max(1_000_000, options.pollNanoseconds)))
  }

  private func update(_ state: inout State) throws {
    switch core.origin {
    case .writer(let ingestor, _, _): read(ingestor.memtables, &state.memtables, &state.keeper)
    case .follower: try readLog(&state.log, &state.keeper)
    }
  }

  func takeLast(of memtable: Memtable) {
    state.withLock { read([memtable], &$0.memtables, &$0.keeper) }
  }

  private func read(_ memtables: [Memtable], _ tail: inout MemtableTail, _ keeper: inout LiveFigureKeeper) {
    let now = core.options.clock()
    if keeper.advance(to: now) { tail.forgetNames() }
    tail.read(memtables, code: { keeper.code(of: $0) }, { keeper.add($0, at: now) })
  }

  private func readLog(_ log: inout LogRows?, _ keeper: inout LiveFigureKeeper) throws {
    let now = core.options.clock()
    if keeper.advance(to: now) { log?.forgetNames() }
    try log?.read(
      trimmedBelow: { try core.manifest.refresh().walTrimmedBelow }, code: { keeper.code(of: $0) },
      { keeper.add($0, at: now) })
    keeper.addLost(requestCount: log?.takeLost() ?? 0)
  }
}
