import TraceBytes
import TraceColumns
import TraceSource

extension StripeEncoder {
  /// The stripe's shapes, and a column for each (level, key, type) that occurs.
  func encodeAttributes() {
    let keys = context.keys
    let table = context.view.values
    // How many spans, events and links have each shape; a shape of several slots belongs to one level.
    var counts = [UInt32](repeating: 0, count: keys.shapeCount)
    let (shapes, firstValues) = (rows.shapes, rows.firstValues)
    let (eventNumbers, linkNumbers) = (keys.numbers[1], keys.numbers[2])
    for row in 0..<rows.count { counts[Int(truncatingIfNeeded: shapes[row])] += 1 }
    for event in eventRows { counts[Int(eventNumbers[Int(event.shape)])] += 1 }
    for link in linkRows { counts[Int(linkNumbers[Int(link.shape)])] += 1 }
    let places = encodeShapes(counts)
    encodeColumn(ChunkID.shape, count: rows.count) { UInt64(places[Int(truncatingIfNeeded: shapes[$0])]) }
    encodeColumn(ChunkID.eventShape, count: eventRows.count) {
      UInt64(places[Int(eventNumbers[Int(eventRows[$0].shape)])])
    }
    encodeColumn(ChunkID.linkShape, count: linkRows.count) {
      UInt64(places[Int(linkNumbers[Int(linkRows[$0].shape)])])
    }
    var valueCounts = [Int](repeating: 0, count: keys.entries.count)
    for number in counts.indices where counts[number] > 0 {
      for slot in keys.slots(ofShape: UInt32(number)) { valueCounts[Int(slot)] += Int(counts[number]) }
    }
    var firsts = [Int](repeating: 0, count: valueCounts.count)
    var total = 0
    for index in valueCounts.indices {
      firsts[index] = total
      total += valueCounts[index]
    }
    if total == 0 { return }
    let values = attributes.reserve(total)
    firsts.withUnsafeMutableBufferPointer { cursors in
      keys.slots.withUnsafeBufferPointer { slots in
        keys.firstSlots.withUnsafeBufferPointer { firstSlots in
          @inline(__always)
          func gather(_ number: Int, _ firstValue: Int) {
            var source = firstValue
            var slot = firstSlots[number]
            let end = firstSlots[number &+ 1]
            while slot < end {
              let index = Int(slots[slot])
              let cursor = cursors[index]
              values[cursor] = table[source]
              cursors[index] = cursor &+ 1
              slot &+= 1
              source &+= 1
            }
          }
          for row in 0..<rows.count {
            gather(Int(truncatingIfNeeded: shapes[row]), Int(truncatingIfNeeded: firstValues[row]))
          }
          for event in eventRows { gather(Int(eventNumbers[Int(event.shape)]), Int(event.firstValue)) }
          for link in linkRows { gather(Int(linkNumbers[Int(link.shape)]), Int(link.firstValue)) }
        }
      }
    }
    for index in valueCounts.indices where valueCounts[index] > 0 {
      // Cursors have moved to the end of their columns.
      encodeAttribute(
        index,
        UnsafeMutableBufferPointer(start: values + (firsts[index] - valueCounts[index]), count: valueCounts[index]))
    }
  }

  /// The shapes that occur, in the order of their numbers; gives back the place of each.
  private func encodeShapes(_ counts: [UInt32]) -> [UInt32] {
    let keys = context.keys
    var places = [UInt32](repeating: 0, count: counts.count)
    var shapes: [[UInt32]] = []
    for number in counts.indices where counts[number] > 0 {
      places[number] = UInt32(shapes.count)
      shapes.append(Array(keys.slots(ofShape: UInt32(number))))
    }
    result.head.shapeCount = shapes.count
    let start = writer.count
    ShapeList.encode(shapes, compressor: compressor, into: &writer)
    result.chunks.append(EncodedStripe.Chunk(id: ChunkID.shapes, range: start..<writer.count))
    return places
  }

  private func encodeAttribute(_ index: Int, _ values: UnsafeMutableBufferPointer<UInt64>) {
    let id = SegmentFormat.firstAttributeChunk + UInt32(index)
    let type = context.keys.entries[index].type
    if type.isText {
      let isSearchable = type == .string || type == .bytes
      encodeText(id, values, isSearchable: isSearchable, isAttribute: true)
      return
    }
    var minimum = UInt64.max
    var maximum: UInt64 = 0
    var bits: UInt64 = 0
    for place in values.indices {
      var word = values[place]
      switch type {
      case .bool: word = word != 0 ? 1 : 0
      case .int: word = NumberOrder.int(word)
      case .double: break
      default: word = 0
      }
      values[place] = word
      bits |= word
      let ordered = type == .double ? NumberOrder.double(word) : word
      minimum = min(minimum, ordered)
      maximum = max(maximum, ordered)
    }
    var summary = NumberSummary(chunk: id, valueCount: values.count, minimum: minimum, maximum: maximum)
    summary.words = FewWords.distinct(in: UnsafeBufferPointer(values))
      .map { type == .double ? NumberOrder.double($0) : $0 }
      .sorted()
    result.summary.numbers.append(summary)
    if bits == 0 { return }
    guard type == .double else {
      encodeWords(id, UnsafeBufferPointer(values))
      return
    }
    let start = writer.count
    doubles.encode(UnsafeBufferPointer(values), into: &writer, scratch: scratch)
    result.chunks.append(EncodedStripe.Chunk(id: id, range: start..<writer.count))
  }
}
