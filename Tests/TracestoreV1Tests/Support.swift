import Foundation
import TraceModel
import TracestoreTesting
import TracestoreV1

let traceID = TraceID(high: 0, low: 0xab)
let otherTraceID = TraceID(high: 7, low: 0xcd)

func span(_ change: (inout SpanRecord) -> Void = { _ in }) -> SpanRecord {
  var span = SpanRecord(
    traceID: traceID, spanID: SpanID(1), name: "work", start: Timestamp(nanoseconds: 5_000_000),
    end: Timestamp(nanoseconds: 7_000_000))
  change(&span)
  return span
}

/// The v1 form of a span without scope and resource.
func v1(
  scope: InstrumentationScope = InstrumentationScope(), resource: Resource = Resource(),
  _ change: (inout SpanRecord) -> Void = { _ in }
) -> V1Span {
  V1Span(span(change), scope: scope, resource: resource)
}

func v1Span(
  tags: [V1Tag] = [], references: [V1Reference] = [], _ change: (inout V1Span) -> Void = { _ in }
) -> V1Span {
  var span = V1Span(
    traceID: traceID, spanID: SpanID(1), operationName: "work", references: references,
    startTime: Timestamp(nanoseconds: 5_000_000), durationNanoseconds: 2_000_000, tags: tags)
  change(&span)
  return span
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

func errorOf(_ body: () throws -> Void) -> TracestoreError? {
  do {
    try body()
    return nil
  } catch {
    return error as? TracestoreError
  }
}

func awaitedError(_ body: () async throws -> Void) async -> TracestoreError? {
  do {
    try await body()
    return nil
  } catch {
    return error as? TracestoreError
  }
}

enum Fixture {
  static let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures")

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
  }

  static let jaeger = ["answer.json", "trace.json", "list.json", "loose.json"].map { "jaeger/\($0)" }
  static let zipkin = ["spans.json", "exported.json", "traces.json"].map { "zipkin/\($0)" }
}
