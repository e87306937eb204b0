package import TraceModel

/// A condition on one span that a source can decide on its own encoding.
package enum SpanLeaf: Sendable {
  /// A text of the span, its resource or its scope; one that is not there is empty.
  case text(SpanText, TextTest)
  /// The kind is one of these raw values.
  case kind(Set<Int32>)
  /// The status code is one of these raw values; a span without a status has code 0.
  case statusCode(Set<Int32>)
  /// Start in nanoseconds, both ends included.
  case start(ClosedRange<UInt64>)
  /// End in nanoseconds, both ends included.
  case end(ClosedRange<UInt64>)
  /// `max(0, end − start)` in nanoseconds, both ends included.
  case duration(ClosedRange<UInt64>)
  case traceID(TraceID)
  case spanID(UInt64)
  /// The parent's id; nil for spans that have none, or one of zeros.
  case parent(UInt64?)
  /// Any attribute with this key at this level whose value passes; of events and links, any of any of them.
  case attribute(level: ColumnLevel, key: [UInt8], ValueTest)
  /// One event, or one link, that passes as a whole.
  case some(ChildLevel, ElementPredicate)
  /// What only a record can decide.
  case record(RecordTest)
}

extension SpanLeaf {
  /// The text of the resource's `service.name` equals these bytes.
  package static func service(_ bytes: [UInt8]) -> SpanLeaf { .text(.service, .equal(bytes)) }
  package static func name(_ bytes: [UInt8]) -> SpanLeaf { .text(.name, .equal(bytes)) }
  package static func kind(_ kind: Int32) -> SpanLeaf { .kind([kind]) }
  package static func statusCode(_ code: Int32) -> SpanLeaf { .statusCode([code]) }
  package static func statusMessage(_ bytes: [UInt8]) -> SpanLeaf { .text(.statusMessage, .equal(bytes)) }
  package static func traceState(_ bytes: [UInt8]) -> SpanLeaf { .text(.traceState, .equal(bytes)) }
  package static func scopeName(_ bytes: [UInt8]) -> SpanLeaf { .text(.scopeName, .equal(bytes)) }
  package static func scopeVersion(_ bytes: [UInt8]) -> SpanLeaf { .text(.scopeVersion, .equal(bytes)) }
  package static func eventName(_ bytes: [UInt8]) -> SpanLeaf { .some(.event, .leaf(.name(.equal(bytes)))) }
}

/// The texts of a span, of its resource and of its scope.
package enum SpanText: String, CaseIterable, Sendable {
  case service
  case name
  case statusMessage
  case traceState
  case resourceSchemaURL
  case scopeName
  case scopeVersion
  case scopeSchemaURL

  /// Where the text stands.
  package var level: ColumnLevel {
    switch self {
    case .name, .statusMessage, .traceState: .span
    case .service, .resourceSchemaURL: .resource
    case .scopeName, .scopeVersion, .scopeSchemaURL: .scope
    }
  }
}

/// What a span has a list of.
package enum ChildLevel: Sendable {
  case event
  case link

  package var columnLevel: ColumnLevel { self == .event ? .event : .link }
}

/// A condition on one event or link.
package enum ElementLeaf: Sendable {
  /// The name of an event.
  case name(TextTest)
  /// The time of an event in nanoseconds, both ends included.
  case time(ClosedRange<UInt64>)
  /// How long after the span's start an event stands, in nanoseconds, both ends included; negative before it. Instants
  /// are further apart than an `Int64` says.
  case timeSinceStart(ClosedRange<Int128>)
  /// What a link points to; nil for any id, as long as the link has one that is not zeros.
  case linkedTrace(TraceID?)
  case linkedSpan(UInt64?)
  case traceState(TextTest)
  /// Any attribute of the element with this key whose value passes.
  case attribute(key: [UInt8], ValueTest)
}

/// A condition on one event or link: leaves under boolean operators, among them conditions on its span.
package indirect enum ElementPredicate: Sendable {
  case leaf(ElementLeaf)
  /// Decided by the span that the element belongs to.
  case span(SpanPredicate)
  /// True for every element when empty.
  case all([ElementPredicate])
  /// False for every element when empty.
  case any([ElementPredicate])
  case not(ElementPredicate)
}

/// A condition on one span: leaves under boolean operators.
package indirect enum SpanPredicate: Sendable {
  case leaf(SpanLeaf)
  /// True for every span when empty.
  case all([SpanPredicate])
  /// False for every span when empty.
  case any([SpanPredicate])
  case not(SpanPredicate)

  package static let everything = SpanPredicate.all([])
  package static let nothing = SpanPredicate.any([])
}

/// A condition that compares several parts of a span with one another, or texts that are not stored as such.
package final class RecordTest: Sendable {
  private let decide: @Sendable (Resource, InstrumentationScope, SpanRecord) -> Bool

  package init(_ decide: @escaping @Sendable (Resource, InstrumentationScope, SpanRecord) -> Bool) {
    self.decide = decide
  }

  package func matches(resource: Resource, scope: InstrumentationScope, span: SpanRecord) -> Bool {
    decide(resource, scope, span)
  }
}

/// Where an attribute stands. The raw values are part of the segment format.
package enum ColumnLevel: UInt8, CaseIterable, Sendable, Comparable {
  case span = 0
  case event = 1
  case link = 2
  case resource = 3
  case scope = 4

  package static func < (left: ColumnLevel, right: ColumnLevel) -> Bool { left.rawValue < right.rawValue }
}
