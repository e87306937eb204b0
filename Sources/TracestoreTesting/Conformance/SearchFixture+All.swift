import TraceModel
import TracestoreV2

extension SearchFixture {
  /// One entry for each search of Jaeger's battery, in its order.
  static let all: [SearchFixture] = levels + durations + combinations + identities

  private static let samples = Fixture.samples
  private static let filler = Fixture.event([Attribute("blob", .bytes([0, 1, 2, 255]))], name: "")

  private static func resource(_ number: UInt64, _ attributes: [Attribute] = []) -> Resource {
    Fixture.resource("query\(number)-service", attributes)
  }

  private static func span(
    _ number: UInt64, _ index: UInt64 = 0, durationNanoseconds: UInt64 = 1_000, attributes: [Attribute] = [],
    events: [SpanEvent] = [], links: [SpanLink] = [], parent: UInt64? = nil
  ) -> SpanRecord {
    Fixture.span(
      number << 16 | 1, index + 1, name: "query\(number)-operation", parent: parent,
      durationNanoseconds: durationNanoseconds, attributes: attributes, events: events, links: links)
  }

  private static func fixture(
    _ number: UInt64, _ name: String, _ attributes: [Attribute] = [], operation: Bool = false,
    durations: (UInt64?, UInt64?) = (nil, nil), on resource: Resource? = nil, spans: SpanRecord...
  ) -> SearchFixture {
    var query = Fixture.query(
      "query\(number)-service", operation: operation ? "query\(number)-operation" : "", attributes)
    (query.durationMinimumNanoseconds, query.durationMaximumNanoseconds) = durations
    return SearchFixture(number, name, query, [Fixture.batch(resource ?? Self.resource(number), spans)])
  }

  private static let levels: [SearchFixture] = [
    fixture(
      1, "attributes on the span", samples,
      spans: span(1, durationNanoseconds: 7_000, attributes: samples + [Attribute("blob", .bytes([0, 255]))])),
    fixture(
      2, "attributes on one event", samples,
      spans: span(2, events: [Fixture.event(samples), SpanEvent(time: Fixture.noon)])),
    fixture(3, "attributes on the resource", samples, on: resource(3, samples), spans: span(3)),
    fixture(
      4, "attributes spread over resource, span and event", samples, on: resource(4, [samples[0]]),
      spans: span(4, attributes: [samples[2], samples[3]], events: [Fixture.event([samples[1]])])),
    {
      var late = span(5, 0)
      var early = span(5, 1)
      late.start = Fixture.time(-Int64(16 * Fixture.hour))
      late.end = Fixture.time(-Int64(16 * Fixture.hour) + 10)
      early.start = Fixture.time(-Int64(17 * Fixture.hour))
      early.end = Fixture.time(-Int64(17 * Fixture.hour) + 10)
      var query = Fixture.query("query5-service")
      query.startMinimum = Fixture.time(-Int64(16 * Fixture.hour) - Int64(Fixture.minute))
      query.startMaximum = Fixture.time(-Int64(16 * Fixture.hour) + Int64(Fixture.minute))
      return SearchFixture(
        5, "a span outside the window comes with its trace", query, [Fixture.batch(resource(5), [late, early])])
    }(),
  ]

  private static let durations: [SearchFixture] = [
    fixture(6, "operation", operation: true, spans: span(6, durationNanoseconds: 5_000)),
    fixture(
      7, "operation and longest duration", operation: true, durations: (nil, 2_000),
      spans: span(7, durationNanoseconds: 2_000),
      span(7, 1, durationNanoseconds: 1_000, parent: 1)),
    fixture(
      8, "operation and range of durations", operation: true, durations: (4_500, 5_500),
      spans: span(8, durationNanoseconds: 5_000)),
    fixture(9, "range of durations", durations: (4_500, 5_500), spans: span(9, durationNanoseconds: 5_000)),
    fixture(10, "longest duration, exactly", durations: (nil, 1_000), spans: span(10, durationNanoseconds: 1_000)),
    fixture(11, "service and time only", spans: span(11, durationNanoseconds: 100_000)),
  ]

