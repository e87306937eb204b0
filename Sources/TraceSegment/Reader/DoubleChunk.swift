import TraceBytes
import TraceColumns
import TraceModel

/// A column of doubles of a stripe.
final class DoubleChunk: StripePart, @unchecked Sendable {
  private let values: IntegerChunk
  private let form: DoubleForm
  private let power: Double
  /// Where values that are not short decimals stand, ascending, and their bits.
  private let escapes: [UInt32]
  private let escapeBits: [UInt64]
  let count: Int

  var residentByteCount: Int { escapes.count * 12 + 192 }

  init(
    _ bytes: UnsafeRawBufferPointer?, count: Int, isVerifying: Bool, owner: SegmentBuffer?, place: ChunkPlace,
    tally: ByteTally
  ) throws {
    self.count = count
    guard let bytes else {
      // Left out: every value has the bits 0.
      values = try IntegerChunk(nil, count: count, owner: owner, place: place, tally: tally)
      form = .bits
      power = 1
      escapes = []
      escapeBits = []
      return
    }
    let head = try place.naming { try DoubleChunkHead(bytes, at: place.fileOffset) }
    var rest = UnsafeRawBufferPointer(rebasing: bytes[DoubleChunkHead.byteCount...])
    func column(_ byteCount: Int) throws -> IntegerColumn {
      let part = UnsafeRawBufferPointer(rebasing: rest[..<byteCount])
      rest = UnsafeRawBufferPointer(rebasing: rest[byteCount...])
      return try place.naming { try IntegerColumn(part, verifying: isVerifying) }
    }
    values = try IntegerChunk(
      try column(head.valuesByteCount), count: count, owner: owner, place: place, tally: tally)
    form = head.form
    power = DoubleChunkHead.powers[head.exponent]
    guard head.positionsByteCount > 0 else {
      escapes = []
      escapeBits = []
      return
    }
    let positions = try column(head.positionsByteCount)
    let bits = try column(head.bitsByteCount)
    var escapes: [UInt32] = []
    for position in try place.naming({ try positions.decodeAll() }) {
      guard position < UInt64(count), escapes.last.map({ UInt64($0) < position }) ?? true else {
        throw place.damage("its escapes do not ascend inside the column")
      }
      escapes.append(UInt32(position))
    }
    self.escapes = escapes
    escapeBits = try place.naming { try bits.decodeAll() }
    guard escapes.count == escapeBits.count else { throw place.damage("its escapes differ in count") }
  }

  /// The bits of one value.
  func value(at index: Int) throws -> UInt64 {
    if let bits = escape(index) { return bits }
    return bits(try values.value(at: index))
  }

  /// Calls `body` with the index and the bits of each value in `range`, ascending.
  func forEachValue(in range: Range<Int>, _ scratch: ReadScratch, _ body: (Int, UInt64) throws -> Void) throws {
    var next = escapes.isEmpty ? 0 : firstEscape(from: range.lowerBound)
    try values.forEachPage(in: range, scratch) { first, values in
      for place in 0..<values.count {
        let index = first &+ place
        if next < escapes.count, Int(escapes[next]) == index {
          try body(index, escapeBits[next])
          next += 1
        } else {
          try body(index, bits(values[place]))
        }
      }
    }
  }

  private func bits(_ word: UInt64) -> UInt64 {
    switch form {
    case .bits: word
    case .decimal: (Double(unzigzag(word)) / power).bitPattern
    }
  }

  private func firstEscape(from index: Int) -> Int {
    var low = 0
    var high = escapes.count
    while low < high {
      let middle = (low + high) / 2
      if Int(escapes[middle]) < index { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func escape(_ index: Int) -> UInt64? {
    guard !escapes.isEmpty else { return nil }
    let place = firstEscape(from: index)
    return place < escapes.count && Int(escapes[place]) == index ? escapeBits[place] : nil
  }
}
