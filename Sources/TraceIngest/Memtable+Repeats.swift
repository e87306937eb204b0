import TraceColumns
import TraceFiles
import TraceSegment

/// Which rows of a memtable repeat an earlier one, as far as somebody has asked: rows only come, so that each is looked at
/// once, not once for every question. Up to 16 bytes a row. Thread-safe.
final class MemtableRepeats: Sendable {
  private struct State {
    var finder: DuplicateFinder
    var nextRow = 0
    /// Ascending.
    var repeated: [Int] = []
  }

  private let state = Monitor<State?>(nil)

  /// The final rows of a view that repeat an earlier final row.
  func rows(of view: SpanTable.View) throws -> ArraySlice<Int> {
    try state.withLock { kept in
      var state = kept ?? State(finder: DuplicateFinder(view))
      // Taken out, so that it is changed in place; what fails is begun anew.
      kept = nil
      if state.nextRow < view.rows.count {
        state.finder.extend(to: view)
        while state.nextRow < view.rows.count {
          let isFinal = view.rows.pointer(at: state.nextRow).pointee.marks.isFinal
          if isFinal, try state.finder.isRepeated(state.nextRow) { state.repeated.append(state.nextRow) }
          state.nextRow += 1
        }
      }
      kept = state
      return state.repeated.prefix { $0 < view.rows.count }
    }
  }
}
