import TraceFiles
import TraceManifest
import TraceModel
import TracestoreV2

extension Inspector {
  /// A snapshot of links that were computed elsewhere.
  func explainDependencies(_ path: String, _ byteCount: UInt64) throws -> Explanation {
    var result = Explanation(kind: "dependencies", path: path, byteCount: byteCount)
    do {
      let bytes = try fileSystem.contents(ofFile: path, maximumByteCount: Self.maximumWholeByteCount)
      let snapshot = try DependencySnapshot(bytes, path: path)
      result.fields = [
        ("time", Self.time(snapshot.time.nanoseconds)), ("links", .count(snapshot.links.count)),
        ("calls", .number(snapshot.links.reduce(0) { $0 &+ $1.callCount })),
      ]
    } catch {
      result.note(error, at: 0)
    }
    return result
  }
}
