import Testing
import TraceGraph

/// Sums of calls as they are kept.
@Suite struct PackedTallyTests {
  /// Codes and sums of few bytes and of as many as there can be, and an edge without calls.
  private static let tally: EdgeTally = {
    var tally = EdgeTally()
    for (place, caller) in [0, 1, 127, 128, 70_000, UInt32.max].enumerated() {
      for (number, connection) in Connection.allCases.enumerated() {
        let key = EdgeKey(caller: caller, callee: UInt32.max - caller, connection: connection)
        // From none to thousands, of all lengths.
        let durations = (0..<UInt64(place * place * 100)).map { $0 &* $0 &* 0x9e37_79b9 &>> UInt64(number * 8) }
        durations.withUnsafeBufferPointer { tally.add($0, errorCount: $0.count / 3, to: key) }
      }
    }
    [UInt64.max, .max].withUnsafeBufferPointer {
      tally.add($0, errorCount: 2, to: EdgeKey(caller: 3, callee: 4, connection: .call))
    }
    return tally
  }()

  private static func expectEqual(_ sums: EdgeSums, _ expected: EdgeSums) {
    #expect(sums.callCount == expected.callCount && sums.errorCount == expected.errorCount)
    #expect(sums.sumNanoseconds == expected.sumNanoseconds)
    #expect(sums.maximumNanoseconds == expected.maximumNanoseconds)
    #expect(sums.durations == expected.durations)
  }

  @Test func `sums come back as they were packed`() {
    let packed = PackedTally(Self.tally)
    var unpacked = EdgeTally()
    packed.add(to: &unpacked) { $0 }
    #expect(unpacked.edges == Self.tally.edges)
    for (sums, expected) in zip(unpacked.sums, Self.tally.sums) { Self.expectEqual(sums, expected) }
  }

  @Test func `sums that are unpacked under one code are added up`() {
    let key = EdgeKey(caller: 5, callee: 6, connection: .database)
    var unpacked = EdgeTally()
    for _ in 0..<2 { PackedTally(Self.tally).add(to: &unpacked) { _ in key } }
    var expected = EdgeSums()
    for sums in Self.tally.sums + Self.tally.sums { expected.add(sums) }
    #expect(unpacked.edges == [key])
    Self.expectEqual(unpacked.sums[0], expected)
  }

  @Test func `edges of a few calls take a few bytes`() {
    var tally = EdgeTally()
    for caller in 0..<100 as Range<UInt32> {
      [1_000_000, 2_000_000].withUnsafeBufferPointer {
        tally.add($0, errorCount: 0, to: EdgeKey(caller: caller, callee: 100, connection: .call))
      }
    }
    #expect(PackedTally(tally).byteCount < 100 * 30)
    #expect(PackedTally(EdgeTally()).byteCount == 0)
  }
}
