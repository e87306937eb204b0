import TraceBytes
import TraceFiles
package import TraceModel
import TraceSegment
import TraceSource

extension Inspector {
  /// Segments are read through a cache of this size while they are explained.
  static let cacheByteCount = 64 << 20

  func explainSegment(_ file: any File, _ path: String, _ byteCount: UInt64, _ detail: Detail) -> Explanation {
    var result = Explanation(kind: "segment", path: path, byteCount: byteCount)
    do {
      let bytes = try file.bytes(at: 0, byteCount: Int(min(byteCount, UInt64(SegmentFormat.headerByteCount))))
      guard bytes.count == SegmentFormat.headerByteCount else {
        throw TracestoreError(.corrupt, "the file ends inside its header", path: path, offset: 0)
      }
      let header = try bytes.withUnsafeBytes { try SegmentHeader($0) }
      result.parts.append(
        ExplainedPart(
          "header", at: 0, byteCount: UInt64(SegmentFormat.headerByteCount),
          [
            ("format", .number(UInt64(header.version))), ("zstd", .number(UInt64(header.zstdVersion))),
            ("lz4", .number(UInt64(header.lz4Version))),
          ]))
    } catch {
      result.note(error, at: 0)
    }
    do {
      let segment = try Segment.open(
        file: file, number: 1, path: path, cache: BlockCache(maximumByteCount: Self.cacheByteCount))
      explainTotals(segment.totals, &result)
      explainStripes(segment, detail, &result)
      try explainSections(file, segment, &result)
      for damage in segment.verify(deep: false).damages {
        result.note(TracestoreError(.corrupt, damage.what, path: path, offset: damage.offset), at: damage.offset)
      }
    } catch {
      result.note(error, at: byteCount)
      // Without its footer a segment still shows its stripes, which stand at round offsets.
      if !result.isNewerFormat { searchStripes(file, byteCount, &result) }
    }
    result.parts.sort { $0.offset < $1.offset }
    return result
  }

  private func explainTotals(_ totals: SegmentTotals, _ result: inout Explanation) {
    result.fields = [
      ("spans", .number(totals.rowCount)), ("traces", .number(totals.traceCount)),
      ("partial records", .number(totals.partialCount)), ("events", .number(totals.eventCount)),
      ("links", .number(totals.linkCount)), ("errors", .number(totals.errorCount)),
      ("stripes", .number(totals.stripeCount)),
    ]
    guard totals.rowCount > 0 else { return }
    result.fields += [
      ("first start", Self.time(totals.minimumStart)), ("last start", Self.time(totals.maximumStart)),
      ("last end", Self.time(totals.maximumEnd)), ("longest span ns", .number(totals.maximumDuration)),
    ]
  }

  private func explainStripes(_ segment: Segment, _ detail: Detail, _ result: inout Explanation) {
    do {
      for stripe in try segment.spanStripes() {
        do {
          let description = try stripe.describe()
          var part = ExplainedPart(
            "stripe \(stripe.index)", at: description.offset, byteCount: description.byteCount,
            [
              ("spans", .count(description.head.rowCount)), ("traces", .count(description.head.traceCount)),
              ("runs", .count(description.head.runCount)), ("events", .count(description.head.eventCount)),
              ("links", .count(description.head.linkCount)), ("columns", .count(description.chunks.count)),
            ])
          if detail != .overview {
            part.parts = description.chunks.map { chunk in
              var column = ExplainedPart(chunk.name, at: chunk.offset, byteCount: UInt64(chunk.byteCount))
              column.lines = detail == .pages ? chunk.lines : Array(chunk.lines.prefix(1))
              return column
            }
          }
          for case let damage? in description.chunks.map(\.damage) { result.note(damage, at: description.offset) }
          result.parts.append(part)
        } catch {
          result.note(error, at: stripe.byteCount)
        }
      }
    } catch {
      result.note(error, at: 0)
    }
  }

  private func explainSections(_ file: any File, _ segment: Segment, _ result: inout Explanation) throws {
    let trailerOffset = segment.byteCount - UInt64(SegmentFormat.trailerByteCount)
    let trailer = try file.bytes(at: trailerOffset, byteCount: SegmentFormat.trailerByteCount)
    let place = try trailer.withUnsafeBytes { try SegmentTrailer($0, fileByteCount: segment.byteCount) }
    let bytes = try file.bytes(at: place.footerOffset, byteCount: Int(place.footerByteCount))
    let footer = try bytes.withUnsafeBytes { try SegmentFooter($0, at: place.footerOffset) }
    for section in footer.sections {
      let name = SectionKind(rawValue: section.kind).map { "\($0)" } ?? "\(section.kind)"
      result.parts.append(ExplainedPart("section \(name)", at: section.offset, byteCount: section.byteCount))
    }
    result.parts.append(ExplainedPart("footer", at: place.footerOffset, byteCount: UInt64(place.footerByteCount)))
    result.parts.append(
      ExplainedPart("trailer", at: trailerOffset, byteCount: UInt64(SegmentFormat.trailerByteCount)))
  }

