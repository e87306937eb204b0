import Foundation
import Testing
import TraceModel

@testable import TraceOTLP

/// Real data by others, which lies beside the package on some machines and is no part of it.
enum SharedData {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/data")
  static var isPresent: Bool { FileManager.default.fileExists(atPath: folder.path) }

  static func files(_ suffix: String) throws -> [URL] {
    try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(suffix) }.sorted()
      .map { folder.appendingPathComponent($0) }
  }
}

@Suite(.enabled(if: SharedData.isPresent)) struct `Data by others` {
  @Test func `every file comes back equal through protobuf, batch and JSON`() throws {
    let batch = SpanBatch()
    let files = try SharedData.files(".otlp")
    #expect(files.count > 20)
    for file in files {
      var reader = OTLPFrameReader(bytes: [UInt8](try Data(contentsOf: file)))
      while let frame = try reader.next() {
        let reading = try #require(try readBothWays(frame.bytes, batch), "\(file.lastPathComponent) \(frame.index)")
        var refusals: [OTLP.Refusal] = []
        let data = try OTLP.decode(frame.bytes, refusals: &refusals)
        #expect(try OTLP.decode(OTLP.encode(data)) == data)
        #expect(try Reading(OTLPJSON.decode(OTLPJSON.encode(data)), refusals) == reading)
      }
      #expect(reader.framing == .lengthPrefixed)
    }
  }

  @Test func `every hostile input is refused by both decoders`() throws {
    let batch = SpanBatch()
    for file in try SharedData.files(".frames") {
      var reader = OTLPFrameReader(bytes: [UInt8](try Data(contentsOf: file)))
      var count = 0
      while let frame = try reader.next() {
        #expect(try readBothWays(frame.bytes, batch) == nil, "input \(frame.index)")
        count += 1
      }
      #expect(count == 137 && reader.framing == .lengthPrefixed)
    }
  }
}
