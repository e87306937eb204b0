package import TraceColumns
import TraceModel
package import TraceSource

// Runs for kernels: rows come in the order they arrived, and are grouped first.
extension MemtableStripe {
  package func text(_ code: UInt32) throws -> [UInt8] { Array(context.view.bytes(code)) }

  package func forEachCallRun(
    _ selection: CallSelection, in rows: Range<Int>, _ mask: RowMask?, _ body: (CallRun) throws -> Void
  ) throws {
    let view = context.view
    let accepted = context.resourceMatches(
      selection.services.map { "service \($0.sorted { $0.lexicographicallyPrecedes($1) })" } ?? "all"
    ) {
      resource in selection.services?.contains(Array(resource.serviceName.utf8)) ?? true
    }
    let services = view.resources.map(\.service)
    var groups = RunGroups()
    var chosen: [(row: UInt32, group: UInt32)] = []
    chosen.reserveCapacity(rows.count)
    for row in rows where mask?[row] ?? true {
      let stored = view.rows.pointer(at: firstRow + row)
      guard stored.pointee.marks.isFinal,
        selection.starts.contains(stored.pointee.start), selection.kinds?.contains(stored.pointee.kind) ?? true,
        accepted[Int(stored.pointee.resource)]
      else { continue }
      let key = RunKey(
        service: services[Int(stored.pointee.resource)], name: stored.pointee.name, kind: stored.pointee.kind)
      chosen.append((UInt32(truncatingIfNeeded: row), groups.add(key)))
    }
    // The rows of each group, one group behind the other.
    var ends = groups.firsts()
    var ordered = [UInt32](repeating: 0, count: chosen.count)
    for (row, group) in chosen {
      ordered[ends[Int(group)]] = row
      ends[Int(group)] += 1
    }
    func values<Value>(_ isNeeded: Bool, _ value: (UnsafePointer<SpanRow>) -> Value) -> [Value] {
      isNeeded ? ordered.map { value(view.rows.pointer(at: firstRow + Int($0))) } : []
    }
    let error = SpanStatus.Code.error.rawValue
    let starts = values(true) { $0.pointee.start }
    let durations = values(selection.needsDurations) { $0.pointee.durationNanoseconds }
    let errors = values(selection.needsErrors) { $0.pointee.statusCode == error ? UInt8(1) : 0 }
    try ordered.withUnsafeBufferPointer { ordered in
      try starts.withUnsafeBufferPointer { starts in
        try durations.withUnsafeBufferPointer { durations in
          try errors.withUnsafeBufferPointer { errors in
            var first = 0
            for (key, end) in zip(groups.keys, ends) {
              func part<Value>(_ values: UnsafeBufferPointer<Value>) -> UnsafeBufferPointer<Value> {
                UnsafeBufferPointer(rebasing: values.isEmpty ? values[..<0] : values[first..<end])
              }
              try body(
                CallRun(
                  service: key.service, name: key.name, kind: key.kind, rows: .list(part(ordered)),
                  starts: part(starts), durations: part(durations), errors: part(errors)))
              first = end
            }
          }
        }
      }
    }
  }
}

private struct RunKey: Equatable {
  var service: UInt32
  var name: UInt32
  var kind: Int32
}

/// The runs of a stripe, found by open addressing: each row is looked up.
private struct RunGroups {
  /// In the order in which they came.
  private(set) var keys: [RunKey] = []
  private var counts: [Int] = []
  /// Groups, from 1 on; at most half of it is taken.
  private var slots = [UInt32](repeating: 0, count: 512)
  private let seed = UInt64(truncatingIfNeeded: Hasher().finalize()) | 1

  /// Counts a row of a group, and gives the group.
  mutating func add(_ key: RunKey) -> UInt32 {
    var slot = slot(of: key)
    while slots[slot] != 0 {
      let group = slots[slot] - 1
      if keys[Int(group)] == key {
        counts[Int(group)] += 1
        return group
      }
      slot = (slot &+ 1) & (slots.count &- 1)
    }
    keys.append(key)
    counts.append(1)
    slots[slot] = UInt32(truncatingIfNeeded: keys.count)
    if 2 * keys.count > slots.count { grow() }
    return UInt32(truncatingIfNeeded: keys.count - 1)
  }

  /// Where the rows of each group begin when they stand behind each other.
  func firsts() -> [Int] {
    var first = 0
    return counts.map { count in
      defer { first += count }
      return first
    }
  }

  private func slot(of key: RunKey) -> Int {
    let words = UInt64(key.service) &<< 32 ^ UInt64(key.name) ^ UInt64(UInt32(bitPattern: key.kind)) &<< 56
    let mixed = (words ^ seed).multipliedFullWidth(by: seed)
    return Int(truncatingIfNeeded: mixed.high ^ mixed.low) & (slots.count &- 1)
  }

  private mutating func grow() {
    slots = [UInt32](repeating: 0, count: 2 * slots.count)
    for (group, key) in keys.enumerated() {
      var slot = slot(of: key)
      while slots[slot] != 0 { slot = (slot &+ 1) & (slots.count &- 1) }
      slots[slot] = UInt32(truncatingIfNeeded: group + 1)
    }
  }
}
