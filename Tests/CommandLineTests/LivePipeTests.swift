import Foundation
import Testing

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A producer that writes now and then: what came whole is stored before it writes again.
@Suite struct LivePipeTests {
  static let forms = ["otlp-framed", "otlp-varint", "otlp-json-lines", "jaeger-json", "zipkin-json"]

  /// One request of one span.
  private static func request(_ form: String, _ number: Int) -> Data {
    let (trace, span) = (String(format: "%032x", number), String(format: "%016x", number))
    switch form {
    case "jaeger-json":
      return Data(
        #"{"traceID":"\#(trace)","processes":{"p":{"serviceName":"s"}},"spans":[{"traceID":"\#(trace)","spanID":"\#(span)","operationName":"work","startTime":1767268800000000,"duration":5,"processID":"p"}]}"#
          .utf8) + Data("\n".utf8)
    case "zipkin-json":
      return Data(
        #"[{"traceId":"\#(trace)","id":"\#(span)","name":"work","timestamp":1767268800000000,"duration":5}]"#.utf8)
        + Data("\n".utf8)
    case "otlp-json-lines":
      return Data(
        #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"\#(trace)","spanId":"\#(span)","name":"work","startTimeUnixNano":"1767268800000000000","endTimeUnixNano":"1767268800000001000"}]}]}]}"#
          .utf8) + Data("\n".utf8)
    default:
      func field(_ number: UInt8, _ bytes: Data) -> Data { Data([number << 3 | 2, UInt8(bytes.count)]) + bytes }
      let low = UInt8(number)
      let span =
        field(1, Data(repeating: 0, count: 15) + [low]) + field(2, Data(repeating: 0, count: 7) + [low])
        + field(5, Data("work".utf8)) + Data([7 << 3 | 1, 1, 0, 0, 0, 0, 0, 0, 0, 8 << 3 | 1, 2, 0, 0, 0, 0, 0, 0, 0])
      let message = field(1, field(2, field(2, span)))
      return Data(form == "otlp-varint" ? [] : [0, 0, 0]) + Data([UInt8(message.count)]) + message
    }
  }

  /// A compressed stream up to a flush: a block that is not the last one.
  private static func block(_ compression: String, _ bytes: Data, isFirst: Bool) -> Data {
    let (low, high) = (UInt8(bytes.count & 0xff), UInt8(bytes.count >> 8))
    switch compression {
    case "gzip":
      return Data(isFirst ? [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3] : []) + [0, low, high, ~low, ~high] + bytes
    case "zstd":
      let header = bytes.count << 3
      return Data(isFirst ? [0x28, 0xb5, 0x2f, 0xfd, 0, 0x58] : [])
        + [UInt8(header & 0xff), UInt8(header >> 8), 0] + bytes
    default: return bytes
    }
  }

  @Test(arguments: forms, ["plain", "gzip", "zstd"])
  func `what came whole is visible while the pipe is open`(_ form: String, _ compression: String) throws {
    let program = try Program()
    let running = try program.start(["import", "-"])
    for number in 1...3 {
      try running.input.write(
        contentsOf: Self.block(compression, Self.request(form, number), isFirst: number == 1))
      try running.wait("span \(number)") { try program.isStored() && program.storedSpanCount() == number }
    }
    // A compressed stream without its end is refused, behind what it gave.
    try running.input.close()
    let run = try running.end()
    #expect(run.status == (compression == "plain" ? 0 : 1), "\(run.errors)")
    #expect(try program.spanCount() == 3)
  }

  @Test(arguments: [["compact"], ["compact", "--all"], ["retain", "--max-age", "1000000h"]])
  func `whoever takes over the log of a writer that was killed names what it has lost`(_ command: [String]) throws {
    let program = try Program()
    let running = try program.start(["import", "-"])
    for number in 1...3 {
      try running.input.write(contentsOf: Self.request("otlp-framed", number))
      try running.wait("span \(number)") { try program.isStored() && program.storedSpanCount() == number }
    }
    kill(running.process.processIdentifier, SIGKILL)
    running.process.waitUntilExit()
    try running.input.close()
    let logs = program.store + "/wal"
    let name = try #require(FileManager.default.contentsOfDirectory(atPath: logs).first { $0.hasSuffix(".log") })
    let url = URL(fileURLWithPath: logs + "/" + name)
    var bytes = try Data(contentsOf: url)
    // In the second of three frames.
    bytes[bytes.count * 2 / 3] ^= 1
    try bytes.write(to: url)
    #expect(try program.run("verify", "--store", program.store).status == 1)
    let run = try program.run(arguments: command + ["--json"])
    #expect(run.status == 1 && run.errors.contains(name), "\(run.errors)")
  }

  private static func refused(_ form: String) -> Data {
    form == "otlp-json-lines" ? Data("{\"resourceSpans\":7}\n".utf8) : Data([0, 0, 0, 2, 0x0f, 0xff])
  }

  @Test(arguments: ["otlp-framed", "otlp-json-lines"], ["plain", "gzip"])
  func `a refused request ends the import while the pipe stays open and silent`(
    _ form: String, _ compression: String
  ) throws {
    let program = try Program()
    let running = try program.start(["import", "-", "--json"])
    try running.input.write(contentsOf: Self.block(compression, Self.request(form, 1), isFirst: true))
    try running.wait("the first span") { try program.isStored() && program.storedSpanCount() == 1 }
    try running.input.write(contentsOf: Self.block(compression, Self.refused(form), isFirst: false))
    let deadline = Date().addingTimeInterval(30)
    while running.process.isRunning, Date() < deadline { usleep(2000) }
    #expect(!running.process.isRunning, "it waits for what it cannot use")
    let run = try running.end()
    try running.input.close()
    #expect(run.status == 1, "\(run.errors)")
    let receipt = try run.object()
    #expect(receipt["requests"] as? Int == 1)
    #expect((receipt["refused"] as? [[String: Any]])?.map { $0["index"] as? Int } == [1])
    #expect(try program.spanCount() == 1)
  }

  @Test func `an import that keeps going reads on behind a refused request`() throws {
    let program = try Program()
    let running = try program.start(["import", "-", "--keep-going"])
    for number in 1...2 {
      try running.input.write(contentsOf: Self.refused("otlp-framed") + Self.request("otlp-framed", number))
      try running.wait("span \(number)") { try program.isStored() && program.storedSpanCount() == number }
    }
    try running.input.close()
    #expect(try running.end().status == 1)
  }
}
