import TraceBytes
import TraceColumns

/// The values of a text column, decoded, on their way into a table's strings. Not thread-safe.
final class TextCodes {
  enum Form {
    case empty
    /// Entries count over `shared` (codes in the segment's strings), then `local`.
    case dictionary(entries: [UInt32], shared: [UInt32], local: TextArena)
    /// Values side by side.
    case column(bytes: [UInt8], ends: [Int])
  }

  private let form: Form
  /// The table's codes of the entries of a dictionary, as far as they are known.
  private var known: [UInt32]

  private static let unknown = UInt32.max

  init(_ form: Form) {
    self.form = form
    if case .dictionary(_, let shared, let local) = form {
      known = [UInt32](repeating: Self.unknown, count: shared.count + local.count)
    } else {
      known = []
    }
  }

  /// To be called when rows go to another table.
  func forgetCodes() {
    for entry in known.indices { known[entry] = Self.unknown }
  }

  /// The table's code of a value.
  func code(at index: Int, _ transfer: SegmentTransfer) throws -> UInt32 {
    switch form {
    case .empty: return 0
    case .dictionary(let entries, let shared, let local):
      let entry = Int(entries[index])
      if entry < known.count, known[entry] != Self.unknown { return known[entry] }
      let code =
        entry < shared.count
        ? try transfer.string(shared[entry])
        : local.withText(entry - shared.count) { transfer.table.strings.intern($0) }
      known[entry] = code
      return code
    case .column(let bytes, let ends):
      let start = index == 0 ? 0 : ends[index - 1]
      return bytes.withUnsafeBytes {
        transfer.table.strings.intern(UnsafeRawBufferPointer(rebasing: $0[start..<ends[index]]))
      }
    }
  }
}
