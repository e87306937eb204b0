import TraceText

/// A JSON form of spans that is not OTLP's.
public enum ForeignJSON: String, Sendable, CaseIterable {
  case jaeger
  case zipkin

  /// Finds out the form from the first bytes of an input; nil when they are nothing that this room reads. The first
  /// member that only one form has decides.
  ///
  /// - Parameter prefix: the beginning of the input, which may end anywhere.
  public init?(prefix: [UInt8]) {
    let form = prefix.withUnsafeBytes { buffer in
      var reader = JSONReader(buffer, maximumDepth: 64)
      // Where the bytes end before anything was decided, nothing is.
      return try? Self.form(&reader, depth: 0)
    }
    guard let form else { return nil }
    self = form
  }

  private static func form(_ reader: inout JSONReader, depth: Int) throws -> ForeignJSON? {
    switch try reader.peek() {
    case .array:
      guard depth < 2 else { return nil }
      try reader.beginArray()
      // An empty list says no spans in one form as in the other.
      return try reader.nextElement() ? try form(&reader, depth: depth + 1) : .zipkin
    case .object:
      try reader.beginObject()
      while let name = try reader.nextKey() {
        switch name {
        case "resourceSpans", "resource_spans": return nil
        case "data", "spans", "processes", "traceID": return .jaeger
        case "traceId", "id", "parentId", "localEndpoint", "remoteEndpoint", "annotations": return .zipkin
        default: try reader.skip()
        }
      }
      return nil
    default: return nil
    }
  }

  /// True when no further byte changes what `init(prefix:)` and `isOneDocumentALine(prefix:)` say: the first line is a
  /// whole document, or the input is no JSON.
  package static func isSettled(prefix: [UInt8]) -> Bool {
    guard let start = prefix.firstIndex(where: { !isSpace($0) }) else { return false }
    guard [UInt8(ascii: "{"), UInt8(ascii: "[")].contains(prefix[start]) else { return true }
    return prefix[start...].contains(UInt8(ascii: "\n")) && isOneDocumentALine(prefix: prefix)
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 }

  /// True when every line of an input seems to be a document of its own: its first line is whole, or reaches beyond
  /// these bytes.
  public static func isOneDocumentALine(prefix: [UInt8]) -> Bool {
    guard let start = prefix.firstIndex(where: { !isSpace($0) }),
      let end = prefix[start...].firstIndex(of: UInt8(ascii: "\n"))
    else { return true }
    return Array(prefix[start..<end]).withUnsafeBytes { buffer in
      var reader = JSONReader(buffer)
      do {
        try reader.skip()
        try reader.finish()
        return true
      } catch {
        return false
      }
    }
  }

  /// Reads a document of this form.
  ///
  /// - Throws: as `JaegerJSON.decodeSpans(_:)` and `ZipkinJSON.decodeSpans(_:)`.
  public func decodeSpans(_ bytes: [UInt8]) throws -> DecodedSpans {
    switch self {
    case .jaeger: try JaegerJSON.decodeSpans(bytes)
    case .zipkin: try ZipkinJSON.decodeSpans(bytes)
    }
  }
}
