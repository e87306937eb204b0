import Synchronization
import TraceEngine
import TraceModel
import TracestoreV2

/// Writes traces in the order of their ids, and reads them in the order in which they are stored, on all processors.
///
/// Neighbours by id stand all over the store, so that in a store which outgrows the cache each would cost a stripe. Of
/// a window of traces those of one stripe are read together, and wait encoded until the window is written. A window
/// holds `heldByteCount`, and what is being read: what does not fit is read again in its turn, chunk by chunk.
struct OrderedExport {
  /// What was written, and what could not be read.
  struct Counts {
    var spanCount = 0
    var traceCount = 0
    var damage: [String] = []

    mutating func add(damage lines: [String]) {
      for line in lines where !damage.contains(line) { damage.append(line) }
    }
  }

  /// A trace in the form of the file.
  private struct Encoded: Sendable {
    var bytes: [UInt8] = []
    var spanCount = 0
  }

  /// The traces of a window that were read together; those that did not fit are missing.
  private struct Group: Sendable {
    var traces: [TraceID: Encoded] = [:]
    var damage: [String] = []
  }

  private static let heldByteCount = 32 << 20
  /// Of a window, however small its traces are.
  private static let maximumTraceCount = 4096
  /// A window has at most this many times as many traces as the one before it, whose sizes are what is known of it.
  private static let growthFactor = 4
  /// Traces that are read together, at most.
  private static let maximumGroupTraceCount = 32
  /// More than there are processors in most machines costs nothing but the bytes of so many chunks.
  private static let readerCount = 4

  private let store: TraceStore
  private let file: OutputFile
  private let form: OutputFile.Form
  private let options: ReadOptions
  /// So many are likely to fit. The first trace says how large others may be.
  private var windowTraceCount = 1
  private(set) var counts = Counts()
  private var progress = ProgressLine(total: nil)

  init(of store: TraceStore, to file: OutputFile, as form: OutputFile.Form, _ options: ReadOptions) {
    self.store = store
    self.file = file
    self.form = form
    self.options = options
  }

  /// Writes what the store holds of these traces, unless it is interrupted.
  mutating func write(_ page: TracePage) async throws {
    counts.add(damage: page.summary.damage)
    var place = 0
    while place < page.traces.count, !Interruption.isRequested {
      let window = page.traces[place..<min(place + windowTraceCount, page.traces.count)]
      let byteCount = file.byteCount
      try await write(window)
      place += window.count
      let traceByteCount = max(1, Int(file.byteCount - byteCount) / window.count)
      windowTraceCount = min(
        max(Self.heldByteCount * 3 / 4 / traceByteCount, 1), Self.growthFactor * windowTraceCount,
        Self.maximumTraceCount)
    }
  }

  private mutating func write(_ window: ArraySlice<TracePage.Trace>) async throws {
    var read: [TraceID: Encoded] = [:]
    for group in try await groups(of: window) {
      read.merge(group.traces) { $1 }
      counts.add(damage: group.damage)
    }
    for trace in window {
      if Interruption.isRequested { return }
      if let encoded = read[trace.id] {
        try file.append(encoded.bytes)
        count(encoded.spanCount, isNew: encoded.spanCount > 0)
      } else {
        try await writeAlone(trace.id)
      }
    }
  }

  private mutating func writeAlone(_ trace: TraceID) async throws {
    var isNew = true
    let stream = try await store.getTraces([GetTraceParameters(trace)], options: options)
    for try await chunk in stream {
      if Interruption.isRequested { return }
      try file.append(form.bytes(of: chunk.data, states: chunk.states))
      count(chunk.data.spanCount, isNew: isNew)
      isNew = false
    }
    counts.add(damage: stream.summary?.damage ?? [])
  }

  private mutating func count(_ spanCount: Int, isNew: Bool) {
    counts.spanCount += spanCount
    if isNew { counts.traceCount += 1 }
    progress.update(done: 0) { [counts, file] in
      "exporting: \(Figure.count(counts.spanCount)) spans, \(Figure.bytes(file.byteCount)), \($0)"
    }
  }

  /// What fits of a window, read stripe by stripe.
  private func groups(of window: ArraySlice<TracePage.Trace>) async throws -> [Group] {
    let stored = window.sorted { ($0.place, $0.id) < ($1.place, $1.id) }.map(\.id)
    // Small windows keep all readers busy, too.
    let groupTraceCount = min(
      Self.maximumGroupTraceCount, (stored.count + Self.readerCount - 1) / Self.readerCount)
    let starts = Array(stride(from: 0, to: stored.count, by: groupTraceCount))
    let reader = GroupReader(store: store, form: form, options: options, heldByteCount: Self.heldByteCount)
    return try await withThrowingTaskGroup(of: (number: Int, group: Group).self) { tasks in
      var groups = [Group](repeating: Group(), count: starts.count)
      for (number, start) in starts.enumerated() {
        if number >= Self.readerCount, let done = try await tasks.next() { groups[done.number] = done.group }
        if Interruption.isRequested { break }
        let traces = Array(stored[start..<min(start + groupTraceCount, stored.count)])
        tasks.addTask { (number, try await reader.read(traces)) }
      }
      while let done = try await tasks.next() { groups[done.number] = done.group }
      return groups
    }
  }
}

extension OrderedExport {
  /// Reads the traces of a window into the room that it has. Used by several tasks at once.
  private final class GroupReader: Sendable {
    private let store: TraceStore
    private let form: OutputFile.Form
    private let options: ReadOptions
    /// Bytes that still fit.
    private let room: Mutex<Int>

    init(store: TraceStore, form: OutputFile.Form, options: ReadOptions, heldByteCount: Int) {
      self.store = store
      self.form = form
      self.options = options
      room = Mutex(heldByteCount)
    }

    /// - Returns: all of them, or none when they do not fit together: what is damaged is known at the end alone. Groups
    ///   that are smaller may fit even then.
    func read(_ traces: [TraceID]) async throws -> Group {
      if Interruption.isRequested { return Group() }
      var group = Group()
      var heldByteCount = 0
      let stream = try await store.getTraces(traces.map { GetTraceParameters($0) }, options: options)
      for try await chunk in stream {
        let bytes = try form.bytes(of: chunk.data, states: chunk.states)
        guard !Interruption.isRequested, take(bytes.count) else {
          giveBack(heldByteCount)
          return Group()
        }
        heldByteCount += bytes.count
        group.traces[chunk.traceID, default: Encoded()].bytes += bytes
        group.traces[chunk.traceID, default: Encoded()].spanCount += chunk.data.spanCount
      }
      group.damage = stream.summary?.damage ?? []
      // A trace without a chunk has gone, and need not be asked for again.
      for trace in traces where group.traces[trace] == nil { group.traces[trace] = Encoded() }
      return group
    }

    private func take(_ byteCount: Int) -> Bool {
      room.withLock { room in
        guard byteCount <= room else { return false }
        room -= byteCount
        return true
      }
    }

    private func giveBack(_ byteCount: Int) { room.withLock { $0 += byteCount } }
  }
}
