import TraceColumns
import TraceModel
import TraceSource

/// Damage met on the way: what can still be read is returned, and what was left out is named once.
struct DamageReport {
  private(set) var messages: [String] = []
  /// The first error that was not damage: what it kept from being read may be read another time.
  private(set) var failure: TracestoreError?

  /// - Parameter known: what had to be left out before the query began.
  init(_ known: [String] = []) { messages = known }

  mutating func add(_ error: TracestoreError) {
    if error.code != .corrupt { failure = failure ?? error }
    add([error.description])
  }

  mutating func add(_ sentences: [String]) {
    for sentence in sentences where !messages.contains(sentence) { messages.append(sentence) }
  }

  mutating func add(_ other: DamageReport) {
    failure = failure ?? other.failure
    for message in other.messages where !messages.contains(message) { messages.append(message) }
  }

  /// The result of `body`, or nil when it met damage. Other errors are not ours to swallow; they are kept as damage
  /// too, because a query that can go on without a file should.
  @discardableResult
  mutating func collect<Result>(_ body: () throws -> Result) -> Result? {
    do { return try body() } catch {
      add(error)
      return nil
    }
  }

  private mutating func add(_ error: any Error) {
    add(error as? TracestoreError ?? TracestoreError(.inputOutput, "A read failed", cause: error))
  }

  /// After so many failures what is left is tried whole: when nothing of a stripe can be read, asking for ever smaller
  /// parts of it only costs reads.
  private static let maximumFailureCount = 64

  /// Calls `body` with a range, and when that meets damage with ever smaller parts of it, so that only parts that need
  /// the damaged bytes are given up.
  ///
  /// - Parameters:
  ///   - granularity: a part is not cut below this, nor elsewhere than at multiples of it.
  ///   - body: may be called again with rows that it saw before it threw.
  mutating func salvage(_ range: Range<Int>, atLeast granularity: Int, _ body: (Range<Int>) throws -> Void) {
    var parts = [range]
    var failureCount = 0
    while let part = parts.popLast() {
      do { try body(part) } catch {
        failureCount += 1
        let middle = (part.lowerBound + part.count / 2) / granularity * granularity
        let cut = middle > part.lowerBound ? middle : part.lowerBound / granularity * granularity + granularity
        if cut < part.upperBound, failureCount < Self.maximumFailureCount {
          parts.append(cut..<part.upperBound)
          parts.append(part.lowerBound..<cut)
        } else {
          add(error)
        }
      }
    }
  }

  /// The same for the rows of a mask, down to those of a page.
  mutating func salvage(_ mask: RowMask, _ body: (RowMask) throws -> Void) {
    salvage(0..<mask.count, atLeast: TraceSearch.salvagedRowCount) { rows in
      var part = RowMask(count: mask.count)
      part.set(rows)
      part.formIntersection(mask)
      if !part.isEmpty { try body(part) }
    }
  }

  /// The same for rows of a trace, down to single ones.
  mutating func salvage(_ located: LocatedRows, _ body: (LocatedRows) throws -> Void) {
    salvage(0..<located.rows.count, atLeast: 1) { places in
      let isWhole = places.count == located.rows.count
      try body(isWhole ? located : LocatedRows(stripe: located.stripe, rows: Array(located.rows[places])))
    }
  }
}
