import TraceFiles
import TraceModel
import TraceOTLP
import TraceSegment
import TraceWAL

/// One reading of the log's requests on several threads: each takes the next frame, works on it alone, and then has
/// its turn in the order of the log. Holds a frame a thread.
final class LogPass: Sendable {
  /// What came of it.
  struct Report {
    /// Where a later pass goes on: behind the frames that have had their turn.
    var cursor: WALCursor
    /// What could not be read, in the order of the log.
    var damage: [String]
    /// Why the pass ended early.
    var failure: (any Error)?
    /// As it stands now.
    var reader: WALReader
    /// How many frames it gave.
    var frameCount: Int
  }

  private struct Input {
    var reader: WALReader
    var frameCount = 0
    var byteCount = 0
    var isEnded = false
    var failure: (any Error)?
  }

  private struct Output {
    /// What a frame that may not be passed over has failed with: no later one has its turn.
    var failure: (any Error)?
    /// The number of the frame whose turn it is.
    var turn = 0
    /// Behind the frame before.
    var cursor: WALCursor
    /// Frames that need no turn and were done before it came.
    var early: [Int: WALCursor] = [:]
    var damage: [(place: WALCursor, text: String)] = []
  }

  /// More threads than this would wait for the one that reads the file.
  private static let maximumLaneCount = 8

  private let isPassingOver: Bool
  private let input: Monitor<Input>
  private let output: Monitor<Output>
  private let prepare: @Sendable (FrameWorkspace) throws -> Bool
  private let append: @Sendable (FrameWorkspace) throws -> Void

  /// - Parameters:
  ///   - prepare: called on any thread, for several frames at once, with the frame's payload; false spares the frame
  ///     its turn.
  ///   - append: called for one frame at a time, in the order of the log.
  ///   - isPassingOver: a frame for which either throws is reported as damage and passed over; otherwise the pass ends
  ///     with it, as if nothing had been read of what follows.
  init(
    _ reader: WALReader, isPassingOver: Bool = true, prepare: @escaping @Sendable (FrameWorkspace) throws -> Bool,
    append: @escaping @Sendable (FrameWorkspace) throws -> Void
  ) {
    self.isPassingOver = isPassingOver
    input = Monitor(Input(reader: reader))
    output = Monitor(Output(cursor: reader.cursor))
    self.prepare = prepare
    self.append = append
  }

  /// Reads to the end, with the help of other threads when there is more than `serialByteCount`.
  func run(_ parallel: SegmentParallelism, serialByteCount: Int) -> Report {
    runLane(until: serialByteCount)
    if !input.withLock({ $0.isEnded }) { parallel(Self.maximumLaneCount) { _ in self.runLane(until: .max) } }
    return input.withLock { input in
      output.withLock { output in
        var damage = output.damage
        for gap in input.reader.gaps where gap.isDamage {
          damage.append((WALCursor(fileNumber: gap.fileNumber, offset: gap.offset), Self.text(gap)))
        }
        damage.sort { ($0.place.fileNumber, $0.place.offset) < ($1.place.fileNumber, $1.place.offset) }
        return Report(
          cursor: input.failure == nil ? input.reader.cursor : output.cursor, damage: damage.map(\.text),
          failure: output.failure ?? input.failure, reader: input.reader, frameCount: input.frameCount)
      }
    }
  }

  private static func text(_ gap: WALGap) -> String {
    TracestoreError(.corrupt, gap.reason, path: gap.path, offset: gap.offset).description
  }

  private func runLane(until byteCount: Int) {
    let workspace = FrameWorkspace()
    while let (number, record) = nextRecord(until: byteCount) {
      do {
        try workspace.load(record)
        if try prepare(workspace) {
          guard hasTurn(number) else { return }
          try append(workspace)
        }
        finish(number, record)
      } catch  where isPassingOver {
        finish(number, record, error)
      } catch {
        return end(number, with: error)
      }
    }
  }

  private func nextRecord(until byteCount: Int) -> (number: Int, record: WALRecord)? {
    input.withLock { input in
      guard !input.isEnded, input.byteCount < byteCount else { return nil }
      do {
        if let record = try input.reader.next() {
          // Not damage that may be passed over: the pass ends before it.
          try record.checkIsRequest()
          defer { input.frameCount += 1 }
          input.byteCount += record.byteCount
          return (input.frameCount, record)
        }
      } catch { input.failure = error }
      input.isEnded = true
      return nil
    }
  }

  /// Waits for the frame's turn; false when none comes any more. Every earlier frame is with a thread that does not wait
  /// for this one.
  private func hasTurn(_ number: Int) -> Bool {
    let isSettled = { (output: inout Output) in output.turn == number || output.failure != nil }
    return output.withLock(waitingUntil: isSettled) { $0.failure == nil }
  }

  /// Ends the pass, unless an earlier frame has.
  private func end(_ number: Int, with error: any Error) {
    guard hasTurn(number) else { return }
    input.withLock { $0.isEnded = true }
    output.withLock { $0.failure = error }
    output.wakeAll()
  }

  private func finish(_ number: Int, _ record: WALRecord, _ error: (any Error)? = nil) {
    let behind = WALCursor(
      minimumSequence: record.sequence &+ 1, fileNumber: record.fileNumber,
      offset: record.offset + UInt64(record.byteCount))
    output.withLock { output in
      if let error {
        let place = WALCursor(fileNumber: record.fileNumber, offset: record.offset)
        output.damage.append((place, Self.text(record, error)))
      }
      output.early[number] = behind
      while let cursor = output.early.removeValue(forKey: output.turn) {
        output.cursor = cursor
        output.turn += 1
      }
    }
    output.wakeAll()
  }

  private static func text(_ record: WALRecord, _ error: any Error) -> String {
    let reason = "log frame \(record.sequence) cannot be read"
    return TracestoreError(.corrupt, reason, path: record.path, offset: record.offset, cause: error).description
  }
}
