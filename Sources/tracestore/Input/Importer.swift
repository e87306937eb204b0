import TraceEngine
import TraceModel
import TracestoreV2

/// Reads files and has their requests stored, several at a time; accounts for them in the order of the input.
final class Importer {
  /// Requests that wait for the disk together: what one sync costs is shared by all of them.
  private static let maximumRequestsInFlight = 64
  /// And the bytes they may hold together, apart from one request that is larger alone.
  private static let maximumBytesInFlight = 64 << 20

  private let isKeepingGoing: Bool
  private let form: InputForm
  private let open: @Sendable () async throws -> TraceStore
  /// Nil until there is something to store.
  private(set) var store: TraceStore?
  /// The requests of all files stand in one line, so that those of a file come behind those of the file before.
  private var line: WriteLine?
  private var progress = ProgressLine(total: nil)
  private(set) var outcome = ImportOutcome()

  /// - Parameter open: gives the store; called once.
  init(isKeepingGoing: Bool, form: InputForm, open: @escaping @Sendable () async throws -> TraceStore) {
    self.isKeepingGoing = isKeepingGoing
    self.form = form
    self.open = open
  }

  /// Opens the store before anything has been read, or found sound.
  func openStore() async throws {
    if store == nil { _ = try await openLine() }
  }

  private func openLine() async throws -> WriteLine {
    let store = try await open()
    let line = store.makeWriteLine(endsAtRefusal: !isKeepingGoing)
    (self.store, self.line) = (store, line)
    return line
  }

  /// What became of a request.
  private struct Done: Sendable {
    /// Its place among the requests of its file that were handed to the store.
    var number: Int
    var index: Int
    var offset: UInt64
    var places: RequestSource.Places?
    var byteCount: Int
    var result: Result<WriteReceipt, any Error>
  }

  /// Stores everything, or up to the first refused request. A store that has not been opened is with the first request
  /// that it can take: what is refused as a whole makes none.
  ///
  /// - Throws: What stops an import whatever it was told: a store that cannot be written. Refused requests are in
  ///   `outcome`; a file that cannot be read throws too, unless the import keeps going.
  func run(_ paths: [String]) async throws {
    let sizes = paths.map { try? InputFile.check(path: $0) }
    let total = sizes.reduce(UInt64?(0)) { sum, size in sum.flatMap { sum in (size ?? nil).map { sum + $0 } } }
    progress = ProgressLine(total: total)
    defer { outcome.seconds = progress.seconds }
    for path in paths {
      do {
        guard try await run(try InputFile(path: path)) else { return }
      } catch let error as InputFailure where isKeepingGoing {
        outcome.hasFileFailure = true
        outcome.refusals.append(
          ImportRefusal(file: error.name, index: 0, offset: error.error.offset ?? 0, reason: error.error.message))
      }
      if Interruption.isRequested { return }
    }
  }

  /// Returns false when the import has to end here.
  private func run(_ file: InputFile) async throws -> Bool {
    let input = PlainInput(file)
    var source = RequestSource(form) { try input.read($0) }
    let (arriving, outlet) = AsyncStream.makeStream(of: Done.self)
    var arrivals = arriving.makeAsyncIterator()
    var queue = Queue()
    let baseByteCount = outcome.byteCount
    defer { outcome.byteCount = baseByteCount + file.readByteCount }

    while !queue.isEnded {
      let request: RequestSource.Request
      do {
        let next = try source.next()
        // What was cut short is no request.
        guard !Interruption.endsInput, let next else { break }
        request = next
      } catch {
        // What stands before the place that cannot be read is accounted for first.
        while let done = await queue.next(&arrivals) { account(done, in: file.name, &queue) }
        if Interruption.isRequested || queue.isEnded { break }
        note(error, index: source.index, offset: input.plainByteCount, in: file.name, &queue)
        continue
      }
      while queue.isFull(for: request.bytes.count), let done = await queue.next(&arrivals) {
        account(done, in: file.name, &queue)
      }
      let (index, offset, places, byteCount) = (request.index, request.offset, request.places, request.bytes.count)
      let done = { @Sendable (number: Int, result: Result<WriteReceipt, any Error>) in
        Done(number: number, index: index, offset: offset, places: places, byteCount: byteCount, result: result)
      }
      let line: WriteLine
      if let known = self.line {
        line = known
      } else {
        do { try WriteLine.check(request.bytes, encoding: request.encoding) } catch {
          account(done(0, .failure(error)), in: file.name, &queue)
          continue
        }
        line = try await openLine()
      }
      let number = queue.add(byteCount)
      line.submit(request.bytes, encoding: request.encoding) { [isKeepingGoing] result in
        // A pipe may stay silent for as long as it likes, and nothing that it says matters any more.
        if case .failure(let error) = result, !isKeepingGoing || !Self.isToBlame(error) { Interruption.endInput() }
        outlet.yield(done(number, result))
      }
      progress.update(done: baseByteCount + file.readByteCount) {
        "importing: \(Figure.count(outcome.spanCount)) spans, \(Figure.count(UInt64(Double(outcome.spanCount) / max(progress.seconds, 0.001)))) spans/s, \(Figure.bytes(baseByteCount + file.readByteCount)), \($0)"
      }
    }
    // Also behind a failure: whatever was stored is counted.
    while let done = await queue.next(&arrivals) { account(done, in: file.name, &queue) }
    if let failure = queue.failure { throw failure }
    return !queue.isEnded
  }

