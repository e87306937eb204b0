import TraceBytes
import TraceColumns

/// Decides which strings the whole segment shares, and gives them their codes.
///
/// A string is shared when it occurs in two stripes, or is an attribute key, a service or a span name. Dictionaries
/// refer to shared strings by code and keep the others to themselves; of the shared ones only those that something
/// refers to are written.
final class SegmentStrings: @unchecked Sendable {
  private let view: SpanTable.View
  /// For each of the table's strings: 0 unseen, else one more than the only stripe it occurs in, or `shared`.
  private let marks: UnsafeMutablePointer<UInt32>
  /// Keys of resources and scopes that the table doesn't know.
  private let extras = ByteDictionary(hash: SeededHash(seed: 0), slabShift: 8)
  private var extraCodes: [UInt32] = []
  private var keyIDs: [[UInt8]: UInt32] = [:]
  private var isNeeded: [Bool]
  /// By string id: the segment's code.
  private var codes: [UInt32] = []
  /// String ids in the order of their codes: the table's codes, then those of `extras`.
  private(set) var ids: [UInt32] = []

  private static let shared = UInt32.max

  init(_ plan: SegmentPlan, _ keys: SegmentKeys, services: [UInt32]) {
    view = plan.view
    marks = .allocate(capacity: max(1, view.strings.count))
    marks.initialize(repeating: 0, count: max(1, view.strings.count))
    isNeeded = [Bool](repeating: false, count: view.strings.count)
    for (index, fragments) in plan.stripes.enumerated() { mark(plan, keys, fragments, UInt32(index) + 1) }
    for operation in plan.operations {
      require(operation.service)
      require(operation.name)
    }
    for service in services { require(service) }
    requireKeys(keys)
  }

  deinit { marks.deallocate() }

  @inline(__always)
  func isShared(_ code: UInt32) -> Bool { marks[Int(code)] == Self.shared }

  /// Writes the string in the segment's list. Not to be called any more once codes are assigned.
  func require(_ code: UInt32) {
    marks[Int(code)] = Self.shared
    isNeeded[Int(code)] = true
  }

  /// The code of one of the table's strings that was required.
  func code(_ tableCode: UInt32) -> UInt32 { codes[Int(tableCode)] }

  func code(ofKey key: [UInt8]) -> UInt32 { keyIDs[key].map { codes[Int($0)] } ?? 0 }

  func bytes(_ id: UInt32) -> UnsafeRawBufferPointer {
    Int(id) < view.strings.count ? view.bytes(id) : extras.bytes(id - UInt32(view.strings.count))
  }

  /// Ranks what is required.
  func assignCodes() {
    var needed: [UInt32] = []
    for code in 0..<UInt32(isNeeded.count) where isNeeded[Int(code)] { needed.append(code) }
    for extra in extraCodes { needed.append(extra + UInt32(view.strings.count)) }
    TextOrder.sort(&needed) { self.bytes($0) }
    ids = needed
    codes = [UInt32](repeating: .max, count: view.strings.count + extras.count)
    for (code, id) in ids.enumerated() { codes[Int(id)] = UInt32(code) }
  }

  @inline(__always)
  private func mark(_ code: UInt32, _ stripe: UInt32) {
    let mark = marks + Int(code)
    if mark.pointee == 0 { mark.pointee = stripe } else if mark.pointee != stripe { mark.pointee = Self.shared }
  }

  private func mark(_ plan: SegmentPlan, _ keys: SegmentKeys, _ fragments: [SegmentPlan.Fragment], _ stripe: UInt32) {
    let rowNumbers = plan.rowNumbers
    for fragment in fragments {
      for index in fragment.rows {
        let row = view.rows.pointer(at: Int(rowNumbers[index]))
        mark(row.pointee.statusMessage, stripe)
        mark(row.pointee.traceState, stripe)
        mark(row.pointee.unknownFields, stripe)
        mark(row.pointee.statusUnknownFields, stripe)
        mark(shape: row.pointee.shape, first: row.pointee.firstValue, stripe)
        for event in Int(row.pointee.firstEvent)..<Int(row.pointee.firstEvent) + Int(row.pointee.eventCount) {
          let event = view.events.pointer(at: event)
          mark(event.pointee.name, stripe)
          mark(event.pointee.unknownFields, stripe)
          mark(shape: event.pointee.shape, first: event.pointee.firstValue, stripe)
        }
        for link in Int(row.pointee.firstLink)..<Int(row.pointee.firstLink) + Int(row.pointee.linkCount) {
          let link = view.links.pointer(at: link)
          mark(link.pointee.traceState, stripe)
          mark(link.pointee.unknownFields, stripe)
          mark(shape: link.pointee.shape, first: link.pointee.firstValue, stripe)
        }
      }
    }
  }

  @inline(__always)
  private func mark(shape: UInt32, first: UInt32, _ stripe: UInt32) {
    if shape == 0 { return }
    let slots = view.slots(shape)
    var index = 0
    while index < slots.count {
      let type = slots[index] & 15
      if type == 2 || type >= 6 {
        mark(UInt32(truncatingIfNeeded: view.values[Int(first) &+ index]), stripe)
      }
      index &+= 1
    }
  }

  /// Keys of spans, events and links are strings of the table; keys of resources and scopes may be. Where one is, it
  /// has to be found: dictionaries must not keep to themselves what the segment's list holds.
  private func requireKeys(_ keys: SegmentKeys) {
    var missing: Set<[UInt8]> = Set(keys.entries.map(\.key))
    let longest = missing.map(\.count).max() ?? 0
    var lengths = [Bool](repeating: false, count: longest + 1)
    for key in missing { lengths[key.count] = true }
    for code in 0..<UInt32(view.strings.count) {
      let bytes = view.bytes(code)
      if bytes.count > longest || !lengths[bytes.count] { continue }
      let key = bytes.array
      guard missing.remove(key) != nil else { continue }
      require(code)
      keyIDs[key] = code
      if missing.isEmpty { return }
    }
    for key in missing.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      let extra = extras.intern(key)
      if extra != 0 || !extraCodes.contains(0) { extraCodes.append(extra) }
      keyIDs[key] = extra + UInt32(view.strings.count)
    }
  }
}
