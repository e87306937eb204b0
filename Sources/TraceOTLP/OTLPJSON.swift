import TraceBytes
public import TraceModel
import TraceText

/// OTLP's JSON form of traces.
///
/// Three things exist in the model that this form cannot say; the writer leaves them out: fields that the model does
/// not know (on any message, so ids of a wrong length on parents and links too), opaque values (written as empty), and
/// the payload bits of a NaN. Everything else comes back equal. All functions are pure and linear.
public enum OTLPJSON {
  /// Writes a `TracesData` object on one line: lowerCamelCase names, hexadecimal ids, 64-bit integers as strings,
  /// enumerations as integers, doubles as the shortest text that reads back equal, fields at their default left out.
  public static func encode(_ data: TraceData) -> [UInt8] {
    var encoder = JSONEncoding()
    encoder.data(data)
    return encoder.writer.bytes
  }

  /// Reads a `TracesData` or `ExportTraceServiceRequest` object.
  ///
  /// Takes what producers write: ids in either case, 64-bit integers as strings or numbers, enumerations as integers or
  /// names, lowerCamelCase or snake_case names, either base64. Unknown names are ignored; null means "not set".
  /// - Throws: `TracestoreError` with the byte offset, as `OTLP.decode(_:)`, also for spans with unusable ids.
  public static func decode(_ bytes: [UInt8]) throws(TracestoreError) -> TraceData {
    var refusals: [OTLP.Refusal]?
    return try decode(bytes, &refusals)
  }

  /// As `decode(_:)`, but leaves out spans with unusable ids and appends a line for each to `refusals`.
  public static func decode(
    _ bytes: [UInt8], refusals: inout [OTLP.Refusal]
  ) throws(TracestoreError) -> TraceData {
    var collected: [OTLP.Refusal]? = []
    let data = try decode(bytes, &collected)
    refusals += collected ?? []
    return data
  }

  private static func decode(
    _ bytes: [UInt8], _ refusals: inout [OTLP.Refusal]?
  ) throws(TracestoreError) -> TraceData {
    guard bytes.count <= Limits.maximumRequestByteCount else {
      throw WireFault(offset: 0, reason: .largeRequest).error
    }
    do {
      return try bytes.withUnsafeBytes { buffer in
        var decoder = JSONDecoding(reader: JSONReader(buffer), refusals: refusals)
        let data = try decoder.data()
        refusals = decoder.refusals
        return data
      }
    } catch let error as JSONError {
      throw TracestoreError(
        .malformedInput, "The JSON request cannot be read: \(error.reason)", offset: UInt64(clamping: error.offset))
    } catch let error as WireFault {
      throw error.error
    } catch let error as TracestoreError {
      throw error
    } catch {
      throw TracestoreError(.malformedInput, "The JSON request cannot be read", cause: error)
    }
  }
}
