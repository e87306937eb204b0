import Testing
import TraceSource

@testable import TraceSegment

@Suite struct ReaderShapeTests {
  @Test(arguments: [0, 1, 127, 128, 129, 1000] as [Int])
  func `values and elements are found from each other`(count: Int) throws {
    var random = SeededRandom(seed: UInt64(count))
    let shapes = StripeShapes(SlotLists([[], [0], [0, 1], [1, 0, 0], [2, 1, 2]]))
    let codes = (0..<count).map { _ in UInt32(random.below(shapes.count)) }
    let map = ShapeMap(codes: ShapeCodes(codes), shapes: shapes)
    var counter = SlotCounter(entryCount: 4, shapeCount: shapes.count)
    for entry in 0..<4 as Range<UInt32> {
      // The plain way: the values of the entry in element order.
      var owners: [Int] = []
      for (element, code) in codes.enumerated() {
        for slot in shapes.entries(Int(code)) where slot == entry { owners.append(element) }
      }
      let prefix = try #require(map.prefix(of: entry))
      #expect(Int(prefix[prefix.count - 1]) == owners.count)
      var cursor = DenseCursor(map: map, prefix: prefix, entry: entry)
      for (index, owner) in owners.enumerated() where random.chance(30) { #expect(cursor.element(of: index) == owner) }
      #expect(cursor.element(of: owners.count) == nil)
      for element in 0..<count {
        var indices: [Int] = []
        counter.begin(element, of: map)
        for slot in shapes.entries(Int(codes[element])) where slot == entry {
          indices.append(Int(prefix[element >> ShapeMap.blockShift]) + Int(counter.next(slot)))
        }
        counter.end(element, of: map)
        #expect(indices == owners.indices.filter { owners[$0] == element })
      }
    }
  }

  @Test func `the owner of an element is found from any row before it`() {
    var random = SeededRandom(seed: 5)
    var offsets: [UInt32] = [0]
    var owners: [Int] = []
    for row in 0..<300 {
      let count = random.chance(60) ? 0 : random.below(4)
      owners += [Int](repeating: row, count: count)
      offsets.append(UInt32(owners.count))
    }
    let finder = ElementOwners(offsets)
    for (element, owner) in owners.enumerated() {
      for start in [0, owner / 2, owner] { #expect(finder.owner(of: element, from: start) == owner) }
    }
  }

  @Test func `the rows of each trace ascend`() {
    let rows = TraceRows(ordinals: [2, 0, 2, 1, 0, 2], traceCount: 4)
    #expect(Array(rows.rows(of: 0)) == [1, 4])
    #expect(Array(rows.rows(of: 1)) == [3])
    #expect(Array(rows.rows(of: 2)) == [0, 2, 5])
    #expect(rows.rows(of: 3).isEmpty)
  }
}
