import TraceBytes
import TraceColumns
import TraceModel
import TraceOTLP

/// The resources or the scopes of a segment that is being written.
struct SegmentEnvelopes {
  /// Canonical records, ascending.
  private(set) var records: [[UInt8]] = []
  private(set) var spanCounts: [UInt64] = []
  /// One of the table's indices for each record.
  private(set) var sources: [Int] = []
  /// By the table's index: the segment's.
  private(set) var indices: [UInt32] = []

  /// - Parameters:
  ///   - counts: spans of each of the table's entries.
  ///   - isUsed: entries that are written although they have no spans.
  init(counts: [UInt64], isUsed: [Bool], record: (Int) -> [UInt8]) {
    var used: [(source: Int, record: [UInt8])] = []
    for index in counts.indices where counts[index] > 0 || isUsed[index] { used.append((index, record(index))) }
    used.sort { $0.record.lexicographicallyPrecedes($1.record) }
    indices = [UInt32](repeating: .max, count: counts.count)
    for entry in used {
      if records.last != entry.record {
        records.append(entry.record)
        spanCounts.append(0)
        sources.append(entry.source)
      }
      spanCounts[spanCounts.count - 1] += counts[entry.source]
      indices[entry.source] = UInt32(records.count - 1)
    }
  }

  /// A `ResourceSpans` message without scopes.
  static func record(_ resource: Resource) -> [UInt8] {
    field(1, of: OTLP.encode(TraceData(resourceSpans: [ResourceSpans(resource: resource)])))
  }

  /// A `ScopeSpans` message without spans.
  static func record(_ scope: InstrumentationScope) -> [UInt8] {
    let group = ResourceSpans(scopeSpans: [ScopeSpans(scope: scope)])
    return field(2, of: field(1, of: OTLP.encode(TraceData(resourceSpans: [group]))))
  }

  /// The content of the first field of this number in a message that this process encoded: all its fields have a
  /// length.
  private static func field(_ number: UInt8, of message: [UInt8]) -> [UInt8] {
    message.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      while let head = try? reader.readUInt8(), let content = try? reader.readLengthPrefixedBytes() {
        if head == number << 3 | 2 { return content.array }
      }
      return []
    }
  }
}
