import TraceColumns
import TraceModel
import TraceSource

// Conditions on the texts that every span has.
extension SegmentStripe {
  func keepText(
    _ text: SpanText, _ test: TextTest, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    switch text {
    case .service, .name:
      let runs = try loaded.runs(scratch)
      let codes = text == .service ? runs.services : runs.names
      if let list = test.list {
        let wanted = try core.strings().codes(of: list)
        if wanted.codes.count == 1 { return runs.filter(&mask) { codes[$0] == wanted.codes[0] } }
        return runs.filter(&mask) { wanted.contains(codes[$0]) }
      }
      let passing = try passingCodes(codes, test)
      runs.filter(&mask) { passing.contains(codes[$0]) }
    case .statusMessage: try keepText(ChunkID.statusMessage, test, &mask, loaded, scratch)
    case .traceState: try keepText(ChunkID.traceState, test, &mask, loaded, scratch)
    case .resourceSchemaURL:
      try keepResources(try core.resources().passing(text, test), &mask, loaded, scratch)
    case .scopeName, .scopeVersion, .scopeSchemaURL:
      let passing = try core.scopes().passing(text, test)
      try keepTableRows(ChunkID.scope, list: try loaded.scopeList(scratch), passing, &mask, loaded, scratch)
    }
  }

  /// The codes among `codes` whose strings pass; each string is looked at once.
  func passingCodes(_ codes: some Sequence<UInt32>, _ test: TextTest) throws -> Set<UInt32> {
    let strings = try core.strings()
    let decide = test.makeDecision()
    var decided: Set<UInt32> = []
    var passing: Set<UInt32> = []
    for code in codes where decided.insert(code).inserted {
      if try strings.withBytes(code, decide) { passing.insert(code) }
    }
    return passing
  }

  private func keepText(
    _ id: UInt32, _ test: TextTest, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    guard let first = mask.firstSet(), let last = mask.lastSet else { return }
    var hits = RowMask(count: rowCount)
    try loaded.text(id, count: rowCount, scratch).forEachIndex(
      passing: test, in: first..<(last + 1), neededRows: mask, try core.strings(), scratch
    ) { hits.set($0) }
    mask.formIntersection(hits)
  }
}
