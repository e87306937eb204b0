import Testing
import TraceEngine
import TraceFiles
import TraceModel
import TraceSegment
import TracestoreTesting
import TracestoreV2

/// Lists of attribute values over a column of several pages of which one is damaged.
@Suite struct ValueListDamageTests {
  private static let pageRowCount = 1024
  private static let spanCount = 3 * pageRowCount

  /// What one span has under the key; no two have the same.
  enum Kind: String, CaseIterable {
    case int, double, string

    /// Hardly compressible, so that pages are what the column is made of.
    func value(_ row: Int) -> AttributeValue {
      var random = SeededRandom(seed: UInt64(row))
      let bits = random.next()
      return switch self {
      case .int: .int(Int64(bitPattern: bits))
      case .double: .double(1 / Double(bits >> 11 | 1))
      case .string: .string("user \(String(bits, radix: 36))")
      }
    }
  }

  /// One stripe whose rows stand in the order of their numbers, and the bytes of the file.
  private struct Damaged {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let path: String
    let bytes: [UInt8]
    let column: ChunkDescription

    init(_ kind: Kind) async throws {
      let store = try await TraceStore.open(in: files, at: "store", options: StoreOptions())
      let spans = (0..<ValueListDamageTests.spanCount).map { row in
        SpanRecord(
          traceID: TraceID(high: 0, low: UInt64(row / 8) + 1), spanID: SpanID(UInt64(row) + 1), name: "work",
          start: Timestamp(nanoseconds: UInt64(row) + 1), end: Timestamp(nanoseconds: UInt64(row) + 2),
          attributes: [Attribute("k", kind.value(row))])
      }
      let resource = Resource(attributes: [Attribute("service.name", "batch")])
      _ = try await store.writeTraces(
        TraceData(resourceSpans: [ResourceSpans(resource: resource, scopeSpans: [ScopeSpans(spans: spans)])]))
      try await store.seal()
      try await store.close()
      path = joinedPath("store", try #require(try files.contents(ofDirectory: "store").first { $0.hasSuffix(".seg") }))
      let file = try files.open(path, .read)
      bytes = try file.bytes(at: 0, byteCount: Int(file.byteCount()))
      let segment = try Segment.open(file: file, number: 1, path: path, cache: BlockCache(maximumByteCount: 64 << 20))
      let stripes = try segment.spanStripes()
      #expect(stripes.count == 1 && stripes.first?.rowCount == ValueListDamageTests.spanCount)
      column = try #require(
        try stripes.first?.describe().chunks.first { $0.name == "attribute:span:k:\(kind.rawValue)" })
    }

    func open(flipping offset: UInt64) async throws -> TraceStore {
      var damaged = bytes
      damaged[Int(offset)] ^= 0x10
      try files.overwrite(path, with: damaged)
      return try await TraceStore.open(in: files, at: "store", options: StoreOptions(), isReadOnly: true)
    }
  }

  @Test(arguments: Kind.allCases, ["", "batch"])
  func `a damaged page costs the values that stand in it, and is named`(_ kind: Kind, _ service: String) async throws {
    let damaged = try await Damaged(kind)
    let rows = Dictionary(uniqueKeysWithValues: (0..<Self.spanCount).map { (kind.value($0), $0) })
    var lostPages: Set<Int> = []
    for share in 1...5 as ClosedRange<UInt64> {
      let offset = damaged.column.offset + UInt64(damaged.column.byteCount) * share / 6
      let store = try await damaged.open(flipping: offset)
      let query = AttributeValueQuery(key: "k", serviceName: service, limit: 100_000)
      let (found, summary) = try await store.getAttributeValues(query).collect()
      try await store.close()
      let place = "\(kind) of \"\(service)\", byte \(offset)"
      #expect(found.allSatisfy { $0.count == 1 && rows[$0.value] != nil }, "\(place): values that nobody wrote")
      #expect(Set(found.map(\.value)).count == found.count, "\(place): a value is listed twice")
      let lost = Set(0..<Self.spanCount).subtracting(found.compactMap { rows[$0.value] })
      #expect((1...Self.pageRowCount).contains(lost.count), "\(place): \(lost.count) values are lost")
      let pages = Set(lost.map { $0 / Self.pageRowCount })
      #expect(pages.count == 1, "\(place): of pages \(pages)")
      lostPages.formUnion(pages)
      #expect(
        summary.damage.contains { $0.contains(damaged.path) && $0.contains(damaged.column.name) },
        "\(place): \(summary.damage)")
    }
    #expect(lostPages.count == 3, "the flips hit pages \(lostPages) alone")
  }
}
