package import TraceGraph
package import TraceModel

/// A final span as the service graph sees it, with the links that may say who called it.
package struct CallRow: Sendable {
  /// In its stripe.
  package var row: Int
  package var span: CallSpan
  /// Of consumers; empty for others.
  package var targets: [LinkTarget]

  package init(row: Int, span: CallSpan, targets: [LinkTarget] = []) {
    self.row = row
    self.span = span
    self.targets = targets
  }

  package init(row: Int, _ span: SpanRecord, service: String, _ names: inout NameTable) {
    let own = CallSpan(span, service: service) { names.code(of: Array($0.utf8)) }
    var targets: [LinkTarget] = []
    if own.role == .consumer {
      for link in span.links {
        guard let trace = link.traceID, let id = link.spanID else { continue }
        targets.append(LinkTarget(trace: trace, spanID: id.rawValue))
      }
    }
    self.init(row: row, span: own, targets: targets)
  }
}

/// The span that a link points to.
package struct LinkTarget: Hashable, Sendable {
  package var trace: TraceID
  package var spanID: UInt64

  package init(trace: TraceID, spanID: UInt64) {
    self.trace = trace
    self.spanID = spanID
  }
}

/// A consumer that has no caller in its trace, and links that may name one.
package struct LinkedConsumer: Sendable {
  package var span: CallSpan
  package var targets: [LinkTarget]

  package init(span: CallSpan, targets: [LinkTarget]) {
    self.span = span
    self.targets = targets
  }
}
