import TraceModel
import TraceOTLP
import TracestoreV2

/// Traces as OTLP on standard output, piece by piece.
enum TraceWriting {
  /// The reserved key that says what a span that is not plainly final is; an import takes it off again.
  static let stateKey = "tracestore.state"

  /// The spans of a chunk with their states.
  static func data(of chunk: TraceChunk) -> TraceData {
    guard !chunk.states.isEmpty else { return chunk.data }
    var data = chunk.data
    var place = 0
    for group in data.resourceSpans.indices {
      for scoped in data.resourceSpans[group].scopeSpans.indices {
        for index in data.resourceSpans[group].scopeSpans[scoped].spans.indices {
          if let state = chunk.states[place], state != .final {
            let text = state.phase == .final ? "enriched" : state.phase.rawValue
            data.resourceSpans[group].scopeSpans[scoped].spans[index].attributes.append(
              Attribute(stateKey, .string(text)))
          }
          place += 1
        }
      }
    }
    return data
  }

  /// Every trace as a `TracesData`: a line of JSON, or a frame for each chunk. Damage is for the caller to report.
  static func write(_ stream: ResultStream<TraceChunk>, as form: OutputFile.Form) async throws {
    var joiner = JSONJoiner()
    for try await chunk in stream {
      switch form {
      case .json: StandardOutput.shared.write(joiner.add(chunk))
      case .csv: StandardOutput.shared.write(try form.bytes(of: chunk.data, states: chunk.states))
      case .framedProtobuf:
        let message = OTLP.encode(data(of: chunk))
        StandardOutput.shared.write(withUnsafeBytes(of: UInt32(clamping: message.count).bigEndian) { Array($0) })
        StandardOutput.shared.write(message)
      }
    }
    StandardOutput.shared.write(joiner.finish())
  }
}

/// Makes one `TracesData` object a trace out of chunks, without holding the trace.
struct JSONJoiner {
  private static let opening = Array("{\"resourceSpans\":[".utf8)
  private static let closing = Array("]}".utf8)
  private var current: TraceID?

  init() {}

  /// What to write for a chunk, which belongs to the line before when it is of the same trace.
  mutating func add(_ chunk: TraceChunk) -> [UInt8] {
    let text = OTLPJSON.encode(TraceWriting.data(of: chunk))
    let inner = text.dropFirst(Self.opening.count).dropLast(Self.closing.count)
    if current == chunk.traceID { return [UInt8(ascii: ",")] + inner }
    let before = finish()
    current = chunk.traceID
    return before + Self.opening + inner
  }

  mutating func finish() -> [UInt8] {
    guard current != nil else { return [] }
    current = nil
    return Self.closing + [UInt8(ascii: "\n")]
  }
}
