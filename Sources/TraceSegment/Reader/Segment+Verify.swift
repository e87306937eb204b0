import TraceBytes
import TraceColumns
import TraceFiles
import TraceModel
import TraceSource

/// A place of a segment that is not what it should be.
package struct SegmentDamage: Hashable, Sendable {
  package var path: String
  /// What is damaged and how, as a sentence.
  package var what: String
  package var offset: UInt64

  package init(path: String, what: String, offset: UInt64) {
    self.path = path
    self.what = what
    self.offset = offset
  }
}

/// What a check of a segment found.
package struct SegmentVerification: Sendable {
  /// Pages and other parts with a checksum of their own that were read.
  package var pageCount = 0
  package var damages: [SegmentDamage] = []
}

extension Segment {
  /// Reads the whole file past the cache and compares every checksum; goes on past damage.
  ///
  /// - Parameter deep: also decodes every record, looks every trace and every text up in filters and index, and compares zones and
  ///   lists of values with the columns. Cost: seconds for a million spans; otherwise the time to read the file.
  package func verify(deep: Bool) -> SegmentVerification {
    var result = SegmentVerification()
    check(&result, "header", at: 0) {
      let bytes = try core.file.bytes(at: 0, byteCount: SegmentFormat.headerByteCount)
      let header = try bytes.withUnsafeBytes { try SegmentHeader($0) }
      guard header.version == core.footer.version, header.requiredFeatures == core.footer.requiredFeatures,
        header.optionalFeatures == core.footer.optionalFeatures
      else { throw FormatError.corrupt("header and footer disagree about version or features", at: 0) }
      return 1
    }
    // The footer was verified when the segment was opened, but its bytes may be bad by now.
    check(&result, "footer", at: core.footerOffset) {
      let byteCount = Int(clamping: self.byteCount - core.footerOffset)
      let tail = try SegmentBuffer(reading: core.file, path: path, at: core.footerOffset, byteCount: byteCount)
      let footerByteCount = byteCount - SegmentFormat.trailerByteCount
      _ = try SegmentTrailer(
        UnsafeRawBufferPointer(rebasing: tail.bytes[footerByteCount...]), fileByteCount: self.byteCount)
      guard Hash128(of: UnsafeRawBufferPointer(rebasing: tail.bytes[..<footerByteCount])) == footerHash else {
        throw FormatError.corrupt("the footer does not match its hash", at: core.footerOffset)
      }
      return 2
    }
    for section in core.footer.sections {
      guard let kind = SectionKind(rawValue: section.kind) else { continue }
      check(&result, "section \(kind)", at: section.offset) {
        _ = try core.requiredSection(kind)
        return 1
      }
    }
    check(&result, "sections", at: core.footerOffset) {
      _ = try core.operations()
      _ = try core.keys()
      return 0
    }
    verifyStripes(&result, deep: deep)
    check(&result, "padding", at: 0) { try verifyPadding() }
    return result
  }

  private func verifyStripes(_ result: inout SegmentVerification, deep: Bool) {
    var stripes: [SegmentStripe] = []
    check(&result, "stripe index", at: core.footer.section(.stripeIndex)?.offset ?? 0) {
      stripes = try spanStripes()
      return 0
    }
    for stripe in stripes {
      let before = result.damages.count
      var loaded: LoadedStripe?
      check(&result, "stripe \(stripe.index)", at: stripe.summary.offset) {
        loaded = try stripe.read()
        return 1
      }
      guard let loaded else { continue }
      core.cache.withScratch { scratch in
        for chunk in loaded.head.chunks {
          check(&result, "column", at: loaded.place(chunk.id).fileOffset) {
            let pageCount = try loaded.verify(chunk.id, scratch)
            guard let bytes = try loaded.chunkBytes(chunk.id)?.bytes, loaded.isIntact(chunk.id, bytes) else {
              throw loaded.place(chunk.id).damage("it does not match its checksum")
            }
            return pageCount
          }
        }
      }
      if deep, result.damages.count == before {
        check(&result, "stripe \(stripe.index)", at: stripe.summary.offset) { try verifyRecords(stripe, loaded) }
      }
    }
    guard deep else { return }
    check(&result, "partial records", at: core.footer.section(.partialSpans)?.offset ?? 0) {
      guard let partial = try partialStripe() else { return 0 }
      return try partial.records(Array(0..<partial.rowCount)).isEmpty ? 0 : 1
    }
  }

