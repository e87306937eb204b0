import TraceBytes
import TraceModel

@testable import TraceOTLP

/// What two decodings can be compared by: canonical bytes, which tell apart what `==` on texts does not.
struct Reading: Equatable {
  var triples: [[UInt8]]
  var refusals: [OTLP.Refusal]

  init(_ data: TraceData, _ refusals: [OTLP.Refusal]) {
    var triples: [[UInt8]] = []
    data.forEachSpan { resource, scope, span in
      triples.append(
        OTLP.encode(
          TraceData(resourceSpans: [
            ResourceSpans(resource: resource, scopeSpans: [ScopeSpans(scope: scope, spans: [span])])
          ])))
    }
    self.triples = triples
    self.refusals = refusals
  }
}

extension SpanBatch {
  private func text(_ range: ByteRange) throws -> String {
    guard let text = bytes(range).text else { throw TracestoreError(.corrupt, "a range of a batch is not UTF-8") }
    return text
  }

  private func attributes(_ first: UInt32, _ count: UInt32) throws -> [Attribute] {
    try (Int(first)..<Int(first) + Int(count)).map { index in
      let attribute = attributes[index]
      if attribute.type == .opaqueAttribute {
        let whole = try OTLP.decodeAttribute(bytes(attribute.range))
        guard try whole.key.utf8.elementsEqual(text(attribute.key).utf8) else {
          throw TracestoreError(.corrupt, "the key of an opaque attribute differs from its message")
        }
        return whole
      }
      let raw = attribute.type.isScalar ? UnsafeRawBufferPointer(start: nil, count: 0) : bytes(attribute.range)
      let value = try OTLP.value(type: attribute.type, bits: attribute.value, bytes: raw)
      if [.array, .map, .opaque].contains(attribute.type), OTLP.encode(value) != raw.array {
        throw TracestoreError(.corrupt, "a kept value is not in canonical form")
      }
      return Attribute(try text(attribute.key), value)
    }
  }

  /// The batch as model values, through its ranges alone.
  func reading() throws -> Reading {
    var data = TraceData()
    for span in spans {
      let resource = resources[Int(span.resourceIndex)]
      let scope = scopes[Int(span.scopeIndex)]
      let record = SpanRecord(
        traceID: TraceID(high: span.traceHigh, low: span.traceLow), spanID: SpanID(span.spanID),
        traceState: try text(span.traceState), parentSpanID: span.hasParent ? SpanID(span.parentSpanID) : nil,
        name: try text(span.name), kind: SpanKind(rawValue: span.kind), start: Timestamp(nanoseconds: span.start),
        end: Timestamp(nanoseconds: span.end), attributes: try attributes(span.firstAttribute, span.attributeCount),
        droppedAttributeCount: span.droppedAttributeCount,
        events: try (Int(span.firstEvent)..<Int(span.firstEvent) + Int(span.eventCount)).map { index in
          let event = events[index]
          return SpanEvent(
            time: Timestamp(nanoseconds: event.time), name: try text(event.name),
            attributes: try attributes(event.firstAttribute, event.attributeCount),
            droppedAttributeCount: event.droppedAttributeCount, unknownFields: bytes(event.unknownFields).array)
        },
        droppedEventCount: span.droppedEventCount,
        links: try (Int(span.firstLink)..<Int(span.firstLink) + Int(span.linkCount)).map { index in
          let link = links[index]
          return SpanLink(
            traceID: link.hasTraceID ? TraceID(high: link.traceHigh, low: link.traceLow) : nil,
            spanID: link.hasSpanID ? SpanID(link.spanID) : nil, traceState: try text(link.traceState),
            attributes: try attributes(link.firstAttribute, link.attributeCount),
            droppedAttributeCount: link.droppedAttributeCount, flags: link.flags,
            unknownFields: bytes(link.unknownFields).array)
        },
        droppedLinkCount: span.droppedLinkCount,
        status: span.hasStatus
          ? SpanStatus(
            code: SpanStatus.Code(rawValue: span.statusCode), message: try text(span.statusMessage),
            unknownFields: bytes(span.statusUnknownFields).array) : nil,
        flags: span.flags, unknownFields: bytes(span.unknownFields).array)
      guard OTLP.encode(try OTLP.decodeSpan(bytes(span.source))) == OTLP.encode(record) else {
        throw TracestoreError(.corrupt, "a span's source differs from its fields")
      }
      if span.isCanonical, OTLP.identity(of: record) != bytes(span.source).array {
        throw TracestoreError(.corrupt, "a span that is called canonical is not")
      }
      data.resourceSpans.append(
        ResourceSpans(
          resource: try OTLP.decodeResource(
            bytes(resource.source), schemaURL: try text(resource.schemaURL),
            envelopeUnknownFields: bytes(resource.envelopeUnknownFields).array),
          scopeSpans: [
            ScopeSpans(
              scope: try OTLP.decodeScope(
                bytes(scope.source), schemaURL: try text(scope.schemaURL),
                envelopeUnknownFields: bytes(scope.envelopeUnknownFields).array),
              spans: [record])
          ]))
    }
    return Reading(data, refusals.map { OTLP.Refusal(spanIndex: $0.spanIndex, reason: $0.reason) })
  }
}

/// Decodes both ways. Nil when both refuse; throws when they differ.
func readBothWays(_ bytes: [UInt8], _ batch: SpanBatch) throws -> Reading? {
  var viaModel: Result<Reading, TracestoreError>
  do throws(TracestoreError) {
    var refusals: [OTLP.Refusal] = []
    let data = try OTLP.decode(bytes, refusals: &refusals)
    viaModel = .success(Reading(data, refusals))
  } catch {
    viaModel = .failure(error)
  }
  return try bytes.withUnsafeBytes { buffer -> Reading? in
    var failure: TracestoreError?
    do throws(TracestoreError) { try OTLPBatchDecoder.decode(buffer, into: batch) } catch { failure = error }
    switch (viaModel, failure) {
    case (.failure(let left), let right?):
      guard left.code == right.code, left.offset == right.offset else {
        throw TracestoreError(.corrupt, "model: \(left); batch: \(right)")
      }
      guard batch.spans.isEmpty, batch.refusals.isEmpty, batch.resources.isEmpty else {
        throw TracestoreError(.corrupt, "a refused request left something in the batch")
      }
      return nil
    case (.success(let left), nil):
      let right = try batch.reading()
      guard left == right else { throw TracestoreError(.corrupt, "the model and the batch differ") }
      if let accepted = batch.acceptedRequest() {
        guard try Reading(OTLP.decode(accepted), left.refusals) == left else {
          throw TracestoreError(.corrupt, "the accepted request differs")
        }
      } else if !left.refusals.isEmpty {
        throw TracestoreError(.corrupt, "refused spans would be logged")
      }
      return left
    case (.failure(let left), nil): throw TracestoreError(.corrupt, "only the model refuses: \(left)")
    case (.success, let right?): throw TracestoreError(.corrupt, "only the batch refuses: \(right)")
    }
  }
}
