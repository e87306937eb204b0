package import TraceBytes
import TraceColumns
package import TraceSource

/// What the stripe index says of a text chunk.
package struct TextSummary: Hashable, Sendable {
  package var chunk: UInt32
  package var valueCount: Int
  package var form: TextForm
  /// String codes, ascending: with form `dictionary` exactly the shared strings that occur; else empty.
  package var shared: [UInt32] = []
  /// Distinct values that are not in `shared`: the local strings of a dictionary, all values of a column. 0 with
  /// form `empty`.
  package var localDistinctCount = 0
  /// Where the filter over the `FilterHash` of those values stands in section `valueFilters`. A byte count of 0: none.
  package var filterOffset: UInt32 = 0
  package var filterByteCount: UInt32 = 0

  package init(chunk: UInt32, valueCount: Int, form: TextForm) {
    self.chunk = chunk
    self.valueCount = valueCount
    self.form = form
  }
}

/// What the stripe index says of an attribute column without text.
///
/// The zone is in the words of `NumberOrder` for `int` and `double`, 0 and 1 for `bool`, and 0 for `absent` and
/// `empty`, which have no chunk.
package struct NumberSummary: Hashable, Sendable {
  package var chunk: UInt32
  package var valueCount: Int
  package var minimum: UInt64
  package var maximum: UInt64
  /// The distinct words, ascending, when they are few (`FewWords`); empty when nothing is said of them.
  package var words: [UInt64] = []

  package init(chunk: UInt32, valueCount: Int, minimum: UInt64, maximum: UInt64) {
    self.chunk = chunk
    self.valueCount = valueCount
    self.minimum = minimum
    self.maximum = maximum
  }

  /// Whether any value may be among those that are asked for; certain when the words are known.
  func mayHold(_ wanted: WordRanges) -> Bool {
    wanted.overlaps(minimum, maximum) && (words.isEmpty || words.contains { wanted.contains($0) })
  }
}

/// What the stripe index says of a stripe: enough to decide without reading it.
///
/// Section `stripeIndex` is the stripe count (varint) and then for each stripe, in file order, a byte count (varint)
/// and a record; readers ignore bytes behind the fields they know. A record is, in varints unless said otherwise:
/// offset, byte count, Hash128 of the stripe's head (16 bytes), row, event, link, trace, run, error count, minimum
/// start, maximum start, maximum end, minimum duration, maximum duration; lists of service codes, name codes, kinds
/// (zigzag), resource indices, scope indices; text count and that many texts {chunk, value count, form (1 byte), list
/// of shared codes, local distinct count, filter offset, filter byte count}; number count and that many numbers
/// {chunk, value count, minimum (8 bytes), maximum (8 bytes)}; the least and the greatest event distance (zigzag, 0
/// without events); for each number how many distinct words are listed, and each but the first less the one before. The
/// last two parts are missing in records of the first writers. A list is empty, one varint 0, or: twice
/// its count, plus 1 when it stands as bits; its first value; then either the differences of the others from the one
/// before, which are at least 1, or the last value less the first and a bit for each number behind the first up to the
/// last, set where it stands in the list, the least significant bit of a byte first. Texts and numbers ascend by chunk.
///
/// Fixed text chunks are listed when they stand in the stripe, attribute columns when they have a value there.
package struct StripeSummary: Sendable {
  package var offset: UInt64 = 0
  package var byteCount: UInt64 = 0
  package var hash = Hash128(first: 0, second: 0)
  package var rowCount = 0
  package var eventCount = 0
  package var linkCount = 0
  package var traceCount = 0
  package var runCount = 0
  package var errorCount = 0
  package var bounds = StripeBounds()
  package var services: [UInt32] = []
  package var names: [UInt32] = []
  /// Ascending by zigzag.
  package var kinds: [Int32] = []
  package var resources: [UInt32] = []
  package var scopes: [UInt32] = []
  package var texts: [TextSummary] = []
  package var numbers: [NumberSummary] = []
  /// Of all events, how long after its span's start the first and the last stand, as chunk `event.time` has it; nil
  /// without events, or when nothing is said of them.
  package var eventDistances: ClosedRange<Int64>?

  package init() {}

  package func text(_ chunk: UInt32) -> TextSummary? { Self.find(chunk, in: texts, \.chunk) }
  package func number(_ chunk: UInt32) -> NumberSummary? { Self.find(chunk, in: numbers, \.chunk) }

  private static func find<Item>(_ chunk: UInt32, in items: [Item], _ id: (Item) -> UInt32) -> Item? {
    var low = 0
    var high = items.count
    while low < high {
      let middle = (low + high) / 2
      if id(items[middle]) < chunk { low = middle + 1 } else { high = middle }
    }
    return low < items.count && id(items[low]) == chunk ? items[low] : nil
  }
}

/// Section `stripeIndex`.
package struct StripeIndex: Sendable {
  package var stripes: [StripeSummary] = []

  package init() {}
}
