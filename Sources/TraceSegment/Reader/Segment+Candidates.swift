package import TraceSource

// The stripes that a search has to look at: what is known of the whole segment comes before what is known of each.
extension Segment {
  package func candidates(
    _ predicate: SpanPredicate, needing texts: NeededTexts, where isOpen: (StripeBounds) -> Bool
  ) throws -> [any SpanStripe] {
    // What the footer says costs no section.
    guard isOpen(bounds), predicate.mayMatch(bounds) else { return [] }
    var found: [any SpanStripe] = []
    if try core.mayHold(texts) {
      let stripes = try spanStripes()
      var open = stripes.map { $0.rowCount > 0 && isOpen($0.bounds) && predicate.mayMatch($0.bounds) }
      try keep(&open, of: stripes, predicate)
      for (stripe, isOpen) in zip(stripes, open) where isOpen { found.append(stripe) }
    }
    if let partial = try partialStripe(), isOpen(partial.bounds), try predicate.mayMatch(partial) {
      found.append(partial)
    }
    return found
  }

  /// Closes the stripes that can't hold a row that passes.
  private func keep(_ open: inout [Bool], of stripes: [SegmentStripe], _ predicate: SpanPredicate) throws {
    if case .all(let parts) = predicate {
      // What the cheap first parts rule out, the others need not read an index for.
      for part in parts where open.contains(true) { try keep(&open, of: stripes, part) }
      return
    }
    let test = try core.stripeTest(predicate)
    for index in open.indices where open[index] { open[index] = try test.map { try $0(stripes[index]) } ?? false }
  }
}

extension SegmentCore {
  /// False when no row passes, for want of texts that are values of an attribute of the segment.
  func mayHold(_ texts: NeededTexts) throws -> Bool {
    if case .nothing = texts { return true }
    guard let filter = try textFilter() else { return true }
    return texts.areMet { filter.contains($0) }
  }

  /// Nil when the segment has none: then nothing is known.
  func textFilter() throws -> FilterBlock? {
    guard let entry = footer.section(.textFilter) else { return nil }
    return try cache.block(BlockCache.Key(fileNumber: number, offset: entry.offset)) {
      let buffer = try requiredSection(.textFilter)
      return try naming(.textFilter) { try FilterBlock(buffer.bytes) }
    }
  }
}