  private func account(_ done: Done, in file: String, _ queue: inout Queue) {
    switch done.result {
    case .success(let receipt):
      outcome.requestCount += 1
      outcome.spanCount += receipt.acceptedSpanCount
      outcome.refusals += receipt.refused.map { refused in
        // Of a document that was cut into requests, the span counts in the document, and has a byte of its own.
        let place = done.places.flatMap { places in
          places.indexes.indices.contains(refused.spanIndex)
            ? (places.indexes[refused.spanIndex], places.offsets[refused.spanIndex]) : nil
        }
        return ImportRefusal(
          file: file, index: done.index, offset: place?.1 ?? done.offset, reason: refused.reason,
          span: place?.0 ?? refused.spanIndex)
      }
    case .failure(var error):
      // One reason to end is enough; what follows has not been stored either.
      guard !queue.isEnded else { return }
      // An error with a path is the store's, and its place stands in that file.
      if var known = error as? TracestoreError, known.path == nil {
        // The bytes of a request that was made from a document stand in no file.
        known.offset = done.places == nil ? done.offset &+ (known.offset ?? 0) : done.offset
        error = known
      }
      note(error, index: done.index, offset: done.offset, in: file, &queue)
    }
  }

  /// Notes a request that the input's bytes are to blame for, and ends the import unless it keeps going; what is not
  /// their fault always ends it.
  private func note(
    _ error: any Error, index: Int, offset: UInt64, in file: String, _ queue: inout Queue
  ) {
    guard let error = error as? TracestoreError, Self.isToBlame(error) else {
      queue.end(error)
      return
    }
    outcome.refusals.append(
      ImportRefusal(
        file: file, index: index, offset: error.offset ?? offset,
        reason: error.cause.map { "\(error.message): \($0)" } ?? error.message))
    if !isKeepingGoing { queue.end(nil) }
  }

  /// Whether the input's bytes are the reason.
  private static func isToBlame(_ error: any Error) -> Bool {
    [.malformedInput, .limitExceeded].contains((error as? TracestoreError)?.code)
  }
}

extension Importer {
  /// The requests of a file that are under way. They come back in any order and are accounted for in theirs.
  private struct Queue {
    private var addedCount = 0
    private var accountedCount = 0
    private var arrivedCount = 0
    private var byteCount = 0
    private var waiting: [Int: Done] = [:]
    private(set) var isEnded = false
    private(set) var failure: (any Error)?

    mutating func add(_ byteCount: Int) -> Int {
      defer { addedCount += 1 }
      self.byteCount += byteCount
      return addedCount
    }

    func isFull(for byteCount: Int) -> Bool {
      let count = addedCount - arrivedCount
      return count > 0
        && (count >= Importer.maximumRequestsInFlight || self.byteCount + byteCount > Importer.maximumBytesInFlight)
    }

    /// The next request to account for; nil when none is under way.
    mutating func next(_ arrivals: inout AsyncStream<Done>.Iterator) async -> Done? {
      while accountedCount < addedCount {
        if let done = waiting.removeValue(forKey: accountedCount) {
          accountedCount += 1
          return done
        }
        guard let done = await arrivals.next() else { return nil }
        arrivedCount += 1
        byteCount -= done.byteCount
        waiting[done.number] = done
      }
      return nil
    }

    mutating func end(_ failure: (any Error)?) {
      isEnded = true
      self.failure = failure
    }
  }
}
