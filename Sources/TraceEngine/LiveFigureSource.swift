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
  }

  let core: StoreCore
  private let state: Monitor<State>

  private init(_ core: StoreCore, _ state: State) {
    self.core = core
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
      return LiveFigureSource(core, State(keeper: keeper, log: log))
    }
    let source = LiveFigureSource(core, State(keeper: keeper))
    // A memtable that is to be sealed meanwhile waits for the lock, so that all rows count from the same moment on.
    source.state.withLock { state in
      ingestor.add(source)
      state.memtables.skipToEnd(of: ingestor.memtables)
    }
    return source
  }

  /// The figures of all that is acknowledged. Blocks.
  func current() throws -> LiveFigures {
    try state.withLock { state in
      try update(&state)
      return state.keeper.figures
    }
  }

  /// Counts what has been acknowledged. Figures that somebody else holds would have to be copied when they change.
  func update() throws { try state.withLock { try update(&$0) } }

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
