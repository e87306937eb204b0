import TraceBytes
import TraceColumns
import TraceModel

/// Up to 512 entries of the trace index.
final class TraceIndexBlock: CachedBlock {
  /// A search for 20 traces asks for about as many blocks, which are small beside the stripes that it reads.
  static let passCount = 8

  private let keys: [UInt64]
  private let stripes: [UInt64]
  private let ordinals: [UInt64]

  var residentByteCount: Int { keys.count * 24 + 64 }

  /// - Parameter firstKey: what the head of the index says; a block that begins otherwise is not the one it names.
  init(_ bytes: UnsafeRawBufferPointer, firstKey: UInt64, place: ChunkPlace) throws {
    var rest = bytes
    func page() throws -> [UInt64] {
      let page = try IntegerPage(rest)
      rest = UnsafeRawBufferPointer(rebasing: rest[page.byteCount...])
      guard page.count <= SegmentFormat.traceIndexBlockCount else {
        throw place.damage("it holds \(page.count) entries")
      }
      return try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: IntegerPage.maximumCount) { buffer in
        try page.decode(into: buffer)
        return Array(buffer[..<page.count])
      }
    }
    keys = try page()
    stripes = try page()
    ordinals = try page()
    guard keys.count == stripes.count, keys.count == ordinals.count, keys.first == firstKey, rest.isEmpty else {
      throw place.damage("it is not the block that the trace index names")
    }
    guard stripes.allSatisfy({ $0 <= UInt64(UInt32.max) }), ordinals.allSatisfy({ $0 <= UInt64(UInt32.max) }) else {
      throw place.damage("it names a stripe or a trace that cannot exist")
    }
  }

  func places(of key: UInt64) -> [(stripe: Int, ordinal: Int)] {
    var low = 0
    var high = keys.count
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] < key { low = middle + 1 } else { high = middle }
    }
    var result: [(stripe: Int, ordinal: Int)] = []
    while low < keys.count, keys[low] == key {
      result.append((Int(stripes[low]), Int(ordinals[low])))
      low += 1
    }
    return result
  }
}
