import TraceModel
import TracestoreTesting

/// FNV-1a over everything a span says, in a rendering that must never change.
struct TrafficDigest {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }

  mutating func add(_ word: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) { add(UInt8(truncatingIfNeeded: word >> shift)) }
  }

  mutating func add(_ text: String) {
    add(UInt64(text.utf8.count))
    for byte in text.utf8 { add(byte) }
  }

  mutating func add(_ attributes: [Attribute]) {
    add(UInt64(attributes.count))
    for attribute in attributes {
      add(attribute.key)
      switch attribute.value {
      case .string(let text): add(text)
      case .bool(let bool): add(UInt8(bool ? 1 : 0))
      case .int(let number): add(UInt64(bitPattern: number))
      case .double(let number): add(number.bitPattern)
      default: add(0xFF as UInt8)
      }
    }
  }

  mutating func add(_ resource: Resource, _ scope: InstrumentationScope, _ span: SpanRecord) {
    add(resource.attributes)
    add(resource.schemaURL)
    add(scope.name)
    add(scope.version)
    add(span.traceID.high)
    add(span.traceID.low)
    add(span.spanID.rawValue)
    add(span.parentSpanID?.rawValue ?? 0)
    add(span.traceState)
    add(span.name)
    add(UInt64(bitPattern: Int64(span.kind.rawValue)))
    add(span.start.nanoseconds)
    add(span.end.nanoseconds)
    add(span.attributes)
    for event in span.events {
      add(event.time.nanoseconds)
      add(event.name)
      add(event.attributes)
    }
    for link in span.links {
      add(link.traceID?.low ?? 0)
      add(link.spanID?.rawValue ?? 0)
      add(link.attributes)
    }
    add(UInt64(bitPattern: Int64(span.status?.code.rawValue ?? -1)))
    add(span.status?.message ?? "")
    add(UInt64(span.flags))
  }

  static func of(_ generator: TrafficGenerator) -> UInt64 {
    var digest = TrafficDigest()
    for request in generator { request.forEachSpan { digest.add($0, $1, $2) } }
    return digest.value
  }
}

/// Counts over a whole run of the generator.
struct TrafficStatistics {
  var spanCount = 0
  var attributeCount = 0
  var eventCount = 0
  var linkCount = 0
  var errorCount = 0
  var rootCount = 0
  var services: Set<String> = []
  var keyCounts: [String: Int] = [:]
  var kindCounts: [SpanKind: Int] = [:]
  var traceSpanCounts: [TraceID: Int] = [:]
  var firstStart = Timestamp.maximum
  var lastEnd = Timestamp.zero

  init(_ generator: TrafficGenerator) {
    for request in generator {
      request.forEachSpan { resource, _, span in
        spanCount += 1
        attributeCount += span.attributes.count
        eventCount += span.events.count
        linkCount += span.links.count
        errorCount += span.isError ? 1 : 0
        rootCount += span.parentSpanID == nil ? 1 : 0
        services.insert(resource.serviceName)
        for attribute in span.attributes { keyCounts[attribute.key, default: 0] += 1 }
        kindCounts[span.kind, default: 0] += 1
        traceSpanCounts[span.traceID, default: 0] += 1
        firstStart = min(firstStart, span.start)
        lastEnd = max(lastEnd, span.end)
      }
    }
  }

  func perSpan(_ count: Int) -> Double { Double(count) / Double(spanCount) }
  func presence(_ key: String) -> Double { perSpan(keyCounts[key, default: 0]) }
  func share(_ kind: SpanKind) -> Double { perSpan(kindCounts[kind, default: 0]) }
}
