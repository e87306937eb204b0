package import TraceColumns

// Boolean operators over the leaves that stripes decide.
extension SpanPredicate {
  /// False when no row of the stripe can pass, decided without reading it.
  package func mayMatch(_ stripe: any SpanStripe) throws -> Bool {
    switch self {
    case .leaf(let leaf): try stripe.mayMatch(leaf)
    case .all(let parts): try parts.allSatisfy { try $0.mayMatch(stripe) }
    case .any(let parts): try parts.contains { try $0.mayMatch(stripe) }
    case .not: true
    }
  }

  /// False when no row within such bounds can pass; decided by times alone.
  package func mayMatch(_ bounds: StripeBounds) -> Bool {
    switch self {
    case .leaf(.start(let range)):
      bounds.minimumStart <= range.upperBound && bounds.maximumStart >= range.lowerBound
    case .leaf(.duration(let range)):
      bounds.minimumDuration <= range.upperBound && bounds.maximumDuration >= range.lowerBound
    case .all(let parts): parts.allSatisfy { $0.mayMatch(bounds) }
    case .any(let parts): parts.contains { $0.mayMatch(bounds) }
    case .leaf, .not: true
    }
  }

  /// What values rows need to pass.
  package var neededTexts: NeededTexts {
    switch self {
    case .leaf(.attribute(_, _, let test)): test.textHashes.map { .oneOf(Set($0)) } ?? .nothing
    case .all(let parts): .all(of: parts.map(\.neededTexts))
    case .any(let parts): .any(of: parts.map(\.neededTexts))
    case .leaf, .not: .nothing
    }
  }

  /// For each stripe of a source, whether any of its rows may pass. Stripes that are not `open` are not looked at: what
  /// the cheap first parts rule out, the others need not read an index for.
  package func stripes(of source: any SpanSource, among open: [Bool]) throws -> [Bool] {
    switch self {
    case .leaf(let leaf): return try source.stripes(mayMatch: leaf, among: open)
    case .all(let parts):
      var open = open
      for part in parts where open.contains(true) { open = try part.stripes(of: source, among: open) }
      return open
    case .any(let parts):
      var left = open
      var result = [Bool](repeating: false, count: open.count)
      for part in parts where left.contains(true) {
        for (index, own) in try part.stripes(of: source, among: left).enumerated() where own {
          result[index] = true
          left[index] = false
        }
      }
      return result
    case .not(.leaf(let leaf)): return try source.stripes(mayFail: leaf, among: open)
    case .not: return open
    }
  }

  /// Clears the rows that do not pass.
  package func filter(_ mask: inout RowMask, in stripe: any SpanStripe) throws {
    try filter(&mask, in: stripe) { part, _, mask in try part.filter(&mask, in: stripe) }
  }

  /// The same, where `filterPart` filters by a part, which it gets with its place among the parts.
  package func filter(
    _ mask: inout RowMask, in stripe: any SpanStripe,
    byPart filterPart: (_ part: SpanPredicate, _ index: Int, inout RowMask) throws -> Void
  ) throws {
    switch self {
    case .leaf(let leaf):
      try stripe.filter(&mask, by: leaf)
    case .all(let parts):
      for (index, part) in parts.enumerated() {
        if mask.isEmpty { return }
        try filterPart(part, index, &mask)
      }
    case .any(let parts):
      try mask.keepAny(of: Array(parts.enumerated())) { try filterPart($0.element, $0.offset, &$1) }
    case .not(let part):
      var passed = mask
      try filterPart(part, 0, &passed)
      mask.subtract(passed)
    }
  }
}

extension RowMask {
  /// Keeps the rows that any of the parts keeps; each part is asked only about rows that those before it let go.
  fileprivate mutating func keepAny<Part>(
    of parts: [Part], _ filter: (Part, inout RowMask) throws -> Void
  ) rethrows {
    var passed = RowMask(count: count)
    var open = self
    for part in parts {
      if open.isEmpty { break }
      var own = open
      try filter(part, &own)
      passed.formUnion(own)
      open.subtract(own)
    }
    self = passed
  }
}

/// A stripe whose events and links are columns of their own.
package protocol ElementStripe: SpanStripe {
  /// The first event or link of each row, then their count; nil when there are none.
  func elementOffsets(_ level: ChildLevel) throws -> [UInt32]?

  /// False when no element of the stripe can pass; decided from resident data.
  func mayMatch(_ leaf: ElementLeaf, _ level: ChildLevel) throws -> Bool

  /// Clears every element of `mask` that does not pass.
  func filterElements(_ mask: inout RowMask, of level: ChildLevel, by leaf: ElementLeaf) throws
}

extension ElementStripe {
  /// Clears the rows without an element that passes.
  package func keepOwners(_ mask: inout RowMask, of level: ChildLevel, _ predicate: ElementPredicate) throws {
    guard let offsets = try elementOffsets(level) else { return mask.clear(0..<rowCount) }
    var elements = RowMask(count: Int(offsets[rowCount]))
    mask.forEachRun { rows in elements.set(Int(offsets[rows.lowerBound])..<Int(offsets[rows.upperBound])) }
    try filter(&elements, of: level, by: predicate, offsets)
    var owners = RowMask(count: rowCount)
    let finder = ElementOwners(offsets)
    var row = 0
    elements.forEachSet { element in
      row = finder.owner(of: element, from: row)
      owners.set(row)
    }
    mask = owners
  }

  private func filter(
    _ mask: inout RowMask, of level: ChildLevel, by predicate: ElementPredicate, _ offsets: [UInt32]
  ) throws {
    switch predicate {
    case .leaf(let leaf):
      try filterElements(&mask, of: level, by: leaf)
    case .span(let predicate):
      // Of the rows that still have an element, then back to the elements.
      var rows = RowMask(count: rowCount)
      for row in 0..<rowCount where mask.hasSet(in: Int(offsets[row])..<Int(offsets[row + 1])) { rows.set(row) }
      try predicate.filter(&rows, in: self)
      var kept = RowMask(count: mask.count)
      rows.forEachSet { row in kept.set(Int(offsets[row])..<Int(offsets[row + 1])) }
      mask.formIntersection(kept)
    case .all(let parts):
      for part in parts {
        if mask.isEmpty { return }
        try filter(&mask, of: level, by: part, offsets)
      }
    case .any(let parts):
      try mask.keepAny(of: parts) { try filter(&$1, of: level, by: $0, offsets) }
    case .not(let part):
      var passed = mask
      try filter(&passed, of: level, by: part, offsets)
      mask.subtract(passed)
    }
  }

  /// False when no element can pass.
  package func mayMatch(_ predicate: ElementPredicate, _ level: ChildLevel) throws -> Bool {
    switch predicate {
    case .leaf(let leaf): try mayMatch(leaf, level)
    case .span(let predicate): try predicate.mayMatch(self)
    case .all(let parts): try parts.allSatisfy { try mayMatch($0, level) }
    case .any(let parts): try parts.contains { try mayMatch($0, level) }
    case .not: true
    }
  }
}
