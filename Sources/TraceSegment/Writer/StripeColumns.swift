import TraceBytes
import TraceColumns

/// The rows of a stripe as columns of words, side by side in one allocation.
///
/// Rows stand all over a table: each is read once, whole, when its columns are made.
struct StripeColumns {
  private let words: UnsafeMutablePointer<UInt64>
  private let stride: Int
  let count: Int
  /// What hardly any span has is no column: where a field has bits, it is read from the rows once more.
  struct RareFields {
    var droppedAttributeCount: UInt32 = 0
    var droppedEventCount: UInt32 = 0
    var droppedLinkCount: UInt32 = 0
    var traceState: UInt32 = 0
    var unknownFields: UInt32 = 0
    var statusUnknownFields: UInt32 = 0
  }

  /// The bits of each field in all rows together.
  private(set) var rareFields = RareFields()

  private static let columnCount = 17

  /// Columns that begin a multiple of 4 KiB apart would share a few lines of the cache.
  private static func stride(_ count: Int) -> Int { (count + 511) & ~511 + 56 }

  init(_ count: Int, in memory: WordBuffer) {
    self.count = count
    stride = Self.stride(count)
    words = memory.reserve(Self.columnCount * stride)
  }

  private func column(_ index: Int) -> UnsafeMutableBufferPointer<UInt64> {
    UnsafeMutableBufferPointer(start: words + index * stride, count: count)
  }

  var ordinals: UnsafeMutableBufferPointer<UInt64> { column(0) }
  var starts: UnsafeMutableBufferPointer<UInt64> { column(1) }
  /// End less start, modulo 2^64.
  var durations: UnsafeMutableBufferPointer<UInt64> { column(2) }
  var spanIDs: UnsafeMutableBufferPointer<UInt64> { column(3) }
  var parentIDs: UnsafeMutableBufferPointer<UInt64> { column(4) }
  /// Raw values of `SpanMarks`.
  var marks: UnsafeMutableBufferPointer<UInt64> { column(5) }
  /// Zigzagged.
  var statusCodes: UnsafeMutableBufferPointer<UInt64> { column(6) }
  var flags: UnsafeMutableBufferPointer<UInt64> { column(7) }
  /// The table's codes.
  var statusMessages: UnsafeMutableBufferPointer<UInt64> { column(8) }
  /// The segment's indices.
  var resources: UnsafeMutableBufferPointer<UInt64> { column(9) }
  var scopes: UnsafeMutableBufferPointer<UInt64> { column(10) }
  /// The segment's numbers.
  var shapes: UnsafeMutableBufferPointer<UInt64> { column(11) }
  /// Places in the table.
  var firstValues: UnsafeMutableBufferPointer<UInt64> { column(12) }
  var firstEvents: UnsafeMutableBufferPointer<UInt64> { column(13) }
  var eventCounts: UnsafeMutableBufferPointer<UInt64> { column(14) }
  var firstLinks: UnsafeMutableBufferPointer<UInt64> { column(15) }
  var linkCounts: UnsafeMutableBufferPointer<UInt64> { column(16) }

  /// Reads the rows.
  mutating func fill(_ places: UnsafeMutableBufferPointer<StripeEncoder.Place>, _ context: StripeContext) {
    let table = context.view.rows
    let (ordinals, starts, durations) = (ordinals, starts, durations)
    let (spanIDs, parentIDs, marks) = (spanIDs, parentIDs, marks)
    let (statusCodes, flags, statusMessages) = (statusCodes, flags, statusMessages)
    let (resources, scopes, shapes, firstValues) = (resources, scopes, shapes, firstValues)
    let (firstEvents, eventCounts, firstLinks, linkCounts) = (firstEvents, eventCounts, firstLinks, linkCounts)
    var rare = RareFields()
    context.resources.indices.withUnsafeBufferPointer { resourceIndices in
      context.scopes.indices.withUnsafeBufferPointer { scopeIndices in
        context.keys.numbers[0].withUnsafeBufferPointer { shapeNumbers in
          var index = 0
          while index < count {
            let row = table.pointer(at: Int(places[index].row))
            ordinals[index] = UInt64(places[index].ordinal)
            starts[index] = row.pointee.start
            durations[index] = row.pointee.end &- row.pointee.start
            spanIDs[index] = row.pointee.spanID
            parentIDs[index] = row.pointee.parentSpanID
            marks[index] = UInt64(row.pointee.marks.rawValue)
            statusCodes[index] = zigzag(Int64(row.pointee.statusCode))
            flags[index] = UInt64(row.pointee.flags)
            statusMessages[index] = UInt64(row.pointee.statusMessage)
            resources[index] = UInt64(resourceIndices[Int(row.pointee.resource)])
            scopes[index] = UInt64(scopeIndices[Int(row.pointee.scope)])
            shapes[index] = UInt64(shapeNumbers[Int(row.pointee.shape)])
            firstValues[index] = UInt64(row.pointee.firstValue)
            firstEvents[index] = UInt64(row.pointee.firstEvent)
            eventCounts[index] = UInt64(row.pointee.eventCount)
            firstLinks[index] = UInt64(row.pointee.firstLink)
            linkCounts[index] = UInt64(row.pointee.linkCount)
            rare.droppedAttributeCount |= row.pointee.droppedAttributeCount
            rare.droppedEventCount |= row.pointee.droppedEventCount
            rare.droppedLinkCount |= row.pointee.droppedLinkCount
            rare.traceState |= row.pointee.traceState
            rare.unknownFields |= row.pointee.unknownFields
            rare.statusUnknownFields |= row.pointee.statusUnknownFields
            index &+= 1
          }
        }
      }
    }
    rareFields = rare
  }
}
