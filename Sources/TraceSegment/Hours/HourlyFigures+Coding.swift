import TraceAggregate
import TraceBytes
import TraceModel

// The bytes of a metrics segment. FORMAT.md: "Metrics segment".
extension HourlyFigures {
  package static let format = WholeFile(magic: "TSMET001", version: 1, name: "metrics segment")

  /// Bounds what figures of many files add up to, so that no sum of what was read overflows: a thousand calls a
  /// nanosecond.
  private static let maximumCallCount: UInt64 = 1 << 40
  private static let maximumHour = UInt64.max / hourNanoseconds
  /// The fewest bytes of a series and of a cell, which bound what a count may announce.
  private static let minimumSeriesByteCount = 4
  private static let minimumCellByteCount = 10

  package func encoded() -> [UInt8] {
    Self.format.encoded(reserving: cellCount * 48) { append(to: &$0) }
  }

  private func append(to writer: inout ByteWriter) {
    let names = Set(series.keys.flatMap { [$0.service, $0.operation] }).sorted { $0.lexicographicallyPrecedes($1) }
    let places = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    writer.appendVarint(names.count)
    for name in names { writer.appendLengthPrefixed(name) }
    writer.appendVarint(series.count)
    for (key, cells) in series.sorted(by: { $0.key < $1.key }) {
      writer.appendVarint(places[key.service] ?? 0)
      writer.appendVarint(places[key.operation] ?? 0)
      writer.appendVarint(zigzag(Int64(key.kind)))
      writer.appendVarint(cells.count)
      var previous: UInt64 = 0
      for (hour, cell) in cells.sorted(by: { $0.key < $1.key }) {
        writer.appendVarint(hour - previous)
        previous = hour
        cell.append(to: &writer)
      }
    }
  }

  /// - Throws: `corrupt` for bytes that are no metrics segment, `unsupportedFormat` for one of a newer version.
  package init(_ bytes: [UInt8], path: String) throws {
    self = try Self.format.decode(bytes, path: path, Self.decoded)
  }

  private static func decoded(_ reader: inout ByteReader) throws -> HourlyFigures {
    var names: [[UInt8]] = []
    for _ in 0..<(try reader.readCount(limit: reader.remaining)) {
      let name = try reader.readLengthPrefixedBytes()
      guard name.text != nil else { throw corrupt("a name is not UTF-8", reader) }
      if let last = names.last, !last.lexicographicallyPrecedes(name) {
        throw corrupt("the names do not ascend", reader)
      }
      names.append(name.array)
    }
    var figures = HourlyFigures()
    var previous: Series?
    for _ in 0..<(try reader.readCount(limit: reader.remaining / minimumSeriesByteCount)) {
      let service = names[try reader.readCount(limit: names.count - 1)]
      let operation = names[try reader.readCount(limit: names.count - 1)]
      guard let kind = Int32(exactly: unzigzag(try reader.readVarint())) else {
        throw corrupt("a kind is too great", reader)
      }
      let key = Series(service: service, operation: operation, kind: kind)
      if let previous, !(previous < key) { throw corrupt("the series do not ascend", reader) }
      previous = key
      figures.series[key] = try cells(&reader)
    }
    return figures
  }

  private static func corrupt(_ reason: String, _ reader: ByteReader) -> BytesError {
    BytesError(offset: reader.offset, reason: reason)
  }

  private static func cells(_ reader: inout ByteReader) throws -> [UInt64: HourlyCell] {
    let count = try reader.readCount(limit: reader.remaining / minimumCellByteCount)
    guard count > 0 else { throw corrupt("a series has no hours", reader) }
    var cells: [UInt64: HourlyCell] = [:]
    cells.reserveCapacity(count)
    var hour: UInt64 = 0
    for place in 0..<count {
      let step = try reader.readVarint()
      let (next, isBeyond) = hour.addingReportingOverflow(step)
      guard place == 0 || step > 0, !isBeyond, next <= maximumHour else { throw corrupt("hours do not ascend", reader) }
      hour = next
      guard let cell = try HourlyCell(from: &reader, maximumCallCount: maximumCallCount) else {
        throw corrupt("the figures of an hour contradict each other", reader)
      }
      cells[hour] = cell
    }
    return cells
  }
}

extension HourlyCell {
  fileprivate func append(to writer: inout ByteWriter) {
    guard let durations = figures.durations, let first = buckets.entries.first else {
      preconditionFailure("a cell without calls")
    }
    writer.appendVarint(figures.callCount)
    writer.appendVarint(figures.errorCount)
    writer.appendVarint(UInt64(truncatingIfNeeded: figures.durationSum))
    writer.appendVarint(UInt64(truncatingIfNeeded: figures.durationSum >> 64))
    writer.appendVarint(durations.lowerBound)
    writer.appendVarint(durations.upperBound - durations.lowerBound)
    writer.appendVarint(buckets.entries.count)
    // The first bucket is that of the shortest.
    var previous = first.bucket
    for entry in buckets.entries {
      writer.appendVarint(Int(entry.bucket - previous))
      writer.appendVarint(entry.count)
      previous = entry.bucket
    }
  }

  /// Nil for figures that no calls can have.
  fileprivate init?(from reader: inout ByteReader, maximumCallCount: UInt64) throws {
    let callCount = try reader.readVarint()
    let errorCount = try reader.readVarint()
    let low = try reader.readVarint()
    let high = try reader.readVarint()
    let shortest = try reader.readVarint()
    let (longest, isBeyond) = shortest.addingReportingOverflow(try reader.readVarint())
    guard callCount <= maximumCallCount, !isBeyond,
      let figures = CallFigures(
        callCount: callCount, errorCount: errorCount, durationSum: UInt128(high) << 64 | UInt128(low),
        durations: shortest...longest)
    else { return nil }
    var entries: [BucketCounts.Entry] = []
    var bucket = LogLinearScale.bucket(of: shortest)
    for _ in 0..<(try reader.readCount(limit: LogLinearScale.bucketCount)) {
      bucket += try reader.readCount(limit: LogLinearScale.bucketCount)
      entries.append(BucketCounts.Entry(bucket: UInt16(clamping: bucket), count: try reader.readVarint()))
    }
    guard let buckets = BucketCounts(entries) else { return nil }
    self.init(figures, buckets)
  }
}
