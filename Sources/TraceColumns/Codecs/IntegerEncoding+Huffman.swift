import TraceBytes

/// Few distinct values of very different frequency. Body: the dictionary's table (distinct count, value width,
/// values), one code length of 4 bits for each distinct value, then the canonical prefix codes of all values, most
/// significant bit first. The page's width is the longest code.
///
/// The longest code of a page of 1,024 values has 14 bits: a deeper tree would need more values (each level of a
/// Huffman tree needs at least the next Fibonacci number of them).
enum HuffmanIntegers {
  static let maximumLength = 15
  private static let lookupWidth = 9

  /// Needs the dictionary that `DictionaryIntegers.estimate` has left in the workspace; leaves the code lengths there.
  static func estimate(
    _ statistics: IntegerStatistics, _ workspace: IntegerWorkspace, below limit: Int
  ) -> IntegerPlan? {
    guard workspace.hasDictionary, workspace.dictionary.count > 2 else { return nil }
    let counts = workspace.dictionary.counts
    let valueWidth = BitPacking.width(of: statistics.maximum)
    let table =
      DictionaryIntegers.tableByteCount(counts.count, valueWidth: valueWidth)
      + BitPacking.byteCount(count: counts.count, width: 4)
    if limit != .max {
      guard table + leastByteCount(counts, total: statistics.count) < limit else { return nil }
    }
    let lengths = workspace.codeLengths
    findCodeLengths(counts, into: lengths)
    var bitCount = 0
    var longest: UInt64 = 0
    var index = 0
    while index < counts.count {
      bitCount &+= counts[index] &* Int(lengths[index])
      longest = max(longest, lengths[index])
      index &+= 1
    }
    let byteCount = table + (bitCount + 7) / 8
    guard byteCount < limit else { return nil }
    return IntegerPlan(encoding: .huffman, byteCount: byteCount, width: Int(longest), highWidth: valueWidth)
  }

  /// A bound from below that costs no tree: no code can spend less than the power of two above a value's share.
  private static func leastByteCount(_ counts: UnsafeBufferPointer<Int>, total: Int) -> Int {
    var bitCount = 0
    var index = 0
    while index < counts.count {
      let share = UInt32(truncatingIfNeeded: total) / UInt32(truncatingIfNeeded: counts[index])
      bitCount &+= counts[index] &* max(1, BitPacking.width(of: UInt64(share)) &- 1)
      index &+= 1
    }
    return bitCount / 8
  }

