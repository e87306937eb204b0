import TraceBytes
import TraceColumns
import TraceGraph
import TraceModel

/// Which attributes of which shapes may name a peer: looked for once for a shape, not for a row.
struct PeerSlots: Sendable {
  /// A string attribute of a shape that has one of `PeerNames.keys`.
  private struct Slot: Sendable {
    /// In `PeerNames.keys`.
    var key: Int
    var index: Int
  }

  /// Those of all shapes so far, by key, then by their order; those of a shape end where `ends` says.
  private var slots: [Slot] = []
  private var ends: [Int] = []

  private static let keys = PeerNames.keys.map { Array($0.utf8) }

  /// Takes up the shapes up to one.
  mutating func include(_ shape: UInt32, _ view: SpanTable.View) {
    while ends.count <= Int(shape) {
      let own = view.slots(UInt32(truncatingIfNeeded: ends.count))
      for (key, name) in Self.keys.enumerated() {
        for index in own.indices {
          let slot = ShapeSlot(rawValue: own[index])
          guard slot.type == .string, view.bytes(slot.key).elementsEqual(name) else { continue }
          slots.append(Slot(key: key, index: index))
        }
      }
      ends.append(slots.count)
    }
  }

  /// Names the peer of a calling span, as `PeerNames.peer` says it of attributes. Its shape is one that was taken up.
  ///
  /// - Parameter code: gives a text of the view its code.
  @inline(__always)
  func name(
    _ span: inout CallSpan, _ row: UnsafePointer<SpanRow>, _ view: SpanTable.View, code: (UInt32) -> UInt32
  ) {
    let shape = Int(row.pointee.shape)
    var place = shape == 0 ? 0 : ends[shape - 1]
    let end = ends[shape]
    var answered = -1
    var hasDatabase = false
    var hasMessaging = false
    while place < end {
      let slot = slots[place]
      place += 1
      if slot.key == answered { continue }
      let text = UInt32(truncatingIfNeeded: view.values[Int(row.pointee.firstValue) + slot.index])
      // Code 0 is the empty text.
      if text == 0 { continue }
      answered = slot.key
      if span.peer == CallSpan.noPeer { span.peer = code(text) }
      if PeerNames.databaseKeys.contains(slot.key) { hasDatabase = true }
      if slot.key == PeerNames.messagingKey { hasMessaging = true }
    }
    span.peerConnection = PeerNames.connection(span.role, hasDatabase: hasDatabase, hasMessaging: hasMessaging)
  }
}
