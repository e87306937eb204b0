import TraceManifest
import TraceQuery

extension TraceStore: DependencyReader {
  /// The links of `serviceGraph(_:)`, in its order.
  public func getDependencies(_ query: DependencyQuery) async throws -> ResultList<DependencyLink> {
    let graph = try await serviceGraph(query)
    return ResultList(graph.links, summary: graph.summary)
  }

  /// The graph of services that call each other: counted from the final spans that are stored, with what
  /// `writeDependencies` was given, and the spans that could not be paired.
  ///
  /// A call belongs to the window that the start of its called span lies in. What a call is, and how peers without spans
  /// are named, stands in the article "ServiceGraph".
  ///
  /// - Cost: spans are read once, and sums of them kept in the cache. Stripes that the window cuts are added up call by
  ///   call. What is not in a segment yet is paired anew each time.
  public func serviceGraph(_ query: DependencyQuery) async throws -> ServiceGraph {
    guard query.start <= query.end else {
      throw TracestoreError(.invalidArgument, "The window of the service graph ends before it starts.")
    }
    let files = core.dependencyFiles
    let parallel = core.parallel
    return try await core.read { snapshot in
      var graph = ServiceGraphQuery(query, in: snapshot, parallel: parallel).run()
      let written = files.links(query)
      if !written.links.isEmpty {
        let isKept = { (link: DependencyLink) in
          query.includesSelfCalls || !link.parent.utf8.elementsEqual(link.child.utf8)
        }
        graph.links = DependencyLink.summed(graph.links + written.links.filter(isKept))
      }
      graph.summary.add(damage: written.damage)
      return graph
    }
  }
}

extension TraceStore: DependencyWriter {
  /// Stores links that were computed elsewhere. Durable on return: each call makes a small file of its own, so write
  /// snapshots by the hour or day, not by the link.
  ///
  /// - Throws: `limitExceeded` above 64 MiB; `readOnly`, `closed`, `diskFull`, `poisoned`, `inputOutput`.
  public func writeDependencies(_ links: [DependencyLink], at time: Timestamp) async throws {
    try await core.writeDependencies(links, at: time)
  }
}
