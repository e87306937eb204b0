import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

/// The key catalogue of a segment that is being written, and the shapes of its spans, events and links in terms of it.
final class SegmentKeys {
  struct Entry {
    var level: ColumnLevel
    var key: [UInt8]
    var type: AttributeType
    var valueCount: UInt64
  }

  /// The levels whose attributes stand in shapes; a level's place here is its raw value.
  static let shapeLevels: [ColumnLevel] = [.span, .event, .link]

  /// In the order of the catalogue.
  private(set) var entries: [Entry] = []
  /// For each shape, by level and the table's shape code: its number. Numbers ascend by content.
  private(set) var numbers: [[UInt32]]
  /// Where a shape's slots begin in `slots`, by number; one more than there are shapes.
  private(set) var firstSlots: [Int] = [0]
  /// Catalogue indices.
  private(set) var slots: [UInt32] = []

  var shapeCount: Int { firstSlots.count - 1 }

  private struct Key: Hashable {
    var level: UInt8
    var key: [UInt8]
    var type: UInt8
  }

  init(_ plan: SegmentPlan) {
    let view = plan.view
    var counts: [Key: UInt64] = [:]
    var keysOfCodes: [UInt32: [UInt8]] = [:]
    func key(_ level: ColumnLevel, _ slot: ShapeSlot) -> Key {
      let bytes = keysOfCodes[slot.key] ?? view.bytes(slot.key).array
      keysOfCodes[slot.key] = bytes
      return Key(level: level.rawValue, key: bytes, type: slot.type.rawValue)
    }
    for level in Self.shapeLevels {
      for (shape, count) in plan.shapeCounts[Int(level.rawValue)].enumerated() where count > 0 {
        for slot in view.slots(UInt32(shape)) { counts[key(level, ShapeSlot(rawValue: slot)), default: 0] += count }
      }
    }
    func count(_ attributes: [Attribute], _ level: ColumnLevel, times: UInt64) {
      for attribute in attributes {
        let type = AttributeType(of: attribute)
        counts[Key(level: level.rawValue, key: Array(attribute.key.utf8), type: type.rawValue), default: 0] += times
      }
    }
    for (index, times) in plan.resourceCounts.enumerated() where times > 0 {
      count(view.resources[index].resource.attributes, .resource, times: times)
    }
    for (index, times) in plan.scopeCounts.enumerated() where times > 0 {
      count(view.scopes[index].scope.attributes, .scope, times: times)
    }
    let sorted = counts.keys.sorted { left, right in
      if left.level != right.level { return left.level < right.level }
      if left.key != right.key { return TextOrder.precedes(left.key, right.key) }
      return left.type < right.type
    }
    var indices: [Key: UInt32] = [:]
    for (index, key) in sorted.enumerated() {
      indices[key] = UInt32(index)
      guard let level = ColumnLevel(rawValue: key.level), let type = AttributeType(rawValue: key.type) else { continue }
      entries.append(Entry(level: level, key: key.key, type: type, valueCount: counts[key, default: 0]))
    }
    numbers = [[UInt32]](repeating: [UInt32](repeating: .max, count: view.shapes.count), count: 3)
    var shapes: [(level: Int, shape: Int, slots: [UInt32])] = []
    for level in Self.shapeLevels {
      let place = Int(level.rawValue)
      for (shape, count) in plan.shapeCounts[place].enumerated() where count > 0 {
        let slots = view.slots(UInt32(shape)).map { indices[key(level, ShapeSlot(rawValue: $0)), default: 0] }
        shapes.append((place, shape, slots))
      }
    }
    shapes.sort { $0.slots.lexicographicallyPrecedes($1.slots) }
    for (index, shape) in shapes.enumerated() {
      // Only the empty shape occurs at several levels.
      if index == 0 || shapes[index - 1].slots != shape.slots {
        slots.append(contentsOf: shape.slots)
        firstSlots.append(slots.count)
      }
      numbers[shape.level][shape.shape] = UInt32(firstSlots.count - 2)
    }
  }

  func slots(ofShape number: UInt32) -> ArraySlice<UInt32> {
    slots[firstSlots[Int(number)]..<firstSlots[Int(number) + 1]]
  }
}
