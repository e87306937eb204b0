import TraceBytes
package import TraceModel

/// Errors of decoders in this room. `base` is where the decoded bytes stand in the file; whoever knows the file's
/// path adds it.
package enum FormatError {
  package static func corrupt(_ what: String, at offset: UInt64) -> TracestoreError {
    TracestoreError(
      .corrupt, "the segment is damaged: \(what); restore it from a copy", offset: offset)
  }

  package static func unsupported(_ what: String, at offset: UInt64) -> TracestoreError {
    TracestoreError(.unsupportedFormat, "the segment needs a newer version of the store: \(what)", offset: offset)
  }

  /// Runs a decoder whose reads may leave the bytes, and names the place when they do.
  package static func naming<Value>(
    _ part: String, at base: UInt64, _ body: () throws -> Value
  ) throws(TracestoreError) -> Value {
    do {
      return try body()
    } catch let error as TracestoreError {
      throw error
    } catch let error as BytesError {
      throw corrupt("\(part): \(error.reason)", at: base &+ UInt64(error.offset))
    } catch {
      throw corrupt("\(part): \(error)", at: base)
    }
  }
}
