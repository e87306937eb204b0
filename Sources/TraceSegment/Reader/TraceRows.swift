/// The rows of each trace of a stripe, by ordinal.
final class TraceRows: StripePart {
  private let firstPlaces: [UInt32]
  private let rows: [UInt32]

  var residentByteCount: Int { (firstPlaces.count + rows.count) * 4 }

  /// - Precondition: every ordinal is below `traceCount`.
  init(ordinals: [UInt32], traceCount: Int) {
    var places = [UInt32](repeating: 0, count: traceCount + 1)
    for ordinal in ordinals { places[Int(ordinal) + 1] += 1 }
    for trace in 0..<traceCount { places[trace + 1] += places[trace] }
    firstPlaces = places
    var rows = [UInt32](repeating: 0, count: ordinals.count)
    for (row, ordinal) in ordinals.enumerated() {
      rows[Int(places[Int(ordinal)])] = UInt32(row)
      places[Int(ordinal)] += 1
    }
    self.rows = rows
  }

  /// The rows of a trace, ascending.
  func rows(of ordinal: Int) -> ArraySlice<UInt32> {
    rows[Int(firstPlaces[ordinal])..<Int(firstPlaces[ordinal + 1])]
  }

  /// Hands the rows of a trace to `body`, ascending: for those that walk through all traces.
  @inline(__always)
  func withRows<Result>(of ordinal: Int, _ body: (UnsafeBufferPointer<UInt32>) throws -> Result) rethrows -> Result {
    let range = Int(firstPlaces[ordinal])..<Int(firstPlaces[ordinal + 1])
    return try rows.withUnsafeBufferPointer { try body(UnsafeBufferPointer(rebasing: $0[range])) }
  }
}
