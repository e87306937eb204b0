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

/// A run of the program that has not ended.
struct Running {
  let process: Process
  /// The other end of its standard input.
  let input: FileHandle
  /// The files behind its standard output and standard error.
  let names: [String]

  func end() throws -> Run {
    let deadline = Date().addingTimeInterval(120)
    while process.isRunning, Date() < deadline { usleep(1000) }
    // A program that hangs fails its test instead of holding up all others.
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    let errors = try Data(contentsOf: URL(fileURLWithPath: names[1]))
    return Run(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: try Data(contentsOf: URL(fileURLWithPath: names[0])), errors: String(decoding: errors, as: UTF8.self))
  }

  /// Waits until something has come about, a minute at most.
  func wait(_ what: String, until isDone: () throws -> Bool) throws {
    let deadline = Date().addingTimeInterval(60)
    while try !isDone() {
      try #require(process.isRunning && Date() < deadline, "waited in vain: \(what)")
      usleep(2000)
    }
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

  /// - Parameter shell: a command that the shell runs first, in the same process.
  func process(_ arguments: [String], after shell: String? = nil) -> Process {
    let process = Process()
    if let shell {
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      process.arguments = ["-c", "\(shell); exec \"$0\" \"$@\"", Self.executable.path] + arguments
    } else {
      process.executableURL = Self.executable
      process.arguments = arguments
    }
    process.standardInput = FileHandle.nullDevice
    var environment = ProcessInfo.processInfo.environment
    environment["TRACESTORE_DIR"] = store
    process.environment = environment
    return process
  }

  /// Runs the program to its end, with `TRACESTORE_DIR` naming `store`.
  @discardableResult
  func run(_ arguments: String..., input: Data? = nil, after shell: String? = nil) throws -> Run {
    let running = try start(arguments, after: shell)
    if let input {
      try running.input.write(contentsOf: input)
    }
    try running.input.close()
    return try running.end()
  }

  /// The same for arguments in a list, without input.
  func run(arguments: [String]) throws -> Run {
    let running = try start(arguments)
    try running.input.close()
    return try running.end()
  }

  /// Starts the program with a pipe as its standard input.
  func start(_ arguments: [String], after shell: String? = nil) throws -> Running {
    let process = process(arguments, after: shell)
    let pipe = Pipe()
    process.standardInput = pipe
    // Files, so that neither stream can fill up while the other is being read.
    let names = [path("out-\(UUID().uuidString)"), path("err-\(UUID().uuidString)")]
    for name in names { try Data().write(to: URL(fileURLWithPath: name)) }
    let handles = try names.map { try #require(FileHandle(forWritingAtPath: $0)) }
    process.standardOutput = handles[0]
    process.standardError = handles[1]
    try process.run()
    for handle in handles { try handle.close() }
    return Running(process: process, input: pipe.fileHandleForWriting, names: names)
  }

  /// What `stats` says of the stored spans, which does not depend on how they arrived.
  func contents() throws -> String {
    let statistics = try run("stats", "--json").object()
    var contents = statistics.filter { ["spans", "traces", "partialRecords", "services"].contains($0.key) }
    #expect(contents.count == 4)
    // How many bytes a service takes depends on what its spans are stored with.
    contents["services"] = try #require(statistics["services"] as? [[String: Any]]).map { service in
      service.filter { $0.key != "estimatedBytes" }
    }
    return String(
      decoding: try JSONSerialization.data(withJSONObject: contents, options: .sortedKeys), as: UTF8.self)
  }

  func spanCount() throws -> Int { try #require(run("stats", "--json").object()["spans"] as? Int) }

  /// Every stored record with its resource and scope, whatever order and files it is kept in, sorted.
  func records() throws -> [String] {
    let run = try run("export", "--format", "otlp-json", "--out", "-")
    #expect(run.status == 0, "\(run.errors)")
    var records: [String] = []
    func text(_ value: Any?) throws -> String {
      guard let value else { return "" }
      return String(
        decoding: try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys, .fragmentsAllowed]),
        as: UTF8.self)
    }
    for line in run.output.split(separator: UInt8(ascii: "\n")) {
      let data = try #require(JSONSerialization.jsonObject(with: line) as? [String: [[String: Any]]])
      for group in data["resourceSpans"] ?? [] {
        let resource = try text(group["resource"]) + text(group["schemaUrl"])
        for scoped in group["scopeSpans"] as? [[String: Any]] ?? [] {
          let scope = try text(scoped["scope"]) + text(scoped["schemaUrl"])
          for span in scoped["spans"] as? [Any] ?? [] { records.append(try resource + scope + text(span)) }
        }
      }
    }
    return records.sorted()
  }

  func generate(_ spanCount: Int, seed: Int = 1, to name: String = "traffic.otlp") throws -> String {
    let run = try run("generate", "--spans", "\(spanCount)", "--seed", "\(seed)", "--out", path(name), "--json")
    #expect(run.status == 0, "\(run.errors)")
    #expect(try run.object()["spans"] as? Int == spanCount)
    return path(name)
  }
}