  private static let combinations: [SearchFixture] = [
    fixture(
      12, "attributes and operation, links to one target kept", samples, operation: true,
      spans: span(
        12, attributes: samples,
        links: [
          SpanLink(
            traceID: Fixture.id(0xff), spanID: SpanID(0xff), attributes: [Attribute("opentracing.ref_type", "child_of")]
          ),
          SpanLink(
            traceID: Fixture.id(1), spanID: SpanID(2), attributes: [Attribute("opentracing.ref_type", "child_of")]),
          SpanLink(
            traceID: Fixture.id(1), spanID: SpanID(2), attributes: [Attribute("opentracing.ref_type", "follows_from")]),
        ])),
    fixture(
      13, "attributes, operation and longest duration, among other values", samples, operation: true,
      durations: (nil, 2_000),
      on: resource(13, samples),
      spans: span(
        13, attributes: [Attribute("sameplacetag1", "other"), Attribute("sameplacetag3", 1)],
        events: [Fixture.event([Attribute("sameplacetag1", "another"), Attribute("something", "blah")])])),
    fixture(
      14, "attributes on an event, operation and range of durations", samples, operation: true,
      durations: (4_500, 5_500),
      spans: span(14, durationNanoseconds: 5_000, events: [filler, Fixture.event(samples)])),
    fixture(
      15, "attributes and range of durations", samples, durations: (4_500, 5_500),
      spans: span(15, durationNanoseconds: 5_000, attributes: samples)),
    fixture(
      16, "attributes on the resource and longest duration", samples, durations: (nil, 1_000),
      on: resource(16, samples),
      spans: span(16)),
    fixture(
      17, "attributes spread over two events and more, operation", samples, operation: true,
      on: resource(17, [samples[0]]),
      spans: span(17, attributes: [samples[2]], events: [Fixture.event([samples[1]]), Fixture.event([samples[3]])])),
    fixture(
      18, "attributes spread over two events and more, operation, longest duration", samples, operation: true,
      durations: (nil, 2_000), on: resource(18, [samples[2]]),
      spans: span(18, attributes: [samples[0]], events: [Fixture.event([samples[1]]), Fixture.event([samples[3]])])),
    fixture(
      19, "attributes spread, operation, range of durations", samples, operation: true, durations: (4_500, 5_500),
      on: resource(19, [samples[3], samples[2]]),
      spans: span(
        19, durationNanoseconds: 5_000, attributes: [samples[0]], events: [Fixture.event([samples[1]]), filler])),
    fixture(
      20, "attributes spread, range of durations", samples, durations: (4_500, 5_500), on: resource(20, [samples[2]]),
      spans: span(
        20, durationNanoseconds: 5_000, attributes: [samples[1], samples[3]], events: [Fixture.event([samples[0]])])),
    fixture(
      21, "attributes spread, longest duration", samples, durations: (nil, 1_000),
      on: resource(21, [samples[3], samples[2]]),
      spans: span(21, attributes: [samples[0]], events: [Fixture.event([samples[1]])])),
  ]

  private static let identities: [SearchFixture] = [
    {
      let traces = (1...3).map { index in
        Fixture.batch("query22-service", Fixture.span(22 << 16 | UInt64(index), 3, name: "query22-operation"))
      }
      return SearchFixture(22, "three traces with one span id", Fixture.query("query22-service"), traces)
    }(),
    SearchFixture(
      23, "attributes beside a named scope", Fixture.query("query23-service", samples),
      [
        Fixture.batch(
          resource(23), [span(23, attributes: samples)],
          scope: InstrumentationScope(name: "testing-library", version: "1.1.1"))
      ]),
    {
      let attributes = samples.enumerated().map { Attribute("sameplacescopeattribute\($0.offset)", $0.element.value) }
      let scope = InstrumentationScope(attributes: attributes + [Attribute("blob", .bytes([1, 2, 3]))])
      return SearchFixture(
        24, "attributes on the scope", Fixture.query("query24-service", attributes),
        [Fixture.batch(resource(24), [span(24)], scope: scope)])
    }(),
    {
      let attributes = samples.enumerated().map { Attribute("sameplacelinkattribute\($0.offset)", $0.element.value) }
      let links = [
        SpanLink(
          traceID: Fixture.id(0xff), spanID: SpanID(0xff), attributes: attributes + [Attribute("linkblob", .bytes([9]))]
        ),
        SpanLink(traceID: Fixture.id(1), spanID: SpanID(2)), SpanLink(traceID: Fixture.id(1), spanID: SpanID(2)),
      ]
      return SearchFixture(
        25, "attributes on a link", Fixture.query("query25-service", attributes),
        [Fixture.batch(resource(25), [span(25, links: links)])])
    }(),
    fixture(
      26, "a text with a backslash and a star is taken literally",
      [Attribute("pattern", "same\\*")], on: resource(26, [Attribute("pattern", "same\\*")]), spans: span(26)),
  ]
}
