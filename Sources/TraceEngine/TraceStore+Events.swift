import TraceFiles
import TraceFilter
import TraceIngest
import TraceManifest
import TraceSource

extension TraceStore {
  /// Finished spans and completed traces, from those on that are acknowledged after this call.
  ///
  /// Works on a store that is open for writing and, beside its writer, on one that is open for reading. Events are read
  /// back from the log, so writing costs nothing more however many listen, and nothing is told of that was not
  /// acknowledged; from a segment where the log has gone. A span that is sent again is told of again, unless it comes
  /// from a segment. Each listener reads and decodes for itself.
  ///
  /// - Parameters:
  ///   - filter: which spans count; a trace counts with one of them. Nil for all.
  ///   - options: what is told of, and when a trace counts as complete.
  /// - Throws: `invalidArgument` for a filter that breaks a rule; `closed`.
  public func events(
    matching filter: FilterExpression? = nil, options: EventOptions = EventOptions()
  ) async throws -> TraceEvents {
    let predicate = try filter?.predicate() ?? .everything
    let core = core
    return TraceEvents(
      source: try await core.readers.run {
        EventSource(core, predicate, options, try core.logTail())
      })
  }
}

extension StoreCore {
  /// What follows in the log. Blocks.
  func logTail() throws -> LogTail {
    var tail = LogTail(
      fileSystem: fileSystem, directory: directory,
      logDirectory: joinedPath(directory, StoreLayout.walDirectoryName), manifest: manifest)
    try tail.skipToEnd()
    return tail
  }
}
