import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

/// What the stripe index says of one text chunk in all stripes of a segment.
struct TextColumnIndex: Sendable {
  struct FilterPlace: Sendable {
    var stripe: UInt32
    /// In section `valueFilters`.
    var offset: UInt32
    var byteCount: UInt32
  }

  let chunk: UInt32
  /// Whether a stripe has texts that others have as well.
  private(set) var hasShared = false
  /// Whether a stripe has values that are all empty.
  private(set) var hasEmpty = false
  /// Where the filters over texts that only their stripe has stand, by stripe.
  private(set) var filters: [FilterPlace] = []
  /// The stripes with such texts and without a filter.
  private(set) var unfilteredStripes: [UInt32] = []

  var residentByteCount: Int { filters.count * 12 + unfilteredStripes.count * 4 + 64 }

  private init(chunk: UInt32) { self.chunk = chunk }

  private mutating func add(_ text: TextSummary, of stripe: Int) {
    if text.form == .empty { hasEmpty = hasEmpty || text.valueCount > 0 }
    if !text.shared.isEmpty { hasShared = true }
    guard text.localDistinctCount > 0 else { return }
    let stripe = UInt32(truncatingIfNeeded: stripe)
    if text.filterByteCount > 0 {
      filters.append(FilterPlace(stripe: stripe, offset: text.filterOffset, byteCount: text.filterByteCount))
    } else {
      unfilteredStripes.append(stripe)
    }
  }

  /// Of all text chunks, ascending.
  static func columns(of stripes: [StripeSummary]) -> [TextColumnIndex] {
    var places: [UInt32: Int] = [:]
    var columns: [TextColumnIndex] = []
    for (index, stripe) in stripes.enumerated() {
      for text in stripe.texts {
        let place = places[text.chunk] ?? columns.count
        if place == columns.count {
          places[text.chunk] = place
          columns.append(TextColumnIndex(chunk: text.chunk))
        }
        columns[place].add(text, of: index)
      }
    }
    return columns.sorted { $0.chunk < $1.chunk }
  }
}

/// The value filters of one text chunk in all stripes of a segment, which a question about it asks in one go.
final class ValueFilters: CachedBlock {
  /// Small beside the columns whose reading they spare: what those drive out is mostly filters.
  static let passCount = 8

  private let filters: FuseFilterList
  /// The stripe of each filter.
  private let stripes: [UInt32]
  /// By stripe, filters that are not what was written.
  private let damaged: [UInt32: TracestoreError]

  var residentByteCount: Int { filters.byteCount + stripes.count * 4 + 128 }

  /// - Parameter bytes: gives the bytes of a filter.
  init(
    _ places: [TextColumnIndex.FilterPlace], place: ChunkPlace,
    bytes: (TextColumnIndex.FilterPlace) -> UnsafeRawBufferPointer
  ) {
    var filters: [FuseFilter] = []
    var stripes: [UInt32] = []
    var damaged: [UInt32: TracestoreError] = [:]
    for filter in places {
      do {
        filters.append(try Self.filter(bytes(filter)))
        stripes.append(filter.stripe)
      } catch {
        damaged[filter.stripe] = place.named(error)
      }
    }
    self.filters = FuseFilterList(filters)
    self.stripes = stripes
    self.damaged = damaged
  }

  private static func filter(_ bytes: UnsafeRawBufferPointer) throws(BytesError) -> FuseFilter {
    var reader = ByteReader(bytes)
    let filter = try FuseFilter(&reader)
    guard reader.isAtEnd else { throw BytesError(offset: reader.offset, reason: "bytes follow the filter") }
    return filter
  }

  /// The stripes that may hold a text with one of these hashes, as far as there are filters.
  func stripes(thatMayHold hashes: [UInt64], of column: TextColumnIndex) -> StripeSet {
    var set = StripeSet(damaged: damaged)
    filters.forEachFilter(thatMayHold: hashes) { set.insert(stripes[$0]) }
    for stripe in column.unfilteredStripes { set.insert(stripe) }
    return set
  }
}

/// Stripes of a segment: mostly none, and otherwise few.
struct StripeSet {
  private var indices: [UInt32] = []
  /// Stripes of which nothing is known.
  private let damaged: [UInt32: TracestoreError]

  init(damaged: [UInt32: TracestoreError] = [:]) { self.damaged = damaged }

  var isEmpty: Bool { indices.isEmpty && damaged.isEmpty }

  mutating func insert(_ stripe: UInt32) { indices.append(stripe) }

  /// - Throws: what is wrong with what decides of a stripe.
  func contains(_ stripe: Int) throws -> Bool {
    let stripe = UInt32(truncatingIfNeeded: stripe)
    if !damaged.isEmpty, let error = damaged[stripe] { throw error }
    return indices.contains(stripe)
  }
}

extension SegmentCore {
  /// The value filters of a text chunk; nil where no stripe has one. Each has a checksum of its own.
  func valueFilters(_ column: TextColumnIndex) throws -> ValueFilters? {
    guard let first = column.filters.first, let entry = footer.section(.valueFilters)
    else { return nil }
    return try cache.block(BlockCache.Key(fileNumber: number, offset: entry.offset + UInt64(first.offset))) {
      func read(_ offset: UInt32, _ byteCount: Int) throws -> SegmentBuffer {
        try SegmentBuffer(reading: file, path: path, at: entry.offset + UInt64(offset), byteCount: byteCount)
      }
      let place = place(.valueFilters)
      let byteCount = column.filters.reduce(0) { $0 + Int($1.byteCount) }
      guard UInt64(byteCount) <= entry.byteCount else { throw place.damage("filters of one column overlap") }
      // Filters of one column stand side by side, unless one of the first writers left them stripe by stripe.
      var end = UInt64(first.offset)
      let areNeighbours = column.filters.allSatisfy { filter in
        defer { end += UInt64(filter.byteCount) }
        return filter.offset == end
      }
      if areNeighbours {
        let whole = try read(first.offset, byteCount)
        return withExtendedLifetime(whole) {
          ValueFilters(column.filters, place: place) { filter in
            let offset = Int(filter.offset - first.offset)
            return UnsafeRawBufferPointer(rebasing: whole.bytes[offset..<(offset + Int(filter.byteCount))])
          }
        }
      }
      let parts = try column.filters.map { try read($0.offset, Int($0.byteCount)) }
      var index = 0
      return withExtendedLifetime(parts) {
        ValueFilters(column.filters, place: place) { _ in
          defer { index += 1 }
          return parts[index].bytes
        }
      }
    }
  }
}
