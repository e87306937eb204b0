import TraceBytes
import TraceColumns

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
    var plain = ByteWriter()
    IntegerColumn.encode(bits, into: &plain, scratch: scratch)
    var head = DoubleChunkHead(
      form: .bits, exponent: 0, valuesByteCount: plain.count, positionsByteCount: 0, bitsByteCount: 0)
    var body = plain
    if let exponent = Self.exponent(bits) {
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
      var decimal = ByteWriter()
      IntegerColumn.encode(UnsafeBufferPointer(start: words, count: bits.count), into: &decimal, scratch: scratch)
      let valuesByteCount = decimal.count
      var positionsByteCount = 0
      if !positions.isEmpty {
        IntegerColumn.encode(positions, into: &decimal, scratch: scratch)
        positionsByteCount = decimal.count - valuesByteCount
        IntegerColumn.encode(escapes, into: &decimal, scratch: scratch)
      }
      if decimal.count < plain.count {
        head = DoubleChunkHead(
          form: .decimal, exponent: exponent, valuesByteCount: valuesByteCount, positionsByteCount: positionsByteCount,
          bitsByteCount: decimal.count - valuesByteCount - positionsByteCount)
        body = decimal
      }
    }
    head.encode(into: &writer)
    writer.append(body.bytes)
  }
}