  private func searchStripes(_ file: any File, _ byteCount: UInt64, _ result: inout Explanation) {
    var offset = UInt64(SegmentFormat.headerByteCount)
    let step = UInt64(SegmentFormat.stripeAlignment)
    do {
      while offset < byteCount {
        let window = try file.bytes(at: offset, byteCount: Int(min(1 << 20, byteCount - offset)))
        if window.isEmpty { return }
        for start in stride(from: 0, to: window.count, by: Int(step))
        where window[start...].starts(with: SegmentFormat.stripeMagicBytes) {
          let place = offset + UInt64(start)
          let head = try file.bytes(at: place, byteCount: Int(min(byteCount - place, 1 << 20)))
          guard
            let stripe = try? head.withUnsafeBytes({ try StripeHead($0, stripeByteCount: byteCount - place, at: place) }
            )
          else { continue }
          let end = stripe.chunks.reduce(0) { max($0, UInt64($1.offset) + UInt64($1.byteCount)) }
          result.parts.append(
            ExplainedPart(
              "stripe, found by its mark", at: place, byteCount: end,
              [("spans", .count(stripe.rowCount)), ("traces", .count(stripe.traceCount))]))
        }
        offset += UInt64(window.count)
      }
    } catch {
      result.note(error, at: offset)
    }
  }

  // MARK: Content

  func withSegment<Result>(_ path: String, _ body: (Segment) throws -> Result) throws -> Result {
    let file = try fileSystem.open(path, .read)
    defer { file.close() }
    guard Self.isSegment(path, magic: try Self.magic(of: file)) else {
      throw TracestoreError(
        .invalidArgument, "this is no segment; tracestore dump PATH, without options, says what it is", path: path)
    }
    return try body(
      try Segment.open(file: file, number: 1, path: path, cache: BlockCache(maximumByteCount: Self.cacheByteCount)))
  }

  /// The distinct values of a column with their counts, most frequent first: `service`, `operation`, or an attribute
  /// such as `http.route`, `span:http.route` or `resource:host.name`, also as other tables name its column, with the type
  /// behind it, which tells apart nothing here.
  /// - Throws: `invalidArgument` for a column that the segment does not have.
  package func dictionary(_ column: String, of path: String, limit: Int = 10_000) throws -> [(text: String, count: Int)]
  {
    try withSegment(path) { segment in
      var values: [(text: String, count: Int)] = []
      switch column {
      case "service": try segment.forEachService { values.append(($0, $1)) }
      case "operation":
        var services: [String] = []
        try segment.forEachService { name, _ in services.append(name) }
        for service in services {
          try segment.forEachOperation(service: service) { name, kind, count in
            values.append(("\(service): \(name) (\(kind.word))", count))
          }
        }
      default:
        var (level, key) = (ColumnLevel?.none, column)
        if key.hasPrefix("attribute:") { key.removeFirst("attribute:".count) }
        level = ColumnLevel.allCases.first { key.hasPrefix("\($0):") }
        if let level { key.removeFirst("\(level):".count) }
        func collect() throws {
          _ = try segment.forEachAttributeValue(key: key, level: level, limit: limit) { values.append(($0.text, $1)) }
        }
        try collect()
        // Keys may have colons: only the name of a type is no part of one.
        if values.isEmpty, let type = AttributeType.allCases.first(where: { key.hasSuffix(":\($0)") }) {
          key.removeLast(":\(type)".count)
          try collect()
        }
        if values.isEmpty {
          throw TracestoreError(
            .invalidArgument, "the segment has no column \(column) with values; dump --columns lists those that it has",
            path: path)
        }
      }
      // Equal counts stand in the order of the bytes, so that two runs say the same.
      return values.sorted {
        $0.count != $1.count ? $0.count > $1.count : $0.text.utf8.lexicographicallyPrecedes($1.text.utf8)
      }
    }
  }

  /// Every record of a segment in the order of the file; stripes that cannot be read are returned as damage.
  package func forEachRow(
    of path: String,
    _ body: (_ stripe: Int, _ row: Int, Resource, InstrumentationScope, SpanRecord, _ isPartial: Bool) throws -> Void
  ) throws -> [InspectedDamage] {
    try withSegment(path) { segment in
      var damages: [InspectedDamage] = []
      for (index, stripe) in segment.stripes.enumerated() {
        var first = 0
        while first < stripe.rowCount {
          let end = min(stripe.rowCount, first + 1024)
          let records: [SourceSpan]
          do { records = try stripe.records(Array(first..<end)) } catch {
            damages.append(InspectedDamage(error, file: path, offset: 0))
            break
          }
          for (place, record) in records.enumerated() {
            try body(index, first + place, record.resource, record.scope, record.span, record.isPartial)
          }
          first = end
        }
      }
      return damages
    }
  }
}
