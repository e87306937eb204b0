import TraceModel
import TraceOTLP

// The parts of a record as the join sees them.
extension SpanRecord {
  /// The keys that the record sets or removes, control keys aside; a key may come several times.
  var decidedKeys: [[UInt8]] {
    attributes.lazy.filter { !ControlKey.isHidden($0.key) }.map { Array($0.key.utf8) } + removedKeys
  }

  /// Each event as bytes that are equal when the events are.
  var eventContents: [[UInt8]] {
    events.map { OTLP.identity(of: SpanRecord(traceID: Self.noTrace, spanID: Self.noSpan, events: [$0])) }
  }

  /// Each link as bytes that are equal when the links are.
  var linkContents: [[UInt8]] {
    links.map { OTLP.identity(of: SpanRecord(traceID: Self.noTrace, spanID: Self.noSpan, links: [$0])) }
  }

  private static let noTrace = TraceID(high: 0, low: 0)
  private static let noSpan = SpanID(0)
}

extension SpanStatus.Code {
  /// Unset < codes that this version does not know < error < ok.
  var rank: UInt64 {
    switch self {
    case .unset: 0
    case .error: 2
    case .ok: 3
    default: 1
    }
  }
}
