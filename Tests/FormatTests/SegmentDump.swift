import TraceBytes
import TraceFiles
import TraceMerge
import TraceModel
import TraceSegment
import TraceSource

/// A segment in words, the same on every machine: where its parts stand, and every span in the order of the rows.
enum SegmentDump {
  static func open(_ bytes: [UInt8], path: String = "segment") throws -> Segment {
    let files = SimulatedFileSystem()
    let file = try files.open(path, .create)
    try bytes.withUnsafeBytes { try file.append($0) }
    return try Segment.open(file: file, number: 1, path: path, cache: BlockCache(maximumByteCount: 1 << 26))
  }

  static func text(_ bytes: [UInt8]) throws -> String {
    let segment = try open(bytes)
    var lines = ["segment \(segment.byteCount) bytes, footer \(hexadecimal(segment.footerHash))"]
    for section in segment.sectionRanges {
      lines.append("section \(section.name) at \(section.offset), \(section.byteCount) bytes")
    }
    for stripe in try segment.spanStripes() {
      let described = try stripe.describe()
      let head = described.head
      lines.append(
        "stripe \(described.index) at \(described.offset), \(described.byteCount) bytes: \(head.rowCount) rows, "
          + "\(head.traceCount) traces, \(head.runCount) runs, \(head.eventCount) events, \(head.linkCount) links, "
          + "\(head.shapeCount) shapes")
      for chunk in described.chunks {
        lines.append("chunk \(chunk.id) \(chunk.name) at \(chunk.offset), \(chunk.byteCount) bytes")
      }
      lines += try stripe.records(Array(0..<stripe.rowCount)).map { line("span", $0) }
    }
    if let partials = try segment.partialStripe() {
      lines += try partials.records(Array(0..<partials.rowCount)).map { line("partial", $0) }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Trace, span, start, duration, content hash, service, name. Other programs print these lines too.
  static func line(_ word: String, _ record: SourceSpan) -> String {
    let span = record.span
    let duration = span.end.nanoseconds &- span.start.nanoseconds
    let hash = ContentHash.hash(resource: record.resource, scope: record.scope, span: span)
    return "\(word) \(span.traceID) \(span.spanID) \(span.start.nanoseconds) \(duration) \(hexadecimal(hash)) "
      + "\(quoted(record.resource.serviceName)) \(quoted(span.name))"
  }

  private static func hexadecimal(_ hash: Hash128) -> String {
    [hash.first, hash.second].map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  /// Printable ASCII as it is, other bytes as \xNN.
  private static func quoted(_ text: String) -> String {
    var result = "\""
    for byte in text.utf8 {
      if byte >= 0x20, byte < 0x7f, byte != 0x22, byte != 0x5c {
        result.unicodeScalars.append(UnicodeScalar(byte))
      } else {
        result += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }
    return result + "\""
  }
}
