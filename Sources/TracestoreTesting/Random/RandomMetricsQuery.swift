public import TraceModel
public import TracestoreV2

/// A random metrics query over spans that exist: windows whose ends lie on or beside starts of spans, steps that divide
/// nothing, groups of all levels, filters, and limits that are reached.
///
/// - Parameters:
///   - seed: The same seed and batches give the same query.
///   - data: The batches that were written.
public func randomMetricsQuery(seed: UInt64, from data: [TraceData]) -> MetricsQuery {
  var random = SeededRandom(seed: seed)
  var starts: [UInt64] = []
  var services: Set<[UInt8]> = []
  for batch in data {
    batch.forEachSpan { resource, _, span in
      starts.append(span.start.nanoseconds)
      services.insert(Array(resource.serviceName.utf8))
    }
  }
  starts.sort()
  let first = starts.isEmpty ? 0 : random.pick(starts)
  let last = starts.isEmpty ? 0 : random.pick(starts)
  let (earlier, later) = (min(first, last), max(first, last))
  let end = later &+ random.pick([0, 1, 1, 1000])
  let lookback = end - min(end, earlier) + random.pick([0, 0, 1, 60_000_000_000])
  // At most some hundred steps a window, so that a recount of every point stays quick.
  let step = max(1, lookback / random.pick([1, 3, 7, 40, 200])) + random.pick([0, 0, 1, 13])
  var query = MetricsQuery(serviceNames: [], end: Timestamp(nanoseconds: end), lookbackNanoseconds: lookback)
  query.stepNanoseconds = step
  query.ratePerNanoseconds = random.pick([step, step * 3, max(1, step / 2), step + 1, lookback + 1])
  let minute: UInt64 = 60_000_000_000
  if random.isOneIn(2), lookback < 200 * minute {
    // Whole minutes, as dashboards ask for; the window cuts them or does not.
    query.stepNanoseconds = minute * random.pick([1, 1, 2, 5])
    query.ratePerNanoseconds = minute * random.pick([1, 3, 10])
    if random.isOneIn(2) { query.end = Timestamp(nanoseconds: (end / minute + 1) * minute) }
  }
  query.quantile = random.pick([0, 0.25, 0.5, 0.95, 0.99, 1])
  query.isExact = random.isOneIn(2)
  query.spanKinds = random.pick([[], [], [.server], [.client, .unspecified], [.internal, .server, .consumer]])
  let names = services.sorted { $0.lexicographicallyPrecedes($1) }.map { String(decoding: $0, as: UTF8.self) }
  query.serviceNames = names.filter { _ in random.isOneIn(2) }
  if random.isOneIn(4) { query.serviceNames.append("nowhere") }
  query.groups = random.pick([
    [], [.operation], [.operation], [.attribute(AttributeReference("region"))],
    [.attribute(AttributeReference("region", .span)), .operation],
    [.operation, .attribute(AttributeReference("note", .event)), .attribute(AttributeReference("user", .resource))],
  ])
  if query.serviceNames.isEmpty, query.groups.isEmpty { query.groups = [.operation] }
  if random.isOneIn(3) { query.filter = randomFilter(seed: seed) }
  if random.isOneIn(4) { query.maximumSeriesCount = 1 + random.below(4) }
  if random.isOneIn(2) { query.exemplarCount = 1 + random.below(4) }
  return query
}
