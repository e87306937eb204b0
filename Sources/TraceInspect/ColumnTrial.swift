import TraceBytes
import TraceColumns
import TraceSegment

/// What the values of a column take as they stand, and what each encoding would take for the same values.
package struct ColumnTrial: Sendable {
  package enum Kind: String, CaseIterable, Sendable {
    case integers, texts, doubles

    /// What is tried. `zstd` is for comparison: all values of a stripe as one frame.
    package var encodings: [String] {
      switch self {
      case .integers: ["packed", "patched", "delta", "runs", "dictionary", "huffman", "steps", "zstd"]
      case .texts: ["raw", "dictionary", "template", "zstd"]
      case .doubles: ["bits", "decimal", "zstd"]
      }
    }
  }

  package var name: String
  package var kind: Kind
  package var valueCount = 0
  package var storedByteCount: UInt64 = 0
  /// By the place in `encodings`. A page that an encoding cannot hold counts as it stands.
  package var byteCounts: [UInt64]
  /// Whether an encoding can hold any page at all.
  package var isPossible: [Bool]

  package init(_ name: String, _ kind: Kind) {
    self.name = name
    self.kind = kind
    byteCounts = [UInt64](repeating: 0, count: kind.encodings.count)
    isPossible = [Bool](repeating: false, count: kind.encodings.count)
  }

  /// Adds the columns of the same kind of another stripe, or another column for the total.
  package mutating func add(_ other: ColumnTrial) {
    valueCount += other.valueCount
    storedByteCount += other.storedByteCount
    for index in byteCounts.indices {
      byteCounts[index] += other.byteCounts[index]
      isPossible[index] = isPossible[index] || other.isPossible[index]
    }
  }

  package var json: JSONValue {
    .object([
      ("name", .string(name)), ("kind", .string(kind.rawValue)), ("values", .count(valueCount)),
      ("stored", .number(storedByteCount)),
      (
        "tried",
        .object(
          zip(kind.encodings, zip(byteCounts, isPossible)).map { name, tried in
            (name, tried.1 ? .number(tried.0) : .null)
          })
      ),
    ])
  }
}

/// Tries encodings.
struct EncodingTrials {
  private let scratch = ColumnScratch()
  private let compressor = ZstdCompressor(level: 3)

  /// Nil for texts that are too long to be tried.
  func run(_ content: ColumnContent) -> ColumnTrial? {
    var trial: ColumnTrial
    switch content.values {
    case .integers(let values, let cycle, let pageByteCounts):
      trial = ColumnTrial(content.name, .integers)
      tryIntegers(values, cycle, pageByteCounts, content.byteCount, &trial)
    case .doubles(let bits):
      trial = ColumnTrial(content.name, .doubles)
      let tried = bits.withUnsafeBufferPointer { DoubleForm.estimates($0, scratch: scratch) }
      set(tried + [("zstd", frame(bits))], content.byteCount, &trial)
    case .texts(let bytes, let ends):
      trial = ColumnTrial(content.name, .texts)
      let tried = bytes.withUnsafeBytes { bytes in
        TextColumn.estimates(
          count: ends.count,
          value: { UnsafeRawBufferPointer(rebasing: bytes[($0 == 0 ? 0 : ends[$0 - 1])..<ends[$0]]) }, scratch: scratch)
      }
      set(
        tried.map { ($0.name, $0.byteCount + TextChunkHead.byteCount) } + [("zstd", frame(bytes, ends))],
        content.byteCount, &trial)
    case .longTexts: return nil
    }
    trial.valueCount = content.valueCount
    trial.storedByteCount = UInt64(content.byteCount)
    return trial
  }

  private func set(_ tried: [(name: String, byteCount: Int)], _ storedByteCount: Int, _ trial: inout ColumnTrial) {
    for (index, name) in trial.kind.encodings.enumerated() {
      let found = tried.first { $0.name == name }
      trial.byteCounts[index] = UInt64(found?.byteCount ?? storedByteCount)
      trial.isPossible[index] = found != nil
    }
  }

  private func tryIntegers(
    _ values: [UInt64], _ cycle: UInt64, _ pageByteCounts: [Int], _ byteCount: Int, _ trial: inout ColumnTrial
  ) {
    let encodings = trial.kind.encodings
    // The directory of pages is the same for all.
    let framing = byteCount - pageByteCounts.reduce(0, +)
    for index in encodings.indices { trial.byteCounts[index] = UInt64(framing) }
    values.withUnsafeBufferPointer { values in
      for (page, stored) in pageByteCounts.enumerated() {
        let first = page * IntegerPage.maximumCount
        let rows = first..<min(values.count, first + IntegerPage.maximumCount)
        let estimates = IntegerCodec.estimates(
          UnsafeBufferPointer(rebasing: values[rows]), cycle: cycle, scratch: scratch)
        for (index, name) in encodings.enumerated() {
          // Both kinds of differences are one encoding to people.
          let found = estimates.first { $0.name == name || (name == "delta" && $0.name == "zigzag-delta") }
          trial.byteCounts[index] += UInt64(found?.byteCount ?? stored)
          if found != nil { trial.isPossible[index] = true }
        }
      }
    }
    if let index = encodings.firstIndex(of: "zstd") {
      trial.byteCounts[index] = UInt64(frame(values))
      trial.isPossible[index] = true
    }
  }

  /// Words as they stand in memory.
  private func frame(_ words: [UInt64]) -> Int {
    var output: [UInt8] = []
    return words.withUnsafeBytes { compressor.compress($0, into: &output) }
  }

  /// Texts one after another, each behind its byte count.
  private func frame(_ bytes: [UInt8], _ ends: [Int]) -> Int {
    var writer = ByteWriter(reserving: bytes.count + ends.count)
    var start = 0
    bytes.withUnsafeBytes { bytes in
      for end in ends {
        writer.appendLengthPrefixed(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
        start = end
      }
    }
    var output: [UInt8] = []
    return writer.bytes.withUnsafeBytes { compressor.compress($0, into: &output) }
  }
}