  /// Huffman's algorithm with two queues over counts in ascending order; ties go to the lower index, so equal counts
  /// give equal lengths on every machine.
  private static func findCodeLengths(_ counts: UnsafeBufferPointer<Int>, into lengths: UnsafeMutablePointer<UInt64>) {
    let count = counts.count
    let nodeCount = 2 * count - 1
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: count + 2 * nodeCount) { memory in
      guard let order = memory.baseAddress else { return }
      let weights = order + count
      // Of a node first its parent, then its depth; a parent stands behind its children.
      let nodes = weights + nodeCount
      // Count and index in one number; a page has no more than 1,024 values.
      for index in 0..<count { order[index] = UInt32(counts[index]) << 8 | UInt32(index) }
      var ranked = UnsafeMutableBufferPointer(start: order, count: count)
      ranked.sort()
      for rank in 0..<count { weights[rank] = order[rank] >> 8 }
      var leaf = 0
      var inner = count
      var node = count
      func takeLeast() -> Int {
        if leaf < count, inner >= node || weights[leaf] <= weights[inner] {
          leaf &+= 1
          return leaf &- 1
        }
        inner &+= 1
        return inner &- 1
      }
      while node < nodeCount {
        let left = takeLeast()
        let right = takeLeast()
        weights[node] = weights[left] &+ weights[right]
        nodes[left] = UInt32(node)
        nodes[right] = UInt32(node)
        node &+= 1
      }
      nodes[nodeCount - 1] = 0
      node = nodeCount - 2
      while node >= 0 {
        nodes[node] = nodes[Int(nodes[node])] &+ 1
        node &-= 1
      }
      for rank in 0..<count { lengths[Int(order[rank] & 0xff)] = UInt64(nodes[rank]) }
    }
  }

  /// Canonical codes: shorter first, ties by index. Finds the first of each length from how many have it.
  private static func findFirstCodes(_ counts: UnsafePointer<UInt16>, into first: UnsafeMutablePointer<UInt16>) {
    var code: UInt16 = 0
    for length in 1...maximumLength {
      code <<= 1
      first[length] = code
      code += counts[length]
    }
  }

  static func encode(
    _ plan: IntegerPlan, _ statistics: IntegerStatistics, _ workspace: IntegerWorkspace, into writer: inout ByteWriter
  ) {
    DictionaryIntegers.encodeTable(plan, workspace, into: &writer)
    let count = workspace.dictionary.count
    let lengths = UnsafeBufferPointer(start: workspace.codeLengths, count: count)
    BitPacking.pack(lengths, width: 4, into: &writer)
    var counts = [UInt16](repeating: 0, count: maximumLength + 1)
    for length in lengths { counts[Int(length)] += 1 }
    var next = counts
    findFirstCodes(counts, into: &next)
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: count) { codes in
      for index in 0..<count {
        codes[index] = UInt64(next[Int(lengths[index])])
        next[Int(lengths[index])] += 1
      }
      let bitCapacity = statistics.count * plan.width + 64
      withUnsafeTemporaryAllocation(byteCount: bitCapacity / 8 + 8, alignment: 8) { stream in
        var place = 0
        // Bits that do not fill a byte yet, at the top of the word.
        var pending: UInt64 = 0
        var pendingCount = 0
        var index = 0
        while index < statistics.count {
          let symbol = Int(truncatingIfNeeded: workspace.second[index])
          let length = lengths[symbol]
          pending |= codes[symbol] &<< (64 &- length &- UInt64(pendingCount))
          stream.storeBytes(of: pending.bigEndian, toByteOffset: place, as: UInt64.self)
          pendingCount &+= Int(length)
          place &+= pendingCount >> 3
          pending = pending &<< UInt64(pendingCount & ~7)
          pendingCount &= 7
          index &+= 1
        }
        if pendingCount > 0 { place &+= 1 }
        writer.append(UnsafeRawBufferPointer(rebasing: stream[..<place]))
      }
    }
  }

  static func decode(_ page: IntegerPage, into output: UnsafeMutableBufferPointer<UInt64>) throws(BytesError) {
    try withDecoder(page) { decoder, table, stream throws(BytesError) in
      try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: SmallDictionary.maximumCount) {
        values throws(BytesError) in
        table.decode(into: values)
        guard decoder.decode(stream, values: values, into: output) else { throw page.failure("has a damaged stream") }
      }
    }
  }

  static func value(at index: Int, in page: IntegerPage) throws(BytesError) -> UInt64 {
    try withDecoder(page) { decoder, table, stream throws(BytesError) in
      guard let symbol = decoder.symbol(at: index, of: stream) else { throw page.failure("has a damaged stream") }
      return BitPacking.value(at: symbol, width: table.valueWidth, in: table.values)
    }
  }

  private static func withDecoder<Result>(
    _ page: IntegerPage,
    _ body: (Decoder, DictionaryIntegers.Table, UnsafeRawBufferPointer) throws(BytesError) -> Result
  ) throws(BytesError) -> Result {
    var reader = ByteReader(page.body)
    let table = try DictionaryIntegers.Table(&reader, page: page)
    let packedLengths = try page.readRun(&reader, count: table.distinctCount, width: 4)
    let stream = try reader.readBytes(reader.remaining)
    return try withUnsafeTemporaryAllocation(of: UInt16.self, capacity: Decoder.capacity) { memory throws(BytesError) in
      guard let start = memory.baseAddress else { preconditionFailure("memory that is not there") }
      return try body(try Decoder(packedLengths, symbolCount: table.distinctCount, page, in: start), table, stream)
    }
  }

  static func describe(_ page: IntegerPage) -> String { DictionaryIntegers.describe(page) }

  /// A table for the short codes and the canonical order for the long ones.
  private struct Decoder {
    /// Numbers that it needs memory for.
    static let capacity = 1 << lookupWidth + SmallDictionary.maximumCount + 3 * (maximumLength + 1)

    /// Symbol << 4 | length; 0 where the code is longer than the table is wide.
    private let lookup: UnsafeMutablePointer<UInt16>
    /// The symbols ordered by length, then index.
    private let symbols: UnsafeMutablePointer<UInt16>
    // By length: the first code, how many there are, and where their symbols begin.
    private let first: UnsafeMutablePointer<UInt16>
    private let counts: UnsafeMutablePointer<UInt16>
    private let starts: UnsafeMutablePointer<UInt16>

    /// - Parameters:
    ///   - packedLengths: of so many codes, four bits each; at most as many as a dictionary holds.
    ///   - memory: for `capacity` numbers, as long as the decoder is used.
    init(
      _ packedLengths: UnsafeRawBufferPointer, symbolCount: Int, _ page: IntegerPage,
      in memory: UnsafeMutablePointer<UInt16>
    ) throws(BytesError) {
      memory.initialize(repeating: 0, count: Self.capacity)
      lookup = memory
      symbols = lookup + 1 << lookupWidth
      first = symbols + SmallDictionary.maximumCount
      counts = first + (maximumLength + 1)
      starts = counts + (maximumLength + 1)
      // A complete prefix code fills the unit interval exactly, so every bit pattern decodes.
      var share = 0
      for symbol in 0..<symbolCount {
        let length = Int(BitPacking.value(at: symbol, width: 4, in: packedLengths))
        guard length > 0 else { throw page.failure("has a code without bits") }
        share += 1 << (maximumLength - length)
        counts[length] += 1
      }
      guard share == 1 << maximumLength else { throw page.failure("has an incomplete code") }
      findFirstCodes(counts, into: first)
      for length in 1..<maximumLength { starts[length + 1] = starts[length] + counts[length] }
      for symbol in 0..<symbolCount {
        let length = Int(BitPacking.value(at: symbol, width: 4, in: packedLengths))
        // The starts move on to those of the next length, and back below.
        symbols[Int(starts[length])] = UInt16(truncatingIfNeeded: symbol)
        starts[length] += 1
      }
      for length in 1...maximumLength { starts[length] -= counts[length] }
      // Codes ascend by length, so that the table is filled from its front.
      var entry = lookup
      for length in 1...lookupWidth {
        let width = 1 << (lookupWidth - length)
        for place in Int(starts[length])..<Int(starts[length] + counts[length]) {
          entry.update(repeating: symbols[place] << 4 | UInt16(truncatingIfNeeded: length), count: width)
          entry += width
        }
      }
    }

    /// False if the stream is not exactly as long as its codes.
    func decode(
      _ stream: UnsafeRawBufferPointer, values: UnsafeMutableBufferPointer<UInt64>,
      into output: UnsafeMutableBufferPointer<UInt64>
    ) -> Bool {
      var bit = 0
      let bitCount = stream.count &* 8
      var index = 0
      while index < output.count {
        guard bit < bitCount else { return false }
        var window = Self.window(stream, bit)
        // As long as the window holds a code of the greatest length.
        let windowEnd = bit &+ 57 &- maximumLength
        repeat {
          let entry = lookup[Int(truncatingIfNeeded: window &>> UInt64(64 &- lookupWidth))]
          var length = Int(entry & 15)
          if entry != 0 {
            output[index] = values[Int(entry &>> 4)]
          } else {
            guard let long = longSymbol(window) else { return false }
            output[index] = values[long.symbol]
            length = long.length
          }
          window = window &<< UInt64(length)
          bit &+= length
          index &+= 1
        } while index < output.count && bit <= windowEnd
      }
      return bit <= bitCount && bitCount - bit < 8
    }

    /// The symbol at `index`; nil if the stream ends before.
    func symbol(at index: Int, of stream: UnsafeRawBufferPointer) -> Int? {
      var bit = 0
      let bitCount = stream.count &* 8
      var left = index
      while bit < bitCount {
        var window = Self.window(stream, bit)
        var step = 0
        while step < 3 {
          let entry = lookup[Int(truncatingIfNeeded: window &>> UInt64(64 &- lookupWidth))]
          var (symbol, length) = (Int(entry &>> 4), Int(entry & 15))
          if entry == 0 {
            guard let long = longSymbol(window) else { return nil }
            (symbol, length) = long
          }
          if left == 0 { return bit &+ length <= bitCount ? symbol : nil }
          left &-= 1
          window = window &<< UInt64(length)
          bit &+= length
          step &+= 1
        }
      }
      return nil
    }

    /// At least 57 bits from `bit` on, at the top of the word; zeros after the end.
    @inline(__always)
    private static func window(_ stream: UnsafeRawBufferPointer, _ bit: Int) -> UInt64 {
      let place = bit >> 3
      if place &+ 8 <= stream.count {
        return UInt64(bigEndian: stream.loadUnaligned(fromByteOffset: place, as: UInt64.self)) &<< UInt64(bit & 7)
      }
      var word: UInt64 = 0
      var index = 0
      while index < 8 {
        word = word &<< 8 | (place &+ index < stream.count ? UInt64(stream[place &+ index]) : 0)
        index &+= 1
      }
      return word &<< UInt64(bit & 7)
    }

    private func longSymbol(_ window: UInt64) -> (symbol: Int, length: Int)? {
      for length in (lookupWidth + 1)...maximumLength {
        let code = UInt16(truncatingIfNeeded: window >> UInt64(64 - length))
        if code >= first[length], code - first[length] < counts[length] {
          return (Int(symbols[Int(starts[length] + (code - first[length]))]), length)
        }
      }
      return nil
    }
  }
}
