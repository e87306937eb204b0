import TraceBytes
import TraceColumns

/// Byte strings side by side in memory, ascending.
final class TextArena: Sendable {
  private let bytes: [UInt8]
  /// The end of each text.
  private let ends: [UInt32]

  var count: Int { ends.count }
  var residentByteCount: Int { bytes.count + ends.count * 4 }

  /// - Precondition: fewer than 4 GiB of bytes.
  init(bytes: [UInt8], ends: [UInt32]) {
    self.bytes = bytes
    self.ends = ends
  }

  /// - Precondition: `index` is below `count`.
  func withText<Result>(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    let start = index == 0 ? 0 : Int(ends[index - 1])
    let end = Int(ends[index])
    return try bytes.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
  }

  /// The index of exactly these bytes.
  func index(of needle: [UInt8]) -> Int? {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      switch withText(middle, { text in needle.withUnsafeBytes { TextOrder.compare(text, $0) } }) {
      case 0: return middle
      case ..<0: low = middle + 1
      default: high = middle
      }
    }
    return nil
  }
}
