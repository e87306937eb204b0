import Foundation
import TraceBytes
import TraceColumns
import TraceFiles
import TraceModel
import TraceOTLP
import TraceSegment

/// The segments in `Fixtures/format/v1`: what they hold, and how they are made again.
///
/// Setting `TRACESTORE_WRITE_FIXTURES` to 1 makes the tests write the files instead of comparing them. After the first
/// tagged release files are only added.
enum GoldenSegments {
  struct Triple {
    var resource: Resource
    var scope: InstrumentationScope
    var span: SpanRecord
  }

  static let names = ["minute", "shop", "corners"]
  /// What no writer makes any more: `shop` as it was before the stripe index listed values, and before the filters of a
  /// column stood side by side and there was one over texts.
  static let kept = ["unlisted", "scattered"]
  static let folder = FormatDocument.root.appendingPathComponent("Fixtures/format/v1")
  static let isWriting = ProcessInfo.processInfo.environment["TRACESTORE_WRITE_FIXTURES"] == "1"

  static func build(_ name: String) throws -> [UInt8] {
    switch name {
    case "minute": try segment(minute, options: SegmentOptions())
    case "shop":
      // Several stripes, a trace that is cut, shared and local strings, partial records.
      try segment(
        try requests("shop-morning.otlp") + wide, options: SegmentOptions(stripeRowCount: 48),
        isPartial: { $0 % 20 == 7 })
    default:
      try segment(
        try ["edge-values", "edge-shapes", "edge-equal-ids", "edge-unknown-fields", "edge-wire-order"]
          .flatMap { try requests("\($0).otlp") }, options: SegmentOptions())
    }
  }

  static func committed(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appendingPathComponent("\(name).seg")))
  }

  static func segment(
    _ triples: [Triple], options: SegmentOptions, isPartial: (Int) -> Bool = { _ in false }
  ) throws -> [UInt8] {
    let builder = SpanTableBuilder()
    var rows: [UInt32] = []
    var partialRows: [UInt32] = []
    for (index, triple) in triples.enumerated() {
      builder.append(resource: triple.resource, scope: triple.scope, span: triple.span, isPartial: isPartial(index))
      if isPartial(index) { partialRows.append(UInt32(index)) } else { rows.append(UInt32(index)) }
    }
    let files = SimulatedFileSystem()
    let file = try files.open("segment", .create)
    _ = try SegmentWriter.write(
      builder.table.view(rowCount: builder.table.rowCount), rows: rows, partialRows: partialRows, options: options,
      to: file)
    return try files.contents(ofFile: "segment", maximumByteCount: 1 << 30)
  }

  /// The spans of a fixture of framed requests.
  static func requests(_ name: String) throws -> [Triple] {
    let path = FormatDocument.root.appendingPathComponent("Fixtures/otlp/\(name)")
    let bytes = [UInt8](try Data(contentsOf: path))
    var triples: [Triple] = []
    var place = 0
    while place + 4 <= bytes.count {
      let byteCount = bytes[place..<(place + 4)].reduce(0) { $0 << 8 | Int($1) }
      let request = Array(bytes[(place + 4)..<(place + 4 + byteCount)])
      try OTLP.decode(request).forEachSpan { triples.append(Triple(resource: $0, scope: $1, span: $2)) }
      place += 4 + byteCount
    }
    return triples
  }

  /// The two spans of the first program in README.md.
  static var minute: [Triple] {
    let trace = TraceID(high: 0x1234, low: 0x5678)
    let noon = 1_767_268_800_000_000_000 as UInt64
    func triple(_ service: String, _ span: SpanRecord) -> Triple {
      Triple(
        resource: Resource(attributes: [Attribute("service.name", .string(service))]), scope: InstrumentationScope(),
        span: span)
    }
    return [
      triple(
        "storefront",
        SpanRecord(
          traceID: trace, spanID: SpanID(1), name: "POST /checkout", kind: .server,
          start: Timestamp(nanoseconds: noon), end: Timestamp(nanoseconds: noon + 84_000_000),
          attributes: [Attribute("http.response.status_code", 200)])),
      triple(
        "cart",
        SpanRecord(
          traceID: trace, spanID: SpanID(2), parentSpanID: SpanID(1), name: "load cart", kind: .server,
          start: Timestamp(nanoseconds: noon + 2_000_000), end: Timestamp(nanoseconds: noon + 9_000_000),
          attributes: [Attribute("cart.items", 3), Attribute("cart.cached", false)])),
    ]
  }

  /// One trace of 130 spans, which is more than a stripe of 48 rows. Its attributes
  /// reach several encodings of numbers and texts.
  static var wide: [Triple] {
    let trace = TraceID(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10)
    let resource = Resource(attributes: [Attribute("service.name", "loader"), Attribute("host.name", "worker-7")])
    let scope = InstrumentationScope(name: "batch", version: "2.1")
    return (0..<130).map { index in
      var span = SpanRecord(
        traceID: trace, spanID: SpanID(0x1000 + UInt64(index) &* 0x9e37_79b9_7f4a_7c15), name: "row \(index % 3)",
        kind: .internal)
      span.parentSpanID = index == 0 ? nil : SpanID(0x1000 + UInt64((index - 1) / 4) &* 0x9e37_79b9_7f4a_7c15)
      span.start = Timestamp(nanoseconds: 1_767_268_800_000_000_000 + UInt64(index) * 250_000)
      span.end = Timestamp(nanoseconds: span.start.nanoseconds + UInt64(index * index) * 1000)
      span.attributes = [
        Attribute("row.key", .string("order-\(100_000 + index * 7)/item-\(index % 9)")),
        Attribute("row.price", .double(Double(index * 5) / 100)), Attribute("row.last", .bool(index == 129)),
        Attribute("row.text", .string(String(repeating: "lorem ipsum ", count: index % 5))),
      ]
      if index % 11 == 0 { span.status = SpanStatus(code: .error, message: "timeout after \(index) ms") }
      return Triple(resource: resource, scope: scope, span: span)
    }
  }
}
