import Foundation
import Testing

/// A run of the program that has ended.
struct Run {
  var status: Int32
  var output: Data
  var errors: String

  var text: String { String(decoding: output, as: UTF8.self) }

  /// Standard output as one JSON object.
  func object() throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: output) as? [String: Any], "\(text) \(errors)")
  }

  func array<Element>(of type: Element.Type) throws -> [Element] {
    try #require(try JSONSerialization.jsonObject(with: output) as? [Element], "\(text) \(errors)")
  }
}

private final class BundleMark {}

/// The built program, and a folder that is gone when the test is.
final class Program {
  let folder: URL
  var store: String { path("store") }

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("tracestore-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures")

  static func fixture(_ name: String) -> String { fixtures.appendingPathComponent(name).path }

  /// The program stands next to the tests; on macOS the tests are a bundle there, elsewhere an executable.
  static let executable: URL = {
    var place = Bundle(for: BundleMark.self).bundleURL
    for start in [place, Bundle.main.bundleURL, URL(fileURLWithPath: CommandLine.arguments[0])] {
      place = start
      for _ in 0..<6 {
        let candidate = place.appendingPathComponent("tracestore")
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: candidate.path, isDirectory: &isFolder), !isFolder.boolValue {
          return candidate
        }
        place.deleteLastPathComponent()
      }
    }
    return place
  }()

  func process(_ arguments: [String]) -> Process {
    let process = Process()
    process.executableURL = Self.executable
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    var environment = ProcessInfo.processInfo.environment
    environment["TRACESTORE_DIR"] = store
    process.environment = environment
    return process
  }

  /// Runs the program to its end, with `TRACESTORE_DIR` naming `store`.
  @discardableResult
  func run(_ arguments: String...) throws -> Run {
    let process = process(arguments)
    // Files, so that neither stream can fill up while the other is being read.
    let names = [path("out-\(UUID().uuidString)"), path("err-\(UUID().uuidString)")]
    for name in names { try Data().write(to: URL(fileURLWithPath: name)) }
    let out = try #require(FileHandle(forWritingAtPath: names[0]))
    let err = try #require(FileHandle(forWritingAtPath: names[1]))
    process.standardOutput = out
    process.standardError = err
    try process.run()
    process.waitUntilExit()
    try out.close()
    try err.close()
    let errors = try Data(contentsOf: URL(fileURLWithPath: names[1]))
    return Run(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: try Data(contentsOf: URL(fileURLWithPath: names[0])), errors: String(decoding: errors, as: UTF8.self))
  }

  /// What `stats` says of the stored spans, which does not depend on how they arrived.
  func contents() throws -> String {
    let statistics = try run("stats", "--json").object()
    let contents = statistics.filter { ["spans", "traces", "partialRecords", "services"].contains($0.key) }
    #expect(contents.count == 4)
    return String(
      decoding: try JSONSerialization.data(withJSONObject: contents, options: .sortedKeys), as: UTF8.self)
  }

  func spanCount() throws -> Int { try #require(run("stats", "--json").object()["spans"] as? Int) }

  func generate(_ spanCount: Int, seed: Int = 1, to name: String = "traffic.otlp") throws -> String {
    let run = try run("generate", "--spans", "\(spanCount)", "--seed", "\(seed)", "--out", path(name), "--json")
    #expect(run.status == 0, "\(run.errors)")
    #expect(try run.object()["spans"] as? Int == spanCount)
    return path(name)
  }
}
