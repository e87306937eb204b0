import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// Random histories with passes in between: what goes is old, what is young stays, and the figures are those of exactly
/// what went.
@Suite struct ExpiryDifferentialTests {
  private typealias Place = ExpiredMetricsTests.Place

  /// What a plain store would hold: distinct final records, and the calls of those that went.
  private struct Model {
    var alive: [ContentKey: FoundRecord] = [:]
    var expired: [Place: Int] = [:]
  }

  private struct FoundRecord {
    var resource: Resource
    var span: SpanRecord
    /// Since when it is there.
    var arrival: UInt64 = 0
  }

  /// Traces are moved apart, each by hours of its own, so that records that are sent again stay equal.
  private static func spread(_ batch: TraceData) -> TraceData {
    var batch = batch
    for group in batch.resourceSpans.indices {
      for scope in batch.resourceSpans[group].scopeSpans.indices {
        for index in batch.resourceSpans[group].scopeSpans[scope].spans.indices {
          var span = batch.resourceSpans[group].scopeSpans[scope].spans[index]
          let shift = span.traceID.low % 40 * RetentionTests.hour
          for time in [\SpanRecord.start, \SpanRecord.end] where span[keyPath: time] > .zero {
            let moved = span[keyPath: time].nanoseconds.addingReportingOverflow(shift)
            if !moved.overflow { span[keyPath: time] = Timestamp(nanoseconds: moved.partialValue) }
          }
          batch.resourceSpans[group].scopeSpans[scope].spans[index] = span
        }
      }
    }
    return batch
  }

  private static func isFinal(_ span: SpanRecord) -> Bool {
    span.end > .zero && !span.attributes.contains(Attribute("tracestore.partial", true))
  }

  private static func finals(_ store: TraceStore, _ traces: Set<TraceID>) async throws -> [ContentKey: FoundRecord] {
    var found: [ContentKey: FoundRecord] = [:]
    var options = ReadOptions()
    options.isRaw = true
    let chunks = try await store.getTraces(traces.sorted().map { GetTraceParameters($0) }, options: options)
    for chunk in try await chunks.collect().elements {
      chunk.data.forEachSpan { resource, scope, span in
        if isFinal(span) {
          found[ContentKey(resource, scope, span)] = FoundRecord(resource: resource, span: span)
        }
      }
    }
    return found
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `expired figures are those of what went, and living ones those of what stayed`(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    // 2026-01-01, where the records begin.
    let epoch: UInt64 = 1_767_225_600_000_000_000
    let clock = ExpiredMetricsTests.Clock(epoch)
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let age = UInt64(5 + random.next() % 20) * RetentionTests.hour
    let policy =
      seed % 4 == 3
      ? RetentionPolicy(maximumByteCount: 20_000) : RetentionPolicy(maximumAgeNanoseconds: age)
    var options = RetentionTests.options(clock)
    // Merges heed the age; passes come when the history says so.
    options.sealSpanCount = 40 + Int(random.next() % 100)
    var store = try await TraceStore.open(in: files, at: "store", options: options)
    var model = Model()
    var traces: Set<TraceID> = []
    var goneCount = 0
    let batches = randomTraces(seed: seed, count: 120, openSpanShare: seed % 2 == 0 ? 5 : 0).map(Self.spread)
    for (index, batch) in batches.enumerated() {
      let now = epoch + UInt64(index) * RetentionTests.hour / 2
      clock.set(now)
      _ = try await store.writeTraces(batch)
      batch.forEachSpan { resource, scope, span in
        traces.insert(span.traceID)
        let key = ContentKey(resource, scope, span)
        if Self.isFinal(span), model.alive[key] == nil {
          model.alive[key] = FoundRecord(resource: resource, span: span, arrival: now)
        }
      }
      if random.next() % 5 == 0 { try await store.seal() }
      if random.next() % 20 == 0 { try await store.compact(random.next() % 2 == 0 ? .all : .due) }
      if random.next() % 25 == 0 {
        try await store.close()
        store = try await TraceStore.open(in: files, at: "store", options: options)
      }
      guard random.next() % 6 == 0 || index == batches.count - 1 else { continue }
      let place: Comment = "seed \(seed), batch \(index)"
      #expect(try await Set(Self.finals(store, traces).keys) == Set(model.alive.keys), place)
      let plan = try store.retentionPlan(policy)
      let report = try await store.retain(policy)
      #expect(report.segments.starts(with: plan.segments), place)
      #expect(try store.retentionPlan(policy).segments.isEmpty, place)
      let left = try await Self.finals(store, traces)
      for (key, record) in model.alive where left[key] == nil {
        if let age = policy.maximumAgeNanoseconds {
          // A span that starts after it came is as old as its arrival.
          #expect(min(record.span.start.nanoseconds, record.arrival) < now - age, "\(place): a young span went")
        }
        model.expired[ExpiredMetricsTests.key(record.resource, record.span, isExpired: true), default: 0] += 1
        goneCount += 1
      }
      #expect(Set(left.keys).isSubset(of: model.alive.keys), place)
      model.alive = model.alive.filter { left[$0.key] != nil }
      var expected = model.expired
      for record in left.values {
        expected[ExpiredMetricsTests.key(record.resource, record.span, isExpired: false), default: 0] += 1
      }
      #expect(try await ExpiredMetricsTests.calls(store) == expected, place)
    }
    #expect(goneCount > 20, "seed \(seed): hardly anything went, so it tests little")
    try await store.close()
  }
}
