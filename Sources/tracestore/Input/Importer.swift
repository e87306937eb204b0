import TraceEngine
import TraceModel
import TraceOTLP

/// Reads files and has their requests stored, several at a time; accounts for them in the order of the input.
final class Importer {
  /// Requests that wait for the disk together: what one sync costs is shared by all of them.
  private static let maximumRequestsInFlight = 64
  /// And the bytes they may hold together, apart from one request that is larger alone.
  private static let maximumBytesInFlight = 64 << 20

  private let isKeepingGoing: Bool
  private let framing: OTLPFrameReader.Framing?
  private var progress = ProgressLine(total: nil)
  private(set) var outcome = ImportOutcome()

  init(isKeepingGoing: Bool, framing: OTLPFrameReader.Framing?) {
    self.isKeepingGoing = isKeepingGoing
    self.framing = framing
  }

  private struct Job: Sendable {
    var frame: OTLPFrameReader.Frame
    var file: String
  }

  private struct Done: Sendable {
    var sequence: Int
    var index: Int
    var offset: UInt64
    var byteCount: Int
    var file: String
    var result: Result<WriteReceipt, any Error>
  }

  /// Stores everything, or up to the first refused request.
  ///
  /// - Throws: What stops an import whatever it was told: a store that cannot be written. Refused requests are in
  ///   `outcome`; a file that cannot be read throws too, unless the import keeps going.
  func run(_ inputs: [Result<InputFile, any Error>], into store: TraceStore) async throws {
    let sizes = inputs.map { try? $0.get().byteCount }
    let total = sizes.reduce(UInt64?(0)) { sum, size in sum.flatMap { sum in (size ?? nil).map { sum + $0 } } }
    progress = ProgressLine(total: total)
    defer { outcome.seconds = progress.seconds }
    for input in inputs {
      do {
        let file = try input.get()
        let isGoingOn = try await run(file, into: store)
        outcome.byteCount += file.readByteCount
        if !isGoingOn { return }
      } catch let error as TracestoreError where isKeepingGoing && error.code == .inputOutput && error.path != nil {
        outcome.hasFileFailure = true
        outcome.refusals.append(
          ImportRefusal(file: error.path ?? "", index: 0, offset: error.offset ?? 0, reason: error.message))
      }
      if Interruption.isRequested { return }
    }
  }

  /// Returns false when the import has to end here.
  private func run(_ file: InputFile, into store: TraceStore) async throws -> Bool {
    let input = PlainInput(file)
    var reader = OTLPFrameReader(framing: framing) { try input.read($0) }
    var sequence = 0
    var accounted = 0
    var bytesInFlight = 0
    var finished: [Int: Done] = [:]
    var isEnded = false
    var failure: (any Error)?
    let baseByteCount = outcome.byteCount

    await withTaskGroup(of: Done.self) { group in
      var inFlight = 0
      func receive() async {
        guard let done = await group.next() else { return }
        inFlight -= 1
        bytesInFlight -= done.byteCount
        finished[done.sequence] = done
        while failure == nil, !isEnded, let next = finished.removeValue(forKey: accounted) {
          accounted += 1
          do { isEnded = !(try account(next)) } catch { failure = error }
        }
      }
      while failure == nil, !isEnded, !Interruption.isRequested {
        let frame: OTLPFrameReader.Frame
        do {
          guard let next = try reader.next() else { break }
          frame = next
        } catch {
          // What stands before the place that cannot be read is accounted for first.
          while inFlight > 0 { await receive() }
          guard failure == nil, !isEnded else { break }
          do { isEnded = !(try refuse(error, index: sequence, file: file.name, at: input.plainByteCount)) } catch {
            failure = error
          }
          sequence += 1
          accounted += 1
          continue
        }
        while inFlight > 0,
          inFlight >= Self.maximumRequestsInFlight || bytesInFlight + frame.bytes.count > Self.maximumBytesInFlight
        {
          await receive()
        }
        let job = Job(frame: frame, file: file.name)
        let number = sequence
        sequence += 1
        inFlight += 1
        bytesInFlight += frame.bytes.count
        group.addTask { await Self.store(job, number, in: store) }
        progress.update(done: baseByteCount + file.readByteCount) {
          "importing: \(Figure.count(outcome.spanCount)) spans, \(Figure.count(UInt64(Double(outcome.spanCount) / max(progress.seconds, 0.001)))) spans/s, \(Figure.bytes(baseByteCount + file.readByteCount)), \($0)"
        }
      }
      while inFlight > 0 { await receive() }
    }
    if let failure { throw failure }
    return !isEnded
  }

  private static func store(_ job: Job, _ sequence: Int, in store: TraceStore) async -> Done {
    let frame = job.frame
    let result: Result<WriteReceipt, any Error>
    do {
      result = .success(
        try await store.writeEncoded(frame.bytes, encoding: frame.encoding == .json ? .json : .protobuf))
    } catch {
      result = .failure(error)
    }
    return Done(
      sequence: sequence, index: frame.index, offset: frame.offset, byteCount: frame.bytes.count, file: job.file,
      result: result)
  }

  private func account(_ done: Done) throws -> Bool {
    switch done.result {
    case .success(let receipt):
      outcome.requestCount += 1
      outcome.spanCount += receipt.acceptedSpanCount
      outcome.refusals += receipt.refused.map {
        ImportRefusal(file: done.file, index: done.index, offset: done.offset, reason: $0.reason, span: $0.spanIndex)
      }
      return true
    case .failure(let error):
      var error = error
      if var known = error as? TracestoreError {
        known.offset = done.offset &+ (known.offset ?? 0)
        error = known
      }
      return try refuse(error, index: done.index, file: done.file, at: done.offset)
    }
  }

  /// Notes a request that the input's bytes are to blame for, and tells whether to go on; throws what is not theirs.
  private func refuse(_ error: any Error, index: Int, file: String, at offset: UInt64) throws -> Bool {
    guard let error = error as? TracestoreError, [.malformedInput, .limitExceeded].contains(error.code) else {
      throw error
    }
    outcome.refusals.append(
      ImportRefusal(
        file: file, index: index, offset: error.offset ?? offset,
        reason: error.cause.map { "\(error.message): \($0)" } ?? error.message))
    return isKeepingGoing
  }
}
