import Testing
import TraceManifest

@testable import TraceMaintenance

/// What goes and what stays, by entries alone.
@Suite struct RetentionRulesTests {
  private static let hour: UInt64 = 3_600_000_000_000

  private static func file(
    _ number: UInt64, start: UInt64, arrival: UInt64? = nil, bytes: UInt64 = 100, rows: UInt64 = 10
  ) -> ManifestFile {
    var file = ManifestFile(key: ManifestFileKey(kind: .segment, number: number))
    file.rowCount = rows
    file.byteCount = bytes
    file.minimumStartNanoseconds = start / 2
    file.maximumStartNanoseconds = start
    file.minimumArrivalNanoseconds = arrival ?? start
    file.maximumArrivalNanoseconds = arrival ?? start
    return file
  }

  @Test func `a segment goes once its newest start is older than the age, and no sooner`() {
    let rules = RetentionRules(maximumAgeNanoseconds: 10)
    let files = [Self.file(1, start: 100), Self.file(2, start: 90), Self.file(3, start: 101)]
    #expect(rules.expired(files, nowNanoseconds: 100).isEmpty)
    #expect(rules.expired(files, nowNanoseconds: 101).map(\.key.number) == [2])
    #expect(rules.expired(files, nowNanoseconds: 111).map(\.key.number) == [2, 1])
    #expect(rules.expired(files, nowNanoseconds: 112).map(\.key.number) == [2, 1, 3])
    // A clock before the first age has passed.
    #expect(RetentionRules(maximumAgeNanoseconds: .max).expired(files, nowNanoseconds: 112).isEmpty)
    #expect(RetentionRules().expired(files, nowNanoseconds: .max).isEmpty)
  }

  @Test func `starts of zero and starts after everything had arrived age by arrival`() {
    let rules = RetentionRules(maximumAgeNanoseconds: 10)
    let zero = Self.file(1, start: 0, arrival: 100)
    let future = Self.file(2, start: .max, arrival: 200)
    #expect(rules.expired([zero, future], nowNanoseconds: 110).isEmpty)
    #expect(rules.expired([zero, future], nowNanoseconds: 111).map(\.key.number) == [1])
    #expect(rules.expired([zero, future], nowNanoseconds: 211).map(\.key.number) == [1, 2])
    // Old spans that came late are old.
    #expect(rules.expired([Self.file(3, start: 50, arrival: 200)], nowNanoseconds: 200).count == 1)
  }

  @Test func `too many bytes take the oldest segments, and never the newest`() {
    let files = (1...4 as ClosedRange<UInt64>).map { Self.file($0, start: 1000 - $0) }
    func numbers(_ bytes: UInt64) -> [UInt64] {
      RetentionRules(maximumByteCount: bytes).expired(files, nowNanoseconds: 0).map(\.key.number)
    }
    #expect(numbers(400).isEmpty)
    #expect(numbers(399) == [4])
    #expect(numbers(200) == [4, 3])
    #expect(numbers(1) == [4, 3, 2])
    // What goes by age makes room first.
    let both = RetentionRules(maximumAgeNanoseconds: 10, maximumByteCount: 200)
    #expect(both.expired(files, nowNanoseconds: 1008).map(\.key.number) == [4, 3])
    #expect(both.expired(files, nowNanoseconds: 2000).count == 4)
  }

  /// A small store that is written to for ever must not keep its first spans because later ones join their segment.
  @Test(arguments: [1, 6, 48, 240] as [UInt64])
  func `merges never keep spans longer than a quarter of the age beyond it`(_ ageInHours: UInt64) {
    let rules = RetentionRules(maximumAgeNanoseconds: ageInHours * Self.hour)
    var policy = CompactionPolicy()
    policy.agingWindowNanoseconds = rules.mergeWindowNanoseconds
    var live: [ManifestFile] = []
    var mergeCount = 0
    let step = ageInHours * Self.hour / 40
    for seal in 0..<400 as Range<UInt64> {
      let now = 1_800_000_000_000_000_000 + seal * step
      // The segment's oldest span is as old as a straggler may be.
      var sealed = Self.file(seal + 1, start: now, rows: 50)
      sealed.minimumStartNanoseconds = now - step
      live.append(sealed)
      while true {
        let inputs = policy.inputs(of: live)
        if inputs.isEmpty { break }
        mergeCount += 1
        var output = inputs[0]
        output.minimumStartNanoseconds = inputs.map(\.minimumStartNanoseconds).min() ?? 0
        output.maximumStartNanoseconds = inputs.map(\.maximumStartNanoseconds).max() ?? 0
        output.maximumArrivalNanoseconds = inputs.map(\.maximumArrivalNanoseconds).max() ?? 0
        output.rowCount = inputs.reduce(0) { $0 + $1.rowCount }
        live.removeAll { file in inputs.contains { $0.key == file.key } }
        live.append(output)
      }
      let expired = Set(rules.expired(live, nowNanoseconds: now).map(\.key))
      live.removeAll { expired.contains($0.key) }
      let oldest = live.map(\.minimumStartNanoseconds).min() ?? now
      #expect(now - oldest <= ageInHours * Self.hour * 5 / 4 + 2 * step, "seal \(seal)")
    }
    #expect(mergeCount > 10, "without merges this tests little")
    #expect(live.count < 40)
  }

  /// Writing a file again that loses nothing would be done with each pass.
  @Test(arguments: [1, 2, 4, 16, 96] as [UInt64])
  func `metrics segments are written again only when an hour goes, and before it has outstayed its age by much`(
    _ ageInQuarters: UInt64
  ) {
    let quarter = Self.hour / 4
    let age = ageInQuarters * quarter
    let rules = RetentionRules(maximumMetricsAgeNanoseconds: age)
    var file = Self.file(1, start: 20 * Self.hour)
    file.minimumStartNanoseconds = 10 * Self.hour
    var first: UInt64?
    for now in stride(from: 10 * Self.hour, through: 60 * Self.hour, by: Int(quarter / 3)) {
      if rules.metricsToRewrite([file], hasNew: false, nowNanoseconds: now).isEmpty { continue }
      first = first ?? now
      #expect(rules.isExpired(hour: 10, nowNanoseconds: now), "\(now)")
    }
    #expect(first.map { $0 <= 11 * Self.hour + age * 5 / 4 + quarter } == true)
  }

  /// Starts and arrivals of all kinds, and what merges make of them.
  @Test(arguments: 1...60 as ClosedRange<UInt64>)
  func `what a merge makes ages from the newest of its inputs, in the window of all of them`(_ seed: UInt64) {
    var state = seed
    func next(_ bound: UInt64) -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state >> 33) % bound
    }
    var policy = CompactionPolicy()
    policy.agingWindowNanoseconds = 100
    var mergeCount = 0
    for round in 0..<300 {
      let files = (1...24 as ClosedRange<UInt64>).map { number in
        Self.file(number, start: next(5) == 0 ? 0 : next(400), arrival: next(400))
      }
      let inputs = policy.inputs(of: files)
      if inputs.isEmpty { continue }
      mergeCount += 1
      var output = inputs[0]
      output.maximumStartNanoseconds = inputs.map(\.maximumStartNanoseconds).max() ?? 0
      output.maximumArrivalNanoseconds = inputs.map(\.maximumArrivalNanoseconds).max() ?? 0
      let ages = inputs.map(\.agingNanoseconds)
      #expect(output.agingNanoseconds == ages.max(), "seed \(seed), round \(round)")
      #expect(Set(ages.map { $0 / 100 }).count == 1, "seed \(seed), round \(round)")
    }
    #expect(mergeCount > 100, "seed \(seed)")
  }
}
