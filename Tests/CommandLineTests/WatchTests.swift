import Foundation
import Testing

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Figures of a store that is being written.
@Suite struct WatchTests {
  private static let minute = 60_000_000_000

  /// Spans of now, of ten minutes ago and of three hours ago.
  private static func request(_ number: Int, nowNanoseconds: Int) -> Data {
    let spans = [0, 10 * minute, 180 * minute].enumerated().map { index, age in
      let id = number * 3 + index + 1
      let start = nowNanoseconds - age
      return """
        {"traceId":"\(String(format: "%032x", id))","spanId":"\(String(format: "%016x", id))","name":"work",\
        "startTimeUnixNano":"\(start)","endTimeUnixNano":"\(start + 1000)"}
        """
    }
    return Data(
      """
      {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},\
      "scopeSpans":[{"spans":[\(spans.joined(separator: ","))]}]}]}

      """.utf8)
  }

  @Test(arguments: [["--figures"], ["--figures", "--filter", "resource.service = \"shop\""]])
  func `figures of all minutes are shown at the end, and what is too old is counted`(_ flags: [String]) throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(10)).status == 0)
    let watching = try program.start(["watch", "--json"] + flags)
    let now = Int(Date().timeIntervalSince1970) * 1_000_000_000
    // Nothing tells when it has begun to follow.
    for number in 0..<8 {
      usleep(500_000)
      let importing = try program.run("import", "-", input: Self.request(number, nowNanoseconds: now))
      #expect(importing.status == 0, "\(importing.errors)")
    }
    usleep(1_500_000)
    kill(watching.process.processIdentifier, SIGINT)
    try watching.input.close()
    let run = try watching.end()
    var minutes: Set<String> = []
    var ignoredCount = 0
    for line in run.text.split(separator: "\n") {
      let object = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      if object["type"] as? String == "figures" {
        #expect(object["service"] as? String == "shop")
        minutes.insert(try #require(object["minute"] as? String))
      }
      if object["type"] as? String == "ignored" { ignoredCount += try #require(object["spans"] as? Int) }
    }
    #expect(minutes.count == 2, "\(run.text)")
    #expect(ignoredCount > 0, "\(run.text)")
  }
}
