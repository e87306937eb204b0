import Testing
import TraceBytes
import TraceModel
import TraceSegment

/// Metrics segments: what was written comes back, and nothing else is taken for one.
@Suite struct HourlyFiguresTests {
  private static func random(_ seed: UInt64, callCount: Int = 300) -> HourlyFigures {
    var random = SeededRandom(seed: seed)
    var figures = HourlyFigures()
    for _ in 0..<callCount {
      let series = HourlyFigures.Series(
        service: Array(random.pick(["cart", "café", ""]).utf8),
        operation: Array(random.pick(["GET", "POST", ""]).utf8),
        kind: random.pick([0, 1, 2, -1, .max, .min]))
      let count = random.below(4)
      let starts = (0..<count).map { _ in random.next() >> UInt64(random.below(60)) }
      let durations = (0..<count).map { _ in random.next() >> UInt64(random.below(64)) }
      let errors = random.chance(50) ? [] : (0..<count).map { _ in UInt8(random.below(2)) }
      figures.update(series, starts, durations, errors)
    }
    return figures
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `what was written comes back`(_ seed: UInt64) throws {
    let figures = Self.random(seed, callCount: seed == 1 ? 0 : 300)
    let bytes = figures.encoded()
    let read = try HourlyFigures(bytes, path: "metrics")
    #expect(read == figures, "seed \(seed)")
    #expect(read.encoded() == bytes, "seed \(seed)")
  }

  @Test(arguments: 1...10 as ClosedRange<UInt64>)
  func `parts merged are the whole, in any order`(_ seed: UInt64) throws {
    let (first, second) = (Self.random(seed), Self.random(seed &+ 100))
    var together = first
    together.merge(second)
    var otherWay = second
    otherWay.merge(first)
    #expect(together == otherWay, "seed \(seed)")
    let calls = [first, second].flatMap { $0.series.values.flatMap(\.values) }.reduce(0) { $0 + $1.callCount }
    #expect(together.series.values.flatMap(\.values).reduce(0) { $0 + $1.callCount } == calls, "seed \(seed)")
    var merged = HourlyFigures()
    let parts = together.parts(maximumByteCount: 2000)
    #expect(parts.count > 3 && parts.allSatisfy { $0.encoded().count < 4000 })
    for part in parts.reversed() { merged.merge(part) }
    #expect(merged == together, "seed \(seed)")
    var young = together
    young.removeHours { $0 < 1000 }
    var old = together
    old.removeHours { $0 >= 1000 }
    #expect(!young.isEmpty && !old.isEmpty && old.hours?.upperBound ?? 0 < 1000 && young.hours?.lowerBound ?? 0 >= 1000)
    old.merge(young)
    #expect(old == together, "seed \(seed)")
  }

  @Test func `every changed byte and every missing end is damage`() throws {
    let bytes = Self.random(5, callCount: 6).encoded()
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= 0x10
      let error = #expect(throws: TracestoreError.self, "byte \(index)") { try HourlyFigures(changed, path: "metrics") }
      #expect(error?.code == ((8..<12).contains(index) ? .unsupportedFormat : .corrupt), "byte \(index)")
      #expect(throws: TracestoreError.self, "cut at \(index)") {
        try HourlyFigures(Array(bytes[..<index]), path: "metrics")
      }
    }
  }

  /// Bytes with a sound checksum that no writer has written.
  @Test(
    arguments: [
      // Names that do not ascend, and text that is not UTF-8.
      [2, 1, 0x62, 1, 0x61, 0], [1, 1, 0xff, 0],
      // A count without what it announces; a name that is not there.
      [1, 1, 0x61, 100], [1, 1, 0x61, 1, 1, 0, 0, 1, 5, 1, 0, 7, 0, 7, 0, 1, 0, 1],
      // No hours; hours that stand still; an hour behind the end of time.
      [1, 1, 0x61, 1, 0, 0, 0, 0],
      [1, 1, 0x61, 1, 0, 0, 0, 2, 5, 1, 0, 7, 0, 7, 0, 1, 0, 1, 0, 1, 0, 7, 0, 7, 0, 1, 0, 1],
      [1, 1, 0x61, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 0, 7, 0, 7, 0, 1, 0, 1],
      // More errors than calls; a sum that no such durations have; too few calls in the buckets, and the wrong bucket.
      [1, 1, 0x61, 1, 0, 0, 0, 1, 5, 1, 2, 7, 0, 7, 0, 1, 0, 1],
      [1, 1, 0x61, 1, 0, 0, 0, 1, 5, 1, 0, 8, 0, 7, 0, 1, 0, 1],
      [1, 1, 0x61, 1, 0, 0, 0, 1, 5, 2, 0, 14, 0, 7, 0, 1, 0, 1],
      [1, 1, 0x61, 1, 0, 0, 0, 1, 5, 1, 0, 7, 0, 7, 0, 1, 1, 1],
      // A bucket without calls; a call count beyond the limit; something behind the end.
      [1, 1, 0x61, 1, 0, 0, 0, 1, 5, 1, 0, 7, 0, 7, 0, 2, 0, 1, 1, 0],
      [
        1, 1, 0x61, 1, 0, 0, 0, 1, 5, 0x81, 0x80, 0x80, 0x80, 0x80, 0x20, 0, 0, 0, 0, 0, 1, 0, 0x81, 0x80, 0x80, 0x80,
        0x80, 0x20,
      ],
      [1, 1, 0x61, 1, 0, 0, 0, 1, 5, 1, 0, 7, 0, 7, 0, 1, 0, 1, 9],
    ] as [[UInt8]])
  func `figures that contradict each other are damage`(_ body: [UInt8]) throws {
    func file(_ body: [UInt8]) -> [UInt8] {
      var writer = ByteWriter()
      writer.append(Array("TSMET001".utf8) + [1, 0, 0, 0, 0, 0, 0, 0] + body)
      writer.appendInteger(CRC32C.checksum(writer.bytes))
      return writer.bytes
    }
    let sound: [UInt8] = [1, 1, 0x61, 1, 0, 0, 0, 1, 5, 1, 0, 7, 0, 7, 0, 1, 0, 1]
    #expect(try HourlyFigures(file(sound), path: "metrics").cellCount == 1)
    let error = #expect(throws: TracestoreError.self) { try HourlyFigures(file(body), path: "metrics") }
    #expect(error?.code == .corrupt)
  }
}

extension HourlyFigures {
  fileprivate mutating func update(_ series: Series, _ starts: [UInt64], _ durations: [UInt64], _ errors: [UInt8]) {
    starts.withUnsafeBufferPointer { starts in
      durations.withUnsafeBufferPointer { durations in
        errors.withUnsafeBufferPointer { errors in
          update(series, starts: starts, durations: durations, errors: errors)
        }
      }
    }
  }
}
