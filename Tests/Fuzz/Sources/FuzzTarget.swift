import TraceBytes
import TraceFiles
import TraceModel
import TraceOTLP

/// The ways in for bytes that nobody vouches for. A target may refuse its input with the errors of our own; anything
/// else is a finding: a trap, another error, a read outside of the input, more memory or time than the flags allow.
enum FuzzTarget: String, CaseIterable {
  // From the network and from files that people import.
  case otlp, json, frames, jaeger, zipkin, token
  // What people ask for.
  case pattern, filterText, filterJSON
  // From a store.
  case log, position, manifest, segment, metrics
  // Parts of a segment alone, so that a short input reaches deep.
  case page, integers, texts, list, filter, chunks

  func run(_ bytes: UnsafeRawBufferPointer) {
    do {
      switch self {
      case .otlp: try otlp(bytes)
      case .json: try json(bytes.array)
      case .frames: try frames(bytes.array)
      case .jaeger: try jaeger(bytes.array)
      case .zipkin: try zipkin(bytes.array)
      case .token: try token(bytes)
      case .pattern: try pattern(bytes.array)
      case .filterText: try filterText(bytes.array)
      case .filterJSON: try filterJSON(bytes.array)
      case .log: try log(bytes.array)
      case .position: try position(bytes.array)
      case .manifest: try manifest(bytes.array)
      case .segment: try segment(bytes.array)
      case .metrics: try metrics(bytes.array)
      case .page: try page(bytes)
      case .integers: try integers(bytes)
      case .texts: try texts(bytes)
      case .list: try list(bytes)
      case .filter: try filter(bytes)
      case .chunks: chunks(bytes)
      }
    } catch is TracestoreError {
    } catch is BytesError {
    } catch {
      preconditionFailure("an error of another kind: \(error)")
    }
  }
}

extension UnsafeRawBufferPointer {
  var array: [UInt8] { [UInt8](self) }
}

/// A file system that holds these files and nothing else.
func fileSystem(_ files: [(path: String, bytes: [UInt8])]) throws -> SimulatedFileSystem {
  let system = SimulatedFileSystem(isDurabilityTracked: false)
  for (path, bytes) in files {
    let folder = parentPath(path)
    if !folder.isEmpty { try system.createDirectory(folder) }
    let file = try system.open(path, .create)
    try bytes.withUnsafeBytes { try file.append($0) }
    file.close()
  }
  return system
}
