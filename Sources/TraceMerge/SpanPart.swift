import TraceBytes
package import TraceModel
import TraceOTLP

/// A stored record of a span, with what decides how it is joined with the others of the same trace and span id.
package struct SpanPart: Sendable {
  package enum Kind: Sendable {
    /// The producer has ended the span.
    case final
    /// The span as its producer saw it while it was open.
    case snapshot
    /// Adds to a span of any source; flagged with `tracestore.partial`.
    case enrichment
  }

  package let resource: Resource
  package let scope: InstrumentationScope
  package let span: SpanRecord
  package let kind: Kind
  package let stamp: Stamp
  /// The bytes that decide whether two records are equal.
  package let content: [UInt8]

  /// - Parameter isPartial: what ingest found: the record is flagged, or its end is zero where that means open.
  package init(resource: Resource, scope: InstrumentationScope, span: SpanRecord, isPartial: Bool) {
    self.resource = resource
    self.scope = scope
    self.span = span
    kind = !isPartial ? .final : span.isEnrichment ? .enrichment : .snapshot
    let (resourceIdentity, scopeIdentity) = (OTLP.identity(of: resource), OTLP.identity(of: scope))
    content = ContentHash.canonicalBytes(
      resourceIdentity: resourceIdentity, scopeIdentity: scopeIdentity, spanIdentity: OTLP.identity(of: span))
    var origin = ByteWriter()
    origin.appendLengthPrefixed(resourceIdentity)
    origin.appendLengthPrefixed(scopeIdentity)
    stamp = Stamp(
      sequence: span.sequence, observed: span.statedObservation ?? span.latestNanoseconds,
      origin: Hash128(of: origin.bytes), content: Hash128(of: content))
  }

  package init(_ record: PlainUpdates.Record) {
    self.init(resource: record.resource, scope: record.scope, span: record.span, isPartial: record.isPartial)
  }

  /// - Parameter endZeroMeansOpen: how the store reads spans without an end.
  package init(resource: Resource, scope: InstrumentationScope, span: SpanRecord, endZeroMeansOpen: Bool) {
    self.init(
      resource: resource, scope: scope, span: span,
      isPartial: span.isEnrichment || endZeroMeansOpen && span.end == .zero)
  }

  /// Which spans the record is a part of.
  var membership: Membership {
    switch kind {
    case .final, .snapshot:
      return Membership(service: Array(resource.serviceName.utf8), kind: span.kind.rawValue)
    case .enrichment:
      var membership = Membership()
      if case .string(let name)? = span.attributes.value(of: ControlKey.roleService) {
        membership.service = Array(name.utf8)
      }
      switch span.attributes.value(of: ControlKey.roleKind) {
      case .string(let word)?: membership.kind = SpanKind(word: word)?.rawValue
      case .int(let value)?: membership.kind = Int32(exactly: value)
      default: break
      }
      return membership
    }
  }
}

/// The spans of one id are told apart by their role: the service and the kind. Two services may share an id, as Zipkin's
/// clients and servers do.
struct Membership: Hashable, Comparable {
  /// Nil for any service.
  var service: [UInt8]?
  /// The raw kind; nil for any kind.
  var kind: Int32?

  /// Whether a record that says this is a part of the span with that role.
  func includes(_ role: Membership) -> Bool {
    (service == nil || service == role.service) && (kind == nil || kind == role.kind)
  }

  var isAnyRole: Bool { service == nil && kind == nil }

  static func < (left: Membership, right: Membership) -> Bool {
    let (a, b) = (left.service ?? [], right.service ?? [])
    return a != b ? a.lexicographicallyPrecedes(b) : (left.kind ?? 0) < (right.kind ?? 0)
  }
}
