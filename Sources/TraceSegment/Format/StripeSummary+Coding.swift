package import TraceBytes
package import TraceModel
import TraceSource

extension StripeIndex {
  package func encode(into writer: inout ByteWriter) {
    writer.appendVarint(stripes.count)
    for stripe in stripes {
      var record = ByteWriter()
      stripe.encode(into: &record)
      writer.appendLengthPrefixed(record.bytes)
    }
  }

  /// - Parameters:
  ///   - stripesEnd: stripes must end at or before this offset of the file.
  ///   - filtersByteCount: of section `valueFilters`, 0 when it is left out.
  package init(
    _ bytes: UnsafeRawBufferPointer, stripesEnd: UInt64, filtersByteCount: UInt64, at base: UInt64
  ) throws(TracestoreError) {
    stripes = try FormatError.naming("stripe index", at: base) {
      var reader = ByteReader(bytes)
      let count = try reader.readCount(limit: min(SegmentFormat.maximumStripeCount, bytes.count))
      var stripes: [StripeSummary] = []
      stripes.reserveCapacity(count)
      for _ in 0..<count {
        let record = try reader.readLengthPrefixedBytes()
        let place = base &+ UInt64(reader.offset - record.count)
        let stripe = try FormatError.naming("stripe index", at: place) { try StripeSummary(record, at: place) }
        guard stripe.offset >= UInt64(SegmentFormat.headerByteCount), stripe.offset <= stripesEnd,
          stripe.byteCount <= stripesEnd - stripe.offset,
          stripe.byteCount <= UInt64(SegmentFormat.maximumStripeByteCount)
        else { throw FormatError.corrupt("a stripe does not stand inside the file", at: place) }
        for text in stripe.texts
        where UInt64(text.filterOffset) + UInt64(text.filterByteCount) > filtersByteCount {
          throw FormatError.corrupt("a value filter does not stand inside its section", at: place)
        }
        stripes.append(stripe)
      }
      guard reader.isAtEnd else {
        throw FormatError.corrupt("bytes follow the stripe index", at: base &+ UInt64(reader.offset))
      }
      return stripes
    }
  }
}

extension StripeSummary {
  func encode(into writer: inout ByteWriter) {
    writer.appendVarint(offset)
    writer.appendVarint(byteCount)
    writer.append(hash)
    for count in [rowCount, eventCount, linkCount, traceCount, runCount, errorCount] { writer.appendVarint(count) }
    writer.appendVarint(bounds.minimumStart)
    writer.appendVarint(bounds.maximumStart)
    writer.appendVarint(bounds.maximumEnd)
    writer.appendVarint(bounds.minimumDuration)
    writer.appendVarint(bounds.maximumDuration)
    writer.appendAscending(services)
    writer.appendAscending(names)
    writer.appendAscending(kinds.map { UInt32(truncatingIfNeeded: zigzag(Int64($0))) })
    writer.appendAscending(resources)
    writer.appendAscending(scopes)
    writer.appendVarint(texts.count)
    for text in texts {
      writer.appendVarint(UInt64(text.chunk))
      writer.appendVarint(text.valueCount)
      writer.append(text.form.rawValue)
      writer.appendAscending(text.shared)
      writer.appendVarint(text.localDistinctCount)
      writer.appendVarint(UInt64(text.filterOffset))
      writer.appendVarint(UInt64(text.filterByteCount))
    }
    writer.appendVarint(numbers.count)
    for number in numbers {
      writer.appendVarint(UInt64(number.chunk))
      writer.appendVarint(number.valueCount)
      writer.appendInteger(number.minimum)
      writer.appendInteger(number.maximum)
    }
    writer.appendVarint(zigzag(eventDistances?.lowerBound ?? 0))
    writer.appendVarint(zigzag(eventDistances?.upperBound ?? 0))
    for number in numbers {
      writer.appendVarint(number.words.count)
      for (word, next) in zip(number.words, number.words.dropFirst()) { writer.appendVarint(next - word) }
    }
  }

