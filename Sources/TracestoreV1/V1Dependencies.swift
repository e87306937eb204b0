public import TraceModel
public import TracestoreV2

/// One service calling another, in v1's words.
public struct V1DependencyLink: Hashable, Sendable {
  public var parent: String
  public var child: String
  public var callCount: UInt64
  /// Who found the link. Empty stays empty, in both directions.
  public var source: String

  public init(parent: String, child: String, callCount: UInt64, source: String = "") {
    self.parent = parent
    self.child = child
    self.callCount = callCount
    self.source = source
  }

  public static func == (left: V1DependencyLink, right: V1DependencyLink) -> Bool {
    left.parent.isExactly(right.parent) && left.child.isExactly(right.child) && left.callCount == right.callCount
      && left.source.isExactly(right.source)
  }
}

/// Reads the service graph: Jaeger's v1 `dependencystore.Reader`.
public protocol V1DependencyReading: Sendable {
  /// The links seen between `end` − `lookbackNanoseconds` (inclusive) and `end` (exclusive).
  func getDependencies(
    end: Timestamp, lookbackNanoseconds: UInt64
  ) async throws -> ResultList<V1DependencyLink>
}

/// Stores links: Jaeger's v1 `dependencystore.Writer`.
public protocol V1DependencyWriting: Sendable {
  func writeDependencies(_ links: [V1DependencyLink], at time: Timestamp) async throws
}

/// The service graph of a v2 store in v1's words. Error counts and latencies have no place in v1.
public struct V1DependencyReader: V1DependencyReading {
  private let reader: any DependencyReader

  public init(_ reader: any DependencyReader) { self.reader = reader }

  public func getDependencies(
    end: Timestamp, lookbackNanoseconds: UInt64
  ) async throws -> ResultList<V1DependencyLink> {
    let start = Timestamp(nanoseconds: end.nanoseconds - min(end.nanoseconds, lookbackNanoseconds))
    let answer = try await reader.getDependencies(DependencyQuery(start: start, end: end))
    let links = answer.map {
      V1DependencyLink(parent: $0.parent, child: $0.child, callCount: $0.callCount, source: $0.source)
    }
    return ResultList(links, summary: answer.summary)
  }
}

/// A v2 store that takes links in v1's words.
public struct V1DependencyWriter: V1DependencyWriting {
  private let writer: any DependencyWriter

  public init(_ writer: any DependencyWriter) { self.writer = writer }

  public func writeDependencies(_ links: [V1DependencyLink], at time: Timestamp) async throws {
    let links = links.map {
      DependencyLink(parent: $0.parent, child: $0.child, callCount: $0.callCount, source: $0.source)
    }
    try await writer.writeDependencies(links, at: time)
  }
}
