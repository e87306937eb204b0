import TraceModel

extension SpanPart {
  /// The places of the records that remain when every record is dropped that says nothing which another does not say
  /// with a greater stamp, ascending. Equal records count once: the first stays.
  ///
  /// What remains joins to the same views as all of them, now and together with any records that come later: each part
  /// of a joined span is a maximum (of stamps, of counts, of times), and the record that holds the maximum stays.
  /// Records are compared only with those that are parts of the same spans whatever else there is, and finals with
  /// nobody: another final of the same role may come and lack what this one has.
  ///
  /// - Parameter parts: Of one trace and span id, in any order.
  package static func contributing(_ parts: [SpanPart]) -> [Int] {
    struct Class: Hashable {
      var kind: Kind
      var membership: Membership
    }
    if parts.count < 2 { return Array(parts.indices) }
    var kept: [Int] = []
    var classes: [Class: [Int]] = [:]
    var seen: Set<[UInt8]> = []
    for (index, part) in parts.enumerated() where seen.insert(part.content).inserted {
      if part.kind == .final {
        kept.append(index)
      } else {
        classes[Class(kind: part.kind, membership: part.membership), default: []].append(index)
      }
    }
    for members in classes.values {
      let newestFirst = members.sorted { parts[$0].precedes(parts[$1]) }
      var contest = PartContest()
      for index in newestFirst { contest.enter(parts[index].span) }
      kept += contest.winners.map { newestFirst[$0] }
    }
    return kept.sorted()
  }

  /// The order in which records are asked: greater stamps first.
  func precedes(_ other: SpanPart) -> Bool {
    stamp != other.stamp ? stamp > other.stamp : content.lexicographicallyPrecedes(other.content)
  }
}

/// Finds, of records that come newest first, those that have the last word about any part of a span.
private struct PartContest {
  private var count = 0
  private var hasLastWord: Set<Int> = []
  private var texts: Set<String> = []
  private var maxima: [String: (value: UInt64, holder: Int)] = [:]
  private var flags: UInt32 = 0
  private var keys: Set<[UInt8]> = []
  private var elements: [[UInt8]: (count: Int, holder: Int)] = [:]

  var winners: [Int] {
    Array(hasLastWord.union(maxima.values.map(\.holder)).union(elements.values.map(\.holder)))
  }

  mutating func enter(_ span: SpanRecord) {
    let index = count
    count += 1
    // The newest says where the span belongs.
    if index == 0 { hasLastWord.insert(index) }
    if !span.name.isEmpty { enterFirst("name", index) }
    if span.kind != .unspecified { enterFirst("kind", index) }
    if span.parentSpanID?.isZero == false { enterFirst("parent", index) }
    if !span.traceState.isEmpty { enterFirst("traceState", index) }
    if !span.unknownFields.isEmpty { enterFirst("unknownFields", index) }
    // The earliest start is the greatest complement.
    if span.start != .zero { enterMaximum("start", ~span.start.nanoseconds, index) }
    enterMaximum("observed", span.lastObservedNanoseconds, index)
    enterMaximum("attributes", UInt64(span.droppedAttributeCount), index)
    enterMaximum("events", UInt64(span.droppedEventCount), index)
    enterMaximum("links", UInt64(span.droppedLinkCount), index)
    if let status = span.status { enterMaximum("status", status.code.rank, index) }
    if span.flags & ~flags != 0 { hasLastWord.insert(index) }
    flags |= span.flags
    for key in span.decidedKeys where keys.insert(key).inserted { hasLastWord.insert(index) }
    enterElements(span.eventContents, index)
    enterElements(span.linkContents, index)
  }

  private mutating func enterFirst(_ name: String, _ index: Int) {
    if texts.insert(name).inserted { hasLastWord.insert(index) }
  }

  private mutating func enterMaximum(_ name: String, _ value: UInt64, _ index: Int) {
    if maxima[name].map({ $0.value < value }) ?? true { maxima[name] = (value, index) }
  }

  private mutating func enterElements(_ contents: [[UInt8]], _ index: Int) {
    var counts: [[UInt8]: Int] = [:]
    for content in contents { counts[content, default: 0] += 1 }
    for (content, count) in counts where count > elements[content]?.count ?? 0 { elements[content] = (count, index) }
  }
}