  init(_ bytes: UnsafeRawBufferPointer, at base: UInt64) throws {
    var reader = ByteReader(bytes)
    offset = try reader.readVarint()
    byteCount = try reader.readVarint()
    hash = try reader.readHash128()
    rowCount = try reader.readCount(limit: SegmentFormat.maximumStripeRowCount)
    eventCount = try reader.readCount(limit: SegmentFormat.maximumChildCount)
    linkCount = try reader.readCount(limit: SegmentFormat.maximumChildCount)
    traceCount = try reader.readCount(limit: rowCount)
    runCount = try reader.readCount(limit: rowCount)
    errorCount = try reader.readCount(limit: rowCount)
    bounds.minimumStart = try reader.readVarint()
    bounds.maximumStart = try reader.readVarint()
    guard rowCount == 0 || (traceCount > 0 && bounds.minimumStart <= bounds.maximumStart) else {
      throw FormatError.corrupt("a stripe has rows of no trace, or of no time", at: base)
    }
    bounds.maximumEnd = try reader.readVarint()
    bounds.minimumDuration = try reader.readVarint()
    bounds.maximumDuration = try reader.readVarint()
    services = try reader.readAscending()
    names = try reader.readAscending()
    kinds = try reader.readAscending().map { Int32(truncatingIfNeeded: unzigzag(UInt64($0))) }
    resources = try reader.readAscending()
    scopes = try reader.readAscending()
    let textCount = try reader.readCount(limit: min(SegmentFormat.maximumChunkCount, reader.remaining / 7))
    texts.reserveCapacity(textCount)
    for _ in 0..<textCount { texts.append(try Self.text(&reader, after: texts.last?.chunk ?? 0, at: base)) }
    let numberCount = try reader.readCount(limit: min(SegmentFormat.maximumChunkCount, reader.remaining / 18))
    numbers.reserveCapacity(numberCount)
    for _ in 0..<numberCount {
      let number = NumberSummary(
        chunk: UInt32(try reader.readCount(limit: Int(UInt32.max))),
        valueCount: try reader.readCount(limit: Int(UInt32.max)), minimum: try reader.readUInt64(),
        maximum: try reader.readUInt64())
      guard number.chunk > numbers.last?.chunk ?? 0 else {
        throw FormatError.corrupt("the columns of a stripe are out of order", at: base)
      }
      numbers.append(number)
    }
    // The records of the first writers end here.
    if reader.isAtEnd { return }
    let (first, last) = (unzigzag(try reader.readVarint()), unzigzag(try reader.readVarint()))
    guard first <= last else { throw FormatError.corrupt("events stand before the first one", at: base) }
    if eventCount > 0 { eventDistances = first...last }
    for index in numbers.indices { numbers[index].words = try Self.words(of: numbers[index], &reader, at: base) }
  }

  /// Only a list that begins and ends where the zone does can be complete.
  private static func words(
    of number: NumberSummary, _ reader: inout ByteReader, at base: UInt64
  ) throws -> [UInt64] {
    let count = try reader.readCount(limit: min(number.valueCount, reader.remaining + 1))
    if count == 0 { return [] }
    var words = [number.minimum]
    words.reserveCapacity(count)
    for _ in 1..<count {
      let (word, isOver) = words[words.count - 1].addingReportingOverflow(try reader.readVarint())
      guard !isOver, word > words[words.count - 1] else { break }
      words.append(word)
    }
    guard words.count == count, words.last == number.maximum else {
      throw FormatError.corrupt("the values of a column do not ascend from the least to the greatest", at: base)
    }
    return words
  }

