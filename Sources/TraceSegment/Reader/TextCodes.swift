import TraceBytes
import TraceColumns

/// The values of a text column, decoded, on their way into a table's strings.
enum TextCodes {
  case empty
  /// Entries count over `shared` (codes in the segment's strings), then `local`.
  case dictionary(entries: [UInt32], shared: [UInt32], local: TextArena)
  /// Values side by side.
  case column(bytes: [UInt8], ends: [Int])

  /// Calls `body` with the code that each value has in the transfer's table and its byte count, in order; not at all
  /// when all are empty.
  @inline(__always)
  func forEachCode(_ transfer: SegmentTransfer, _ body: (_ index: Int, _ code: UInt32, _ byteCount: Int) -> Void) throws
  {
    switch self {
    case .empty: return
    case .dictionary(let entries, let shared, let local):
      let strings = transfer.table.strings
      var codes: [(code: UInt32, byteCount: UInt32)] = []
      codes.reserveCapacity(shared.count + local.count)
      for code in shared {
        let code = try transfer.string(code)
        codes.append((code, UInt32(truncatingIfNeeded: strings.bytes(code).count)))
      }
      for entry in 0..<local.count {
        codes.append(local.withText(entry) { (strings.intern($0), UInt32(truncatingIfNeeded: $0.count)) })
      }
      for index in entries.indices {
        let entry = codes[Int(entries[index])]
        body(index, entry.code, Int(entry.byteCount))
      }
    case .column(let bytes, let ends):
      let strings = transfer.table.strings
      bytes.withUnsafeBytes { bytes in
        var start = 0
        for index in ends.indices {
          let text = UnsafeRawBufferPointer(rebasing: bytes[start..<ends[index]])
          body(index, strings.intern(text), text.count)
          start = ends[index]
        }
      }
    }
  }
}
