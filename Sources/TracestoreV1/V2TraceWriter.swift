public import TraceModel
public import TracestoreV2

/// A v1 store, written in v2's words: one span after another, since v1 has no batches.
///
/// Of each span arrives what v1 has words for. A batch that is written again is as harmless as the v1 store makes it.
public struct V2TraceWriter: TraceWriter {
  private let writer: any V1SpanWriting

  public init(_ writer: any V1SpanWriting) { self.writer = writer }

  /// A span that the store refuses as `invalidArgument` is refused alone. Behind any other error nothing more is
  /// written: the span that met it and those after it are named in the receipt, with the error as the reason.
  ///
  /// - Throws: that error when no span was stored before it.
  public func writeTraces(_ data: TraceData) async throws -> WriteReceipt {
    var receipt = WriteReceipt()
    var failure: (any Error)?
    for (spanIndex, span) in Self.spans(of: data).enumerated() {
      do {
        if let failure { throw failure }
        try await writer.writeSpan(span)
        receipt.acceptedSpanCount += 1
      } catch {
        let error = error as? TracestoreError ?? TracestoreError(.inputOutput, "A span was not stored", cause: error)
        if error.code != .invalidArgument {
          if receipt.acceptedSpanCount == 0 { throw error }
          failure = error
        }
        receipt.refused.append(WriteReceipt.Refusal(spanIndex: spanIndex, reason: error.message))
      }
    }
    return receipt
  }

  private static func spans(of data: TraceData) -> [V1Span] {
    var spans: [V1Span] = []
    for group in data.resourceSpans {
      let process = V1Process(group.resource)
      for scoped in group.scopeSpans {
        spans += scoped.spans.map { V1Span($0, scope: scoped.scope, process: process) }
      }
    }
    return spans
  }
}
