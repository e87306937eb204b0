package import TraceColumns
import TraceModel
package import TraceSource

// Runs for kernels: rows come in the order they arrived, and are grouped first.
extension MemtableStripe {
  package func text(_ code: UInt32) throws -> [UInt8] { Array(context.view.bytes(code)) }

  private struct RunKey: Hashable {
    var service: UInt32
    var name: UInt32
    var kind: Int32
  }

  package func forEachCallRun(
    _ selection: CallSelection, in rows: Range<Int>, _ mask: RowMask?, _ body: (CallRun) throws -> Void
  ) throws {
    let view = context.view
    let accepted = context.resourceMatches(
      selection.services.map { "service \($0.sorted { $0.lexicographicallyPrecedes($1) })" } ?? "all"
    ) {
      resource in selection.services?.contains(Array(resource.serviceName.utf8)) ?? true
    }
    var places: [RunKey: Int] = [:]
    var groups: [(key: RunKey, rows: [UInt32])] = []
    for row in rows where mask?[row] ?? true {
      let stored = view.rows.pointer(at: firstRow + row)
      guard stored.pointee.marks.isFinal,
        selection.starts.contains(stored.pointee.start), selection.kinds?.contains(stored.pointee.kind) ?? true,
        accepted[Int(stored.pointee.resource)]
      else { continue }
      let key = RunKey(
        service: view.resources[Int(stored.pointee.resource)].service, name: stored.pointee.name,
        kind: stored.pointee.kind)
      let place = places[key] ?? groups.count
      if place == groups.count {
        places[key] = place
        groups.append((key, []))
      }
      groups[place].rows.append(UInt32(truncatingIfNeeded: row))
    }
    for (key, rows) in groups {
      let stored = rows.map { view.rows.pointer(at: firstRow + Int($0)) }
      let starts = stored.map(\.pointee.start)
      let durations = selection.needsDurations ? stored.map(\.pointee.durationNanoseconds) : []
      let error = SpanStatus.Code.error.rawValue
      let errors = selection.needsErrors ? stored.map { $0.pointee.statusCode == error ? UInt8(1) : 0 } : []
      try rows.withUnsafeBufferPointer { rows in
        try starts.withUnsafeBufferPointer { starts in
          try durations.withUnsafeBufferPointer { durations in
            try errors.withUnsafeBufferPointer { errors in
              try body(
                CallRun(
                  service: key.service, name: key.name, kind: key.kind, rows: .list(rows), starts: starts,
                  durations: durations, errors: errors))
            }
          }
        }
      }
    }
  }
}
