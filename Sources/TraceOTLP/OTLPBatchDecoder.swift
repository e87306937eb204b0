package import TraceModel

/// Decodes protobuf requests for ingest: each byte is looked at once, nothing is copied, nothing is allocated once the
/// batch has grown to the size of its requests.
package enum OTLPBatchDecoder {
  /// Replaces the content of `batch` by that of one `ExportTraceServiceRequest`.
  ///
  /// Accepts and understands exactly what `OTLP.decode(_:refusals:)` does. Spans with unusable ids are left out and
  /// listed in `batch.refusals`. The batch borrows `request`. On an error the batch is empty.
  package static func decode(
    _ request: UnsafeRawBufferPointer, into batch: SpanBatch
  ) throws(TracestoreError) {
    batch.removeAll()
    var parser = BatchParser(storage: batch.storage)
    defer {
      batch.storage = parser.storage
      batch.refusals = parser.refusals
    }
    do throws(WireFault) {
      try parser.request(request)
    } catch {
      parser.storage.removeAll()
      parser.refusals = []
      throw error.error
    }
  }
}

extension SpanBatch {
  /// The request to write to a log when the one that was decoded holds refused spans: the same without them.
  /// Nil when nothing was refused, and the request itself will do.
  package func acceptedRequest() -> [UInt8]? {
    guard !refusals.isEmpty else { return nil }
    var writer = ReverseWriter(reserving: storage.requestByteCount + 64)
    var next = spans.count
    while next > 0 {
      let resourceIndex = spans[next - 1].resourceIndex
      let resource = resources[Int(resourceIndex)]
      let resourceMark = writer.count
      writer.prepend(bytes(resource.envelopeUnknownFields))
      if !resource.schemaURL.isEmpty { presentField(ResourceSpansField.schemaURL, resource.schemaURL, &writer) }
      while next > 0, spans[next - 1].resourceIndex == resourceIndex {
        let scopeIndex = spans[next - 1].scopeIndex
        let scope = scopes[Int(scopeIndex)]
        let scopeMark = writer.count
        writer.prepend(bytes(scope.envelopeUnknownFields))
        if !scope.schemaURL.isEmpty { presentField(ScopeSpansField.schemaURL, scope.schemaURL, &writer) }
        while next > 0, spans[next - 1].scopeIndex == scopeIndex {
          presentField(ScopeSpansField.span, spans[next - 1].source, &writer)
          next -= 1
        }
        presentField(ScopeSpansField.scope, scope.source, &writer)
        writer.close(ResourceSpansField.scopeSpans, since: scopeMark)
      }
      presentField(ResourceSpansField.resource, resource.source, &writer)
      writer.close(RequestField.resourceSpans, since: resourceMark)
    }
    return writer.bytes
  }

  private func presentField(_ head: UInt32, _ range: ByteRange, _ writer: inout ReverseWriter) {
    let mark = writer.count
    writer.prepend(bytes(range))
    writer.close(head, since: mark)
  }
}
