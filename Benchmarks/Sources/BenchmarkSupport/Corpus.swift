import Foundation
import TraceEngine
import TraceOTLP

/// Requests in a file, each after its length in four big-endian bytes, as `tracestore generate` writes them. They stay
/// in the file, so that what a benchmark's memory shows is the store's.
public struct Corpus: Sendable {
  public let path: String
  /// The requests' places in the file.
  public let requests: [Range<Int>]

  /// Reads the lengths alone.
  public init(path: String) throws {
    self.path = path
    let file = try Self.open(path)
    defer { close(file) }
    let byteCount = Int(lseek(file, 0, SEEK_END))
    var requests: [Range<Int>] = []
    var offset = 0
    while offset + 4 <= byteCount {
      let length = try Self.read(file, offset..<offset + 4).reduce(0) { $0 << 8 | Int($1) }
      offset += 4
      guard offset + length <= byteCount else { throw CocoaError(.fileReadCorruptFile) }
      requests.append(offset..<offset + length)
      offset += length
    }
    self.requests = requests
  }

  private init(path: String, requests: [Range<Int>]) {
    self.path = path
    self.requests = requests
  }

  /// Its first requests alone.
  public func prefix(_ count: Int) -> Corpus { part(0..<min(count, requests.count)) }

  /// Some of its requests.
  public func part(_ range: Range<Int>) -> Corpus { Corpus(path: path, requests: Array(requests[range])) }

  /// Trace ids spread evenly over the requests, at most `count`: of the first span of each request that is looked at.
  public func traceIDs(_ count: Int) throws -> [TraceID] {
    let file = try Self.open(path)
    defer { close(file) }
    return try stride(from: 0, to: requests.count, by: max(1, requests.count / max(1, count))).compactMap { index in
      let data = try OTLP.decode(Self.read(file, requests[index]))
      return data.resourceSpans.first?.scopeSpans.first?.spans.first?.traceID
    }
  }

  /// When the last span of its last request begins.
  public func lastStart() throws -> Timestamp {
    guard let last = requests.last else { return .zero }
    let file = try Self.open(path)
    defer { close(file) }
    var start = Timestamp.zero
    try OTLP.decode(Self.read(file, last)).forEachSpan { start = max(start, $2.start) }
    return start
  }

  /// Writes all requests with the store's durability, `flightCount` of them at a time.
  public func write(to store: TraceStore, flightCount: Int = 64) async throws {
    let file = try Self.open(path)
    defer { close(file) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, place) in requests.enumerated() {
        if index >= flightCount { try await group.next() }
        group.addTask {
          let receipt = try await store.writeEncoded(Self.read(file, place), encoding: .protobuf)
          precondition(receipt.refused.isEmpty, "the generator's spans are all addressable")
        }
      }
      try await group.waitForAll()
    }
  }

  /// The same requests in another file, so that what begins in a stretch of time begins in a part of it: a span begins so
  /// many times earlier after the first one. Durations stay, and so do the distances of events from the span's begin.
  public func squeezed(by factor: UInt64, into path: String) throws -> Corpus {
    let file = try Self.open(self.path)
    defer { close(file) }
    let target = Foundation.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    guard target >= 0 else { throw CocoaError(.fileWriteNoPermission, userInfo: [NSFilePathErrorKey: path]) }
    let output = FileHandle(fileDescriptor: target, closeOnDealloc: true)
    var base: UInt64?
    for place in requests {
      var data = try OTLP.decode(Self.read(file, place))
      data.forEachSpan { base = min(base ?? .max, $2.start.nanoseconds) }
      for index in data.resourceSpans.indices { data.resourceSpans[index].squeeze(by: factor, towards: base ?? 0) }
      let bytes = OTLP.encode(data)
      try output.write(contentsOf: withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Array($0) } + bytes)
    }
    return try Corpus(path: path)
  }

  private static func open(_ path: String) throws -> Int32 {
    let file = Foundation.open(path, O_RDONLY)
    guard file >= 0 else { throw CocoaError(.fileReadNoSuchFile, userInfo: [NSFilePathErrorKey: path]) }
    return file
  }

  private static func read(_ file: Int32, _ place: Range<Int>) throws -> [UInt8] {
    let bytes = [UInt8](unsafeUninitializedCapacity: place.count) { buffer, count in
      count = max(0, pread(file, buffer.baseAddress, place.count, off_t(place.lowerBound)))
    }
    guard bytes.count == place.count else { throw CocoaError(.fileReadUnknown) }
    return bytes
  }
}

extension ResourceSpans {
  fileprivate mutating func squeeze(by factor: UInt64, towards base: UInt64) {
    for scope in scopeSpans.indices {
      for index in scopeSpans[scope].spans.indices {
        scopeSpans[scope].spans[index].squeeze(by: factor, towards: base)
      }
    }
  }
}

extension SpanRecord {
  fileprivate mutating func squeeze(by factor: UInt64, towards base: UInt64) {
    guard start.nanoseconds > base else { return }
    let distance = start.nanoseconds - base
    let earlier = distance - distance / factor
    start.nanoseconds -= earlier
    end.nanoseconds -= min(end.nanoseconds, earlier)
    for index in events.indices { events[index].time.nanoseconds -= min(events[index].time.nanoseconds, earlier) }
  }
}