  private static func text(
    _ reader: inout ByteReader, after previous: UInt32, at base: UInt64
  ) throws -> TextSummary {
    let chunk = UInt32(try reader.readCount(limit: Int(UInt32.max)))
    let valueCount = try reader.readCount(limit: Int(UInt32.max))
    let form = try reader.readUInt8()
    guard let form = TextForm(rawValue: form) else { throw FormatError.unsupported("text form \(form)", at: base) }
    var text = TextSummary(chunk: chunk, valueCount: valueCount, form: form)
    text.shared = try reader.readAscending()
    text.localDistinctCount = try reader.readCount(limit: valueCount)
    text.filterOffset = UInt32(try reader.readCount(limit: Int(UInt32.max)))
    text.filterByteCount = UInt32(try reader.readCount(limit: Int(UInt32.max)))
    guard chunk > previous else { throw FormatError.corrupt("the columns of a stripe are out of order", at: base) }
    return text
  }
}

extension ByteWriter {
  /// An ascending list, as differences or as a bit for each number of its range, whichever is shorter.
  mutating func appendAscending(_ values: [UInt32]) {
    guard let first = values.first, let last = values.last else {
      appendVarint(0)
      return
    }
    let span = Int(last - first)
    var differences = ByteWriter()
    for (value, next) in zip(values, values.dropFirst()) { differences.appendVarint(UInt64(next - value)) }
    let bitsByteCount = (span + 7) / 8
    let isBits = bitsByteCount + 5 < differences.count
    appendVarint(UInt64(values.count) << 1 | (isBits ? 1 : 0))
    appendVarint(UInt64(first))
    guard isBits else {
      append(differences.bytes)
      return
    }
    appendVarint(span)
    var bits = [UInt8](repeating: 0, count: bitsByteCount)
    for value in values.dropFirst() { bits[Int(value - first - 1) / 8] |= 1 << UInt8((value - first - 1) % 8) }
    append(bits)
  }
}

extension ByteReader {
  /// The inverse of `appendAscending`; throws when values do not ascend strictly or exceed 32 bits.
  mutating func readAscending() throws(BytesError) -> [UInt32] {
    let start = offset
    let head = try readVarint()
    if head == 0 { return [] }
    guard head >> 1 <= UInt64(UInt32.max), head >> 1 > 0 else {
      throw BytesError(offset: start, reason: "an empty list of bits")
    }
    let count = Int(head >> 1)
    let first = UInt64(try readCount(limit: Int(UInt32.max)))
    if head & 1 == 1 { return try readBits(count: count, first: first) }
    guard count - 1 <= remaining else { throw BytesError(offset: start, reason: "a list is longer than its bytes") }
    var values: [UInt32] = []
    values.reserveCapacity(count)
    var value = first
    values.append(UInt32(value))
    for _ in 1..<count {
      let place = offset
      let difference = try readVarint()
      guard difference > 0, difference <= UInt64(UInt32.max) - value else {
        throw BytesError(offset: place, reason: "a list does not ascend")
      }
      value += difference
      values.append(UInt32(truncatingIfNeeded: value))
    }
    return values
  }

  private mutating func readBits(count: Int, first: UInt64) throws(BytesError) -> [UInt32] {
    let start = offset
    let span = try readCount(limit: Int(UInt64(UInt32.max) - first))
    let bits = try readBytes((span + 7) / 8)
    guard count <= span + 1 else { throw BytesError(offset: start, reason: "a list of bits misses values") }
    var values: [UInt32] = []
    values.reserveCapacity(count)
    values.append(UInt32(first))
    for (place, byte) in bits.enumerated() {
      // Bits behind the last number mean nothing.
      var left = place &* 8 &+ 8 > span ? byte & (1 &<< UInt8(span &- place &* 8) &- 1) : byte
      while left != 0 {
        values.append(UInt32(truncatingIfNeeded: first &+ UInt64(place &* 8 &+ left.trailingZeroBitCount &+ 1)))
        left &= left &- 1
      }
    }
    guard values.count == count else { throw BytesError(offset: start, reason: "a list of bits misses values") }
    return values
  }
}
