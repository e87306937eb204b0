import TraceBytes
import TraceColumns

/// The values of a text column, decoded, on their way into a table's strings.
enum TextCodes {
  case empty
  /// Entries count over `shared` (codes in the segment's strings), then `local`.
  case dictionary(entries: [UInt32], shared: [UInt32], local: TextArena)
  /// Values side by side.
  case column(bytes: [UInt8], ends: [Int])

  /// Calls `body` with the code that each value has in the transfer's table, in order; not at all when all are empty.
  func forEachCode(_ transfer: SegmentTransfer, _ body: (Int, UInt32) -> Void) throws {
    switch self {
    case .empty: return
    case .dictionary(let entries, let shared, let local):
      let strings = transfer.table.strings
      var codes: [UInt32] = []
      codes.reserveCapacity(shared.count + local.count)
      for code in shared { codes.append(try transfer.string(code)) }
      for entry in 0..<local.count { codes.append(local.withText(entry) { strings.intern($0) }) }
      for index in entries.indices { body(index, codes[Int(entries[index])]) }
    case .column(let bytes, let ends):
      let strings = transfer.table.strings
      bytes.withUnsafeBytes { bytes in
        var start = 0
        for index in ends.indices {
          body(index, strings.intern(UnsafeRawBufferPointer(rebasing: bytes[start..<ends[index]])))
          start = ends[index]
        }
      }
    }
  }
}
