package import TraceBytes
public import TraceModel

extension OTLP {
  /// Reads an `ExportTraceServiceRequest` or `TracesData`.
  ///
  /// Proto3 rules hold: the last scalar wins, repeated singular messages merge, unknown fields are kept on the message
  /// they came with. Fields that the request itself does not know are stepped over.
  /// - Throws: `TracestoreError` with the byte offset: `malformedInput` for bytes that are not such a message, for text
  ///   that is not UTF-8 and for a span whose ids are missing, zero or of a wrong length; `limitExceeded` beyond
  ///   `Limits`.
  public static func decode(_ bytes: [UInt8]) throws(TracestoreError) -> TraceData {
    var refusals: [Refusal]?
    return try decode(copied: bytes, refusals: &refusals)
  }

  /// As `decode(_:)`, from borrowed memory.
  public static func decode(_ bytes: UnsafeRawBufferPointer) throws(TracestoreError) -> TraceData {
    var refusals: [Refusal]?
    return try decode(borrowed: bytes, refusals: &refusals)
  }

  /// As `decode(_:)`, but leaves out spans with unusable ids and appends a line for each to `refusals`.
  public static func decode(
    _ bytes: [UInt8], refusals: inout [Refusal]
  ) throws(TracestoreError) -> TraceData {
    var collected: [Refusal]? = []
    let data = try decode(copied: bytes, refusals: &collected)
    refusals += collected ?? []
    return data
  }

  /// As `decode(_:refusals:)`, from borrowed memory.
  public static func decode(
    _ bytes: UnsafeRawBufferPointer, refusals: inout [Refusal]
  ) throws(TracestoreError) -> TraceData {
    var collected: [Refusal]? = []
    let data = try decode(borrowed: bytes, refusals: &collected)
    refusals += collected ?? []
    return data
  }

  private static func decode(
    copied bytes: [UInt8], refusals: inout [Refusal]?
  ) throws(TracestoreError) -> TraceData {
    try reading(bytes) { (reader: WireReader) throws(WireFault) -> TraceData in
      try ModelDecoder.request(reader, &refusals)
    }
  }

  private static func decode(
    borrowed bytes: UnsafeRawBufferPointer, refusals: inout [Refusal]?
  ) throws(TracestoreError) -> TraceData {
    do throws(WireFault) {
      return try ModelDecoder.request(WireReader(bytes), &refusals)
    } catch {
      throw error.error
    }
  }

  /// Runs `body` over the bytes of an array and turns its fault into the error that callers see.
  static func reading<Value>(
    _ bytes: [UInt8], _ body: (WireReader) throws(WireFault) -> Value
  ) throws(TracestoreError) -> Value {
    let result = bytes.withUnsafeBytes { buffer -> Result<Value, WireFault> in
      do throws(WireFault) { return .success(try body(WireReader(buffer))) } catch { return .failure(error) }
    }
    switch result {
    case .success(let value): return value
    case .failure(let fault): throw fault.error
    }
  }

  /// Reads one `Span` message; the inverse of `encode(_:)` for spans.
  package static func decodeSpan(_ bytes: UnsafeRawBufferPointer) throws(TracestoreError) -> SpanRecord {
    do throws(WireFault) {
      var decoder = ModelDecoder()
      let (span, fault) = try decoder.span(WireReader(bytes))
      if let fault { throw WireFault(offset: 0, reason: fault) }
      return span
    } catch {
      throw error.error
    }
  }

  /// Reads one `Resource` message. What stood beside it in its envelope is passed in.
  package static func decodeResource(
    _ bytes: UnsafeRawBufferPointer, schemaURL: String = "", envelopeUnknownFields: [UInt8] = []
  ) throws(TracestoreError) -> Resource {
    do throws(WireFault) {
      var elementCount = 0
      var resource = Resource(schemaURL: schemaURL, envelopeUnknownFields: envelopeUnknownFields)
      try ModelDecoder.merge(WireReader(bytes), into: &resource, &elementCount)
      return resource
    } catch {
      throw error.error
    }
  }

  /// Reads one `InstrumentationScope` message. What stood beside it in its envelope is passed in.
  package static func decodeScope(
    _ bytes: UnsafeRawBufferPointer, schemaURL: String = "", envelopeUnknownFields: [UInt8] = []
  ) throws(TracestoreError) -> InstrumentationScope {
    do throws(WireFault) {
      var elementCount = 0
      var scope = InstrumentationScope(schemaURL: schemaURL, envelopeUnknownFields: envelopeUnknownFields)
      try ModelDecoder.merge(WireReader(bytes), into: &scope, &elementCount)
      return scope
    } catch {
      throw error.error
    }
  }

  /// Reads one `AnyValue` message; the inverse of `encode(_:)` for values, except that an absent value reads as empty.
  package static func decodeAttributeValue(_ bytes: UnsafeRawBufferPointer) throws(TracestoreError) -> AttributeValue {
    do throws(WireFault) {
      var elementCount = 0
      return try ModelDecoder.value(WireReader(bytes), &elementCount)
    } catch {
      throw error.error
    }
  }

  /// Reads one `KeyValue` message; the inverse of `encode(_:)` for attributes.
  package static func decodeAttribute(_ bytes: UnsafeRawBufferPointer) throws(TracestoreError) -> Attribute {
    do throws(WireFault) {
      var elementCount = 0
      return try ModelDecoder.attribute(WireReader(bytes), &elementCount)
    } catch {
      throw error.error
    }
  }

  /// Reads a value from its type and its raw form as a batch or a column keeps them: the bits of a scalar, or the raw
  /// bytes of any other type (text, bytes, an `AnyValue` message).
  package static func value(
    type: AttributeType, bits: UInt64, bytes: UnsafeRawBufferPointer
  ) throws(TracestoreError) -> AttributeValue {
    switch type {
    case .absent: return .absent
    case .empty: return .empty
    case .string:
      guard let text = bytes.text else {
        throw TracestoreError(.malformedInput, "A text value is not UTF-8")
      }
      return .string(text)
    case .bool: return .bool(bits != 0)
    case .int: return .int(Int64(bitPattern: bits))
    case .double: return .double(Double(bitPattern: bits))
    case .bytes: return .bytes(bytes.array)
    case .array, .map, .opaque: return try decodeAttributeValue(bytes)
    case .opaqueAttribute: return try decodeAttribute(bytes).value
    }
  }
}
