import TraceModel

extension WireFault {
  /// The error that callers see: what is wrong, and the byte where.
  var error: TracestoreError { TracestoreError(code, message, offset: UInt64(clamping: offset)) }

  private var code: TracestoreError.Code {
    switch reason {
    case .deepValue, .longValue, .manyAttributes, .manySpans, .manyElements, .largeRequest: .limitExceeded
    default: .malformedInput
    }
  }

  private var message: String {
    switch reason {
    case .truncatedVarint: "The protobuf request ends inside a varint"
    case .longVarint: "A protobuf varint is longer than 64 bits"
    case .truncatedInteger: "The protobuf message ends inside a fixed-width integer"
    case .truncatedField: "A protobuf field announces more bytes than its message holds"
    case .fieldZero: "A protobuf field number is outside of 1 to 536,870,911"
    case .badWireType: "A protobuf field has an undefined wire type"
    case .strayEndGroup: "A protobuf group ends that did not begin"
    case .openGroup: "A protobuf group does not end inside its message"
    case .deepGroup: "Protobuf groups are nested deeper than \(WireReader.maximumGroupDepth) levels"
    case .invalidText: "A text field is not UTF-8"
    case .deepValue: "An attribute value is nested deeper than \(Limits.maximumValueDepth) levels"
    case .longValue: "A text or byte value is longer than \(Limits.maximumValueByteCount) bytes"
    case .manyAttributes: "An item has more than \(Limits.maximumAttributeCount) attributes"
    case .manySpans: "A request has more than \(Limits.maximumSpanCount) spans"
    case .manyElements:
      "A request has more than \(Limits.maximumElementCount) resources, scopes, events, links, attributes and nested values"
    case .largeRequest: "A request has more than \(Limits.maximumRequestByteCount) bytes"
    case .badTraceID: "A span's trace id is not 16 bytes that are not all zero"
    case .badSpanID: "A span's id is not 8 bytes that are not all zero"
    case .inconsistent: "A protobuf message could not be brought into its regular form"
    }
  }
}
