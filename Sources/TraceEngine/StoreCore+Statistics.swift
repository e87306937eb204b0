import TraceIngest
package import TraceSegment
import TraceSource
import TraceWAL

extension StoreCore {
  func statistics(withServiceSizes: Bool) async throws -> StoreStatistics {
    try await readers.run { [self] in
      let live = try sources()
      var statistics = StoreStatistics()
      var columns: [String: UInt64] = [:]
      var services: [[UInt8]: (spanCount: Int, byteCount: Double)] = [:]
      for segment in live.segments {
        let totals = segment.totals
        statistics.spanCount += Int(totals.rowCount)
        statistics.traceCount += Int(totals.traceCount)
        statistics.partialRecordCount += Int(totals.partialCount)
        statistics.segmentByteCount += segment.byteCount
        let hasRows = totals.rowCount > 0
        statistics.segments.append(
          StoreStatistics.SegmentInfo(
            number: segment.number, byteCount: segment.byteCount, spanCount: Int(totals.rowCount),
            traceCount: Int(totals.traceCount),
            minimumStart: Timestamp(nanoseconds: hasRows ? totals.minimumStart : 0),
            maximumStart: Timestamp(nanoseconds: hasRows ? totals.maximumStart : 0)))
        do {
          for column in try segment.partSizes() { columns[column.name, default: 0] += column.byteCount }
          try segment.forEachService { services[Array($0.utf8), default: (0, 0)].spanCount += $1 }
          if withServiceSizes {
            for size in try segment.serviceSizes() {
              services[Array(size.service.utf8), default: (0, 0)].byteCount += size.byteCount
            }
          }
        } catch let error as TracestoreError where error.code == .corrupt {
          statistics.damage.append("\(error)")
        }
        statistics.memoryByteCount += segment.residentByteCount
      }
      statistics.unsealedRecordCount = live.memtables.reduce(0) { $0 + $1.rowCount }
      statistics.metricsSegmentCount = live.metrics.count
      statistics.metricsSegmentByteCount = live.metrics.reduce(0) { $0 + $1.byteCount }
      statistics.columns = columns.map { StoreStatistics.ColumnSize(name: $0.key, byteCount: $0.value) }
        .sorted { $0.byteCount != $1.byteCount ? $0.byteCount > $1.byteCount : $0.name < $1.name }
      statistics.services = services.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        .map {
          StoreStatistics.ServiceSize(
            name: String(decoding: $0.key, as: UTF8.self), spanCount: $0.value.spanCount,
            estimatedByteCount: withServiceSizes ? UInt64($0.value.byteCount.rounded()) : nil)
        }
      statistics.damage += damage
      if case .writer(let ingestor, _, _) = origin {
        statistics.logByteCount = ingestor.logStatistics.byteCount
        statistics.memoryByteCount += ingestor.memoryByteCount
      } else if case .follower(let follower) = origin {
        statistics.logByteCount = try follower.logByteCount()
      }
      statistics.memoryByteCount += cache.statistics.residentByteCount + overlay.byteCount
      statistics.memoryBudgetByteCount = options.memoryBudgetByteCount
      return statistics
    }
  }
}

extension TraceStore {
  /// For tests: what the cache holds, and what is known beside it of spans that several records make.
  package var cacheStatistics: (cache: BlockCache.Statistics, overlayByteCount: Int) {
    (core.cache.statistics, core.overlay.byteCount)
  }
}
