package import TraceModel

/// What the records of a span have in common: its ids. Ordered as they are stored.
package struct SpanKey: Hashable, BitwiseCopyable, Comparable, Sendable {
  package var trace: TraceID
  package var span: UInt64

  package init(trace: TraceID, span: UInt64) {
    self.trace = trace
    self.span = span
  }

  package static func < (left: SpanKey, right: SpanKey) -> Bool {
    left.trace != right.trace ? left.trace < right.trace : left.span < right.span
  }
}
