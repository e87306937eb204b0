import TraceBytes
package import TraceModel

/// Finds the rows of a trace: a hash table from trace id to the newest row, from which rows link backwards.
///
/// The writer threads rows in; `entry(of:)` must be called under the writer's lock.
package struct TraceIndex: @unchecked Sendable {
  @frozen
  package struct Entry: BitwiseCopyable, Sendable {
    package var id: TraceID
    package var lastRow: UInt32
    package var rowCount: UInt32
    package var minimumStart: UInt64
  }

  package private(set) var entries = SlabVector<Entry>(slabShift: 10, maximumCount: SpanTable.maximumRowCount)
  private var slots: [UInt32]
  private var mask: Int
  /// The trace of the row before.
  private var newest = 0
  private let multiplier: UInt64

  init(hash: SeededHash) {
    mask = (1 << 10) - 1
    slots = [UInt32](repeating: 0, count: mask + 1)
    // Trace ids are chosen by strangers: a multiplier drawn per process keeps them from choosing slots.
    multiplier = withUnsafeBytes(of: 0 as UInt64) { hash($0) } | 1
  }

  package var count: Int { entries.count }
  package var byteCount: Int { entries.byteCount + slots.count * 4 }

  private func slot(_ id: TraceID) -> Int {
    let product = (id.high ^ multiplier).multipliedFullWidth(by: id.low &+ (multiplier &>> 1))
    let mixed = (product.high ^ product.low) &* multiplier
    return Int(truncatingIfNeeded: mixed &>> 20) & mask
  }

  /// Registers a row and returns the trace's index and the row before it.
  mutating func thread(_ id: TraceID, row: UInt32, start: UInt64) -> (trace: UInt32, previous: UInt32) {
    // Spans of a trace mostly come together.
    if newest < entries.count, entries.pointer(at: newest).pointee.id == id {
      return (UInt32(newest), thread(newest, row: row, start: start))
    }
    var place = slot(id)
    while slots[place] != 0 {
      let index = Int(slots[place] &- 1)
      if entries.pointer(at: index).pointee.id == id {
        newest = index
        return (UInt32(index), thread(index, row: row, start: start))
      }
      place = (place &+ 1) & mask
    }
    let index = UInt32(entries.count)
    newest = entries.count
    entries.append(Entry(id: id, lastRow: row, rowCount: 1, minimumStart: start))
    slots[place] = index + 1
    if entries.count * 2 > mask { grow() }
    return (index, SpanRow.noRow)
  }

  /// Puts a row in front of a known trace; gives back the one that stood there.
  @inline(__always)
  private func thread(_ index: Int, row: UInt32, start: UInt64) -> UInt32 {
    let entry = entries.pointer(at: index)
    let previous = entry.pointee.lastRow
    entry.pointee.lastRow = row
    entry.pointee.rowCount &+= 1
    if start < entry.pointee.minimumStart { entry.pointee.minimumStart = start }
    return previous
  }

  /// The entry of a trace, or nil when no row has its id.
  package func entry(of id: TraceID) -> Entry? {
    var place = slot(id)
    while slots[place] != 0 {
      let entry = entries[Int(slots[place] &- 1)]
      if entry.id == id { return entry }
      place = (place &+ 1) & mask
    }
    return nil
  }

  private mutating func grow() {
    mask = mask * 2 + 1
    slots = [UInt32](repeating: 0, count: mask + 1)
    for index in 0..<entries.count {
      var place = slot(entries[index].id)
      while slots[place] != 0 { place = (place + 1) & mask }
      slots[place] = UInt32(index + 1)
    }
  }
}
