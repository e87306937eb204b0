import TraceBytes
import TraceIngest
import TraceModel
import TraceOTLP
import TraceText
import TracestoreV1
import TracestoreV2

@testable import TraceQuery

extension FuzzTarget {
  /// Both decoders of protobuf: they refuse the same inputs and see the same spans in the others.
  func otlp(_ bytes: UnsafeRawBufferPointer) throws {
    let batch = SpanBatch()
    var refusals: [OTLP.Refusal] = []
    let model = Result { () throws(TracestoreError) in try OTLP.decode(bytes, refusals: &refusals) }
    let columns = Result { () throws(TracestoreError) in try OTLPBatchDecoder.decode(bytes, into: batch) }
    switch (model, columns) {
    case (.success(let data), .success):
      var spanCount = 0
      data.forEachSpan { _, _, _ in spanCount += 1 }
      precondition(spanCount == batch.spans.count, "the decoders see different spans")
      precondition(refusals.count == batch.refusals.count, "the decoders refuse different spans")
      _ = batch.acceptedRequest()
      let again = try OTLP.decode(OTLP.encode(data))
      precondition(OTLP.encode(again) == OTLP.encode(data), "what was encoded is decoded otherwise")
      _ = OTLPJSON.encode(data)
      _ = try Memtable(endZeroMeansOpen: true).append(batch, arrivalNanoseconds: 1)
    case (.failure, .failure): break
    default: preconditionFailure("one decoder takes what the other refuses")
    }
  }

  func json(_ bytes: [UInt8]) throws {
    var refusals: [OTLP.Refusal] = []
    let data = try OTLPJSON.decode(bytes, refusals: &refusals)
    _ = try OTLPJSON.decode(OTLPJSON.encode(data))
  }

  /// The first byte chooses the framing, or leaves it to be found.
  func frames(_ bytes: [UInt8]) throws {
    let framings = OTLPFrameReader.Framing.allCases
    guard let first = bytes.first else { return }
    let framing = Int(first) < framings.count ? framings[Int(first)] : nil
    var reader = OTLPFrameReader(framing: framing, bytes: Array(bytes.dropFirst()))
    var total = 0
    while let frame = try reader.next() { total += frame.bytes.count }
    precondition(total < bytes.count, "frames hold more than there is")
  }

  /// What can be read can be written, and is then read as the same.
  func jaeger(_ bytes: [UInt8]) throws {
    _ = ForeignJSON(prefix: bytes)
    let text = JaegerJSON.encode(try JaegerJSON.decode(bytes))
    let again = JaegerJSON.encode(try JaegerJSON.decode(text))
    precondition(again == text, "what was encoded is decoded otherwise")
    try requests(JaegerJSON.decodeSpans(bytes))
  }

  func zipkin(_ bytes: [UInt8]) throws {
    _ = ForeignJSON(prefix: bytes)
    try requests(ZipkinJSON.decodeSpans(bytes))
  }

  /// Requests of a document hold its spans, and an OTLP decoder takes them.
  private func requests(_ spans: DecodedSpans) throws {
    var spanCount = 0
    for request in spans.requests {
      var refusals: [OTLP.Refusal] = []
      _ = try OTLP.decode(OTLP.encode(request.data), refusals: &refusals)
      spanCount += request.spanIndexes.count
    }
    precondition(spanCount == spans.count, "requests lose spans")
  }

  func token(_ bytes: UnsafeRawBufferPointer) throws {
    _ = try PageCursor(token: String(decoding: bytes, as: UTF8.self), TraceQuery(), .traces, storeFingerprint: 0)
  }
}
