import Foundation
import Testing
import TraceEngine
import TraceOTLP
import TracestoreTesting

/// Real traces by others, where they stand beside the checkout: what went in comes back, as a set of triples.
@Suite struct SharedDataTests {
  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("shared/data")

  private static let files: [URL] = {
    let found = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    return (found?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "otlp" }.sorted { $0.path < $1.path }
  }()

  @Test(.enabled(if: !files.isEmpty), arguments: files)
  func `every triple of a real file comes back from a segment, once`(_ file: URL) async throws {
    let store = try await TraceStore.inMemory(options: StoreOptions(sealSpanCount: 1000, stripeSpanCount: 256))
    var reader = OTLPFrameReader(bytes: [UInt8](try Data(contentsOf: file)))
    var expected: Set<ContentKey> = []
    var traces: Set<TraceID> = []
    while let frame = try reader.next() {
      let receipt = try await store.writeEncoded(frame.bytes, encoding: .protobuf)
      #expect(receipt.refused.isEmpty)
      try OTLP.decode(frame.bytes).forEachSpan { resource, scope, span in
        expected.insert(ContentKey(resource, scope, span))
        traces.insert(span.traceID)
      }
    }
    try await store.seal()
    var found: [ContentKey] = []
    for chunk in try await store.getTraces(Array(traces)).collect().elements {
      chunk.data.forEachSpan { found.append(ContentKey($0, $1, $2)) }
    }
    #expect(Set(found) == expected)
    #expect(found.count == expected.count)
    let sealed = try await store.statistics()
    #expect(sealed.spanCount + sealed.partialRecordCount == expected.count)
    try await store.close()
  }
}
