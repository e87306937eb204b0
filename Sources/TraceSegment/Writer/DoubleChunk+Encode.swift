import TraceBytes
package import TraceColumns

/// Encodes the values of a `double` attribute.
struct DoubleChunkEncoder: ~Copyable {
  private let integers = WordBuffer()
  private var positions: [UInt64] = []
  private var escapes: [UInt64] = []

  /// The integer that stands for a value with an exponent, or nil when it doesn't give the same bits back.
  @inline(__always)
  private static func integer(_ bits: UInt64, power: Double) -> Int64? {
    let value = Double(bitPattern: bits)
    let scaled = (value * power).rounded(.toNearestOrEven)
    // Beyond 2^53 integers have gaps; NaN fails the comparison as well.
    guard scaled.magnitude < 9_007_199_254_740_992 else { return nil }
    let integer = Int64(scaled)
    return (Double(integer) / power).bitPattern == bits ? integer : nil
  }

  /// The exponent that leaves the fewest escapes in a sample; nil when a fourth of it escapes with every one.
  private static func exponent(_ bits: UnsafeBufferPointer<UInt64>) -> Int? {
    let step = max(1, bits.count / 256)
    var best: (exponent: Int, escapeCount: Int)?
    var sampleCount = 0
    for exponent in 0...DoubleChunkHead.maximumExponent {
      var escapeCount = 0
      sampleCount = 0
      var index = 0
      while index < bits.count {
        if integer(bits[index], power: DoubleChunkHead.powers[exponent]) == nil { escapeCount += 1 }
        sampleCount += 1
        index += step
      }
      if escapeCount < best?.escapeCount ?? .max { best = (exponent, escapeCount) }
      if escapeCount == 0 { break }
    }
    guard let best, best.escapeCount * 4 < sampleCount else { return nil }
    return best.exponent
  }

  /// Appends the chunk of the values with these bits.
  mutating func encode(_ bits: UnsafeBufferPointer<UInt64>, into writer: inout ByteWriter, scratch: ColumnScratch) {
    var best = asBits(bits, scratch)
    if let decimal = asDecimals(bits, scratch), decimal.body.count < best.body.count { best = decimal }
    best.head.encode(into: &writer)
    writer.append(best.body.bytes)
  }

  fileprivate func asBits(
    _ bits: UnsafeBufferPointer<UInt64>, _ scratch: ColumnScratch
  ) -> (head: DoubleChunkHead, body: ByteWriter) {
    var body = ByteWriter()
    IntegerColumn.encode(bits, into: &body, scratch: scratch)
    let head = DoubleChunkHead(
      form: .bits, exponent: 0, valuesByteCount: body.count, positionsByteCount: 0, bitsByteCount: 0)
    return (head, body)
  }

  /// Nil when too many values are no short decimals.
  fileprivate mutating func asDecimals(
    _ bits: UnsafeBufferPointer<UInt64>, _ scratch: ColumnScratch
  ) -> (head: DoubleChunkHead, body: ByteWriter)? {
    guard let exponent = Self.exponent(bits) else { return nil }
    let power = DoubleChunkHead.powers[exponent]
    let words = integers.reserve(bits.count)
    positions.removeAll(keepingCapacity: true)
    escapes.removeAll(keepingCapacity: true)
    for index in 0..<bits.count {
      if let integer = Self.integer(bits[index], power: power) {
        words[index] = zigzag(integer)
      } else {
        words[index] = 0
        positions.append(UInt64(index))
        escapes.append(bits[index])
      }
    }
    var body = ByteWriter()
    IntegerColumn.encode(UnsafeBufferPointer(start: words, count: bits.count), into: &body, scratch: scratch)
    let valuesByteCount = body.count
    var positionsByteCount = 0
    if !positions.isEmpty {
      IntegerColumn.encode(positions, into: &body, scratch: scratch)
      positionsByteCount = body.count - valuesByteCount
      IntegerColumn.encode(escapes, into: &body, scratch: scratch)
    }
    let head = DoubleChunkHead(
      form: .decimal, exponent: exponent, valuesByteCount: valuesByteCount, positionsByteCount: positionsByteCount,
      bitsByteCount: body.count - valuesByteCount - positionsByteCount)
    return (head, body)
  }
}

extension DoubleForm {
  /// What the chunk of the values with these bits would take in each form. For people.
  package static func estimates(
    _ bits: UnsafeBufferPointer<UInt64>, scratch: ColumnScratch
  ) -> [(name: String, byteCount: Int)] {
    var encoder = DoubleChunkEncoder()
    return [encoder.asBits(bits, scratch), encoder.asDecimals(bits, scratch)].compactMap { $0 }
      .map { ("\($0.head.form)", DoubleChunkHead.byteCount + $0.body.count) }
  }
}