  /// Decodes all records of a stripe, finds all of its traces and texts through the indexes, and compares what the stripe
  /// index says of numbers.
  private func verifyRecords(_ stripe: SegmentStripe, _ loaded: LoadedStripe) throws -> Int {
    try core.cache.withScratch { try loaded.verifyIndex($0) }
    var first = 0
    var bounds: [TraceID: StripeBounds] = [:]
    while first < stripe.rowCount {
      let end = min(stripe.rowCount, first + IntegerPage.maximumCount)
      let records = try stripe.records(Array(first..<end))
      try verifyTexts(of: records)
      for span in records.map(\.span) {
        bounds[span.traceID, default: StripeBounds()]
          .include(start: span.start.nanoseconds, end: span.end.nanoseconds)
      }
      first = end
    }
    for ordinal in 0..<loaded.head.traceCount {
      let trace = try loaded.traceID(ordinal)
      try loaded.verifyTimes(ofTrace: ordinal, bounds[trace] ?? StripeBounds(), knowsStarts: core.knowsTraceStarts)
      guard try rows(of: trace).contains(where: { $0.stripe === stripe }) else {
        throw loaded.place(ChunkID.traceHigh).damage("trace \(trace.hex) is not found through the trace index")
      }
    }
    return 0
  }

  /// A text that the filter does not know would never be found.
  private func verifyTexts(of records: [SourceSpan]) throws {
    guard let filter = try core.textFilter() else { return }
    func check(_ attributes: [Attribute]) throws {
      for attribute in attributes {
        let text: [UInt8]
        switch attribute.value {
        case .string(let value): text = Array(value.utf8)
        case .bytes(let value): text = Array(value)
        default: continue
        }
        guard filter.contains(FilterHash.hash(text)) else {
          throw core.place(.textFilter).damage("the value of an attribute \"\(attribute.key)\" is not in it")
        }
      }
    }
    for record in records {
      try check(record.resource.attributes)
      try check(record.scope.attributes)
      try check(record.span.attributes)
      for event in record.span.events { try check(event.attributes) }
      for link in record.span.links { try check(link.attributes) }
    }
  }

  /// Bytes that belong to nothing are zero.
  private func verifyPadding() throws -> Int {
    var parts: [(offset: UInt64, byteCount: UInt64)] = [(0, UInt64(SegmentFormat.headerByteCount))]
    parts += try spanStripes().map { ($0.summary.offset, $0.summary.byteCount) }
    parts += core.footer.sections.map { ($0.offset, $0.byteCount) }
    parts.append((core.footerOffset, byteCount - core.footerOffset))
    parts.sort { $0.offset < $1.offset }
    var end: UInt64 = 0
    for part in parts {
      guard part.offset >= end else { throw FormatError.corrupt("two parts overlap", at: part.offset) }
      var place = end
      while place < part.offset {
        let bytes = try core.file.bytes(at: place, byteCount: Int(min(part.offset - place, 1 << 16)))
        guard !bytes.isEmpty else { break }
        if let bad = bytes.firstIndex(where: { $0 != 0 }) {
          throw FormatError.corrupt("a padding byte is not zero", at: place + UInt64(bad))
        }
        place += UInt64(bytes.count)
      }
      end = part.offset + part.byteCount
    }
    return 0
  }

  private func check(
    _ result: inout SegmentVerification, _ part: String, at offset: UInt64, _ body: () throws -> Int
  ) {
    do {
      result.pageCount += try body()
    } catch let error as TracestoreError {
      add(&result, error.message, at: error.offset ?? offset)
    } catch {
      add(&result, "\(part): \(error)", at: offset)
    }
  }

  private func add(_ result: inout SegmentVerification, _ what: String, at offset: UInt64) {
    let damage = SegmentDamage(path: path, what: what, offset: offset)
    // One bad section is met on several ways.
    if !result.damages.contains(damage) { result.damages.append(damage) }
  }
}

extension LoadedStripe {
  /// Compares what is said of a trace with its rows.
  func verifyTimes(ofTrace ordinal: Int, _ rows: StripeBounds, knowsStarts: Bool) throws {
    let own = try timeBounds(ofTrace: ordinal)
    guard own.maximumEnd == rows.maximumEnd, !knowsStarts || own.minimumStart == rows.minimumStart else {
      let id = try traceID(ordinal).hex
      throw place(ChunkID.traceEnd).damage("trace \(id) lasts from or to another time than its rows")
    }
  }
}
