import TraceBytes
import TraceColumns
import TraceModel
package import TraceSource

// Passing a stripe by: bounds, presence lists, zones and value filters, all resident.
extension SegmentStripe {
  package func mayMatch(_ leaf: SpanLeaf) throws -> Bool {
    guard rowCount > 0 else { return false }
    switch leaf {
    case .service(let bytes):
      guard let code = try core.strings().code(of: bytes) else { return false }
      return Self.contains(summary.services, code)
    case .name(let bytes):
      guard let code = try core.strings().code(of: bytes) else { return false }
      return Self.contains(summary.names, code)
    case .kind(let kind):
      return summary.kinds.contains(kind)
    case .statusCode(let code):
      return code != SpanStatus.Code.error.rawValue || summary.errorCount > 0
    case .statusMessage(let bytes):
      return try mayContain(ChunkID.statusMessage, bytes)
    case .traceState(let bytes):
      return try mayContain(ChunkID.traceState, bytes)
    case .eventName(let bytes):
      return try summary.eventCount > 0 && mayContain(ChunkID.eventName, bytes)
    case .scopeName, .scopeVersion, .attribute(.scope, _, _):
      let passing = try core.scopes().passing(leaf)
      return !passing.isEmpty && summary.scopes.contains { Int($0) < passing.count && passing[Int($0)] }
    case .attribute(.resource, let key, let test):
      let passing = try core.resources().passing(key, test)
      return !passing.isEmpty && summary.resources.contains { Int($0) < passing.count && passing[Int($0)] }
    case .start(let range):
      return bounds.minimumStart <= range.upperBound && bounds.maximumStart >= range.lowerBound
    case .duration(let range):
      return bounds.minimumDuration <= range.upperBound && bounds.maximumDuration >= range.lowerBound
    case .attribute(let level, let key, let test):
      for entry in try core.keyEntries(level: level, key: key) where try mayContain(entry, test) { return true }
      return false
    }
  }

  private static func contains(_ codes: [UInt32], _ code: UInt32) -> Bool {
    var low = 0
    var high = codes.count
    while low < high {
      let middle = (low + high) / 2
      if codes[middle] < code { low = middle + 1 } else { high = middle }
    }
    return low < codes.count && codes[low] == code
  }

  /// Whether a fixed text column may hold these bytes. A column that was left out holds empty texts.
  private func mayContain(_ id: UInt32, _ needle: [UInt8]) throws -> Bool {
    guard let text = summary.text(id) else { return needle.isEmpty }
    return try mayContain(text, needle)
  }

  private func mayContain(_ text: TextSummary, _ needle: [UInt8]) throws -> Bool {
    if text.form == .empty { return needle.isEmpty && text.valueCount > 0 }
    if let code = try core.strings().code(of: needle), Self.contains(text.shared, code) { return true }
    guard text.localDistinctCount > 0 else { return false }
    guard let filter = try core.valueFilter(text) else { return true }
    return filter.contains(FilterHash.hash(needle))
  }

  private func mayContain(_ entry: Int, _ test: ValueTest) throws -> Bool {
    let type = try core.keys()[entry].type
    guard !test.cannotMatch(type) else { return false }
    let id = ChunkID.attribute(UInt32(entry))
    switch type {
    case .absent, .empty: return summary.number(id) != nil
    case .bool:
      guard let zone = summary.number(id) else { return false }
      return test.matches(.bool, bits: zone.minimum) || test.matches(.bool, bits: zone.maximum)
    case .int:
      guard let zone = summary.number(id), let only = test.exactInt else { return false }
      return zone.contains(NumberOrder.int(UInt64(bitPattern: only)))
    case .double:
      guard let zone = summary.number(id), let only = test.exactDouble else { return false }
      if only.isNaN { return true }
      // Zeros of both signs are equal and stand apart in the order.
      if only == 0 { return zone.minimum <= NumberOrder.double(0) && zone.maximum >= NumberOrder.double(1 << 63) }
      return zone.contains(NumberOrder.double(only.bitPattern))
    case .string, .bytes:
      guard let text = summary.text(id), let needle = test.exactBytes(type) else { return false }
      return try mayContain(text, needle)
    case .array, .map, .opaque, .opaqueAttribute:
      return summary.text(id) != nil
    }
  }
}

extension NumberSummary {
  fileprivate func contains(_ word: UInt64) -> Bool { minimum <= word && word <= maximum }
}
