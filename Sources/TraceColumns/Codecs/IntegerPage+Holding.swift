import TraceBytes

extension IntegerPage {
  /// False when no value of the page is in a set. Decided by what stands before the values: the distinct ones where the
  /// encoding names them, else base and width. True when that says nothing, and for damaged pages.
  package func mayHold(_ wanted: WordRanges) -> Bool {
    switch encoding {
    case .constant: return wanted.contains(base)
    case .packed: return mayHold(wanted, upToWidth: width)
    case .dictionary, .huffman:
      var reader = ByteReader(body)
      guard let table = try? DictionaryIntegers.Table(&reader, page: self) else { return true }
      for index in 0..<table.distinctCount {
        let reduced = BitPacking.value(at: index, width: table.valueWidth, in: table.values)
        if wanted.contains(reduced &* scale.factor &+ base) { return true }
      }
      return false
    case .patched, .delta, .zigzagDelta, .runs, .steps: return true
    }
  }

  private func mayHold(_ wanted: WordRanges, upToWidth width: Int) -> Bool {
    let greatest = width == 64 ? UInt64.max : 1 << UInt64(width) - 1
    let (scaled, isWide) = greatest.multipliedReportingOverflow(by: scale.factor)
    let (maximum, isAbove) = scaled.addingReportingOverflow(base)
    // Values go round: nothing is known.
    return isWide || isAbove || wanted.overlaps(base, maximum)
  }
}
