import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

/// Whether a stripe may hold what is asked, decided from what the stripe index says of it: bounds, presence lists, zones
/// and value filters, all resident. False is certain.
///
/// Making it resolves strings, keys and tables, which all stripes of a segment share: a search makes it once for a
/// segment and asks it of each stripe. It takes the stripe and not its summary, which would be copied for every call.
typealias StripeTest = (SegmentStripe) throws -> Bool

extension SegmentCore {
  /// Nil when no stripe of the segment may hold what is asked.
  func stripeTest(_ leaf: SpanLeaf) throws -> StripeTest? {
    switch leaf {
    case .text(.service, let test): return try presence(test) { $0.services }
    case .text(.name, let test): return try presence(test) { $0.names }
    case .text(.statusMessage, let test): return try fixedTextTest(ChunkID.statusMessage, test)
    case .text(.traceState, let test): return try fixedTextTest(ChunkID.traceState, test)
    case .text(.resourceSchemaURL, let test):
      return presence(try resources().passing(.resourceSchemaURL, test)) { $0.resources }
    case .text(let text, let test): return presence(try scopes().passing(text, test)) { $0.scopes }
    case .kind(let kinds): return { $0.summary.kinds.contains { kinds.contains($0) } }
    case .statusCode(let codes):
      return { codes != [SpanStatus.Code.error.rawValue] || $0.summary.errorCount > 0 }
    case .start(let range):
      return { $0.bounds.minimumStart <= range.upperBound && $0.bounds.maximumStart >= range.lowerBound }
    case .end(let range):
      // A span may end before it starts, but then its duration counts as zero.
      return {
        $0.bounds.maximumEnd >= range.lowerBound
          && ($0.bounds.minimumStart <= range.upperBound || $0.bounds.minimumDuration == 0)
      }
    case .duration(let range):
      return { $0.bounds.minimumDuration <= range.upperBound && $0.bounds.maximumDuration >= range.lowerBound }
    case .traceID, .spanID, .parent, .record: return { _ in true }
    case .attribute(.resource, let key, let test): return presence(try resources().passing(key, test)) { $0.resources }
    case .attribute(.scope, let key, let test): return presence(try scopes().passing(key, test)) { $0.scopes }
    case .attribute(let level, let key, let test): return try attributeTest(level, key, test)
    case .some(let level, let predicate):
      guard let test = try stripeTest(predicate, level) else { return nil }
      return { try $0.summary.elementCount(level) > 0 && test($0) }
    }
  }

  /// The same for rows that do not pass. What resources and scopes decide is known of every stripe, kinds and errors too.
  func failureTest(_ leaf: SpanLeaf) throws -> StripeTest {
    switch leaf {
    case .text(.resourceSchemaURL, let test):
      return absence(try resources().passing(.resourceSchemaURL, test)) { $0.resources }
    case .text(let text, let test) where text.level == .scope:
      return absence(try scopes().passing(text, test)) { $0.scopes }
    case .kind(let kinds): return { !$0.summary.kinds.allSatisfy { kinds.contains($0) } }
    case .statusCode(let codes):
      return { codes != [SpanStatus.Code.error.rawValue] || $0.summary.errorCount < $0.rowCount }
    case .attribute(.resource, let key, let test): return absence(try resources().passing(key, test)) { $0.resources }
    case .attribute(.scope, let key, let test): return absence(try scopes().passing(key, test)) { $0.scopes }
    default: return { _ in true }
    }
  }

  func stripeTest(_ leaf: ElementLeaf, _ level: ChildLevel) throws -> StripeTest? {
    switch (leaf, level) {
    case (.name(let test), .event): return try fixedTextTest(ChunkID.eventName, test)
    case (.attribute(let key, let test), _): return try attributeTest(level.columnLevel, key, test)
    case (.time, .event), (.timeSinceStart, .event): return { $0.mayHaveEvent(passing: leaf) }
    // Links have no summary of their texts and ids.
    case (.linkedTrace, .link), (.linkedSpan, .link), (.traceState, .link): return { _ in true }
    default: return nil
    }
  }

  // MARK: Boolean operators

  func stripeTest(_ predicate: SpanPredicate) throws -> StripeTest? {
    switch predicate {
    case .leaf(let leaf): return try stripeTest(leaf)
    case .all(let parts): return all(try parts.map { try stripeTest($0) })
    case .any(let parts): return any(try parts.map { try stripeTest($0) })
    case .not(.leaf(let leaf)): return try failureTest(leaf)
    case .not: return { _ in true }
    }
  }

  private func stripeTest(_ predicate: ElementPredicate, _ level: ChildLevel) throws -> StripeTest? {
    switch predicate {
    case .leaf(let leaf): return try stripeTest(leaf, level)
    case .span(let predicate): return try stripeTest(predicate)
    case .all(let parts): return all(try parts.map { try stripeTest($0, level) })
    case .any(let parts): return any(try parts.map { try stripeTest($0, level) })
    case .not: return { _ in true }
    }
  }

  private func all(_ parts: [StripeTest?]) -> StripeTest? {
    let tests = parts.compactMap { $0 }
    if tests.count < parts.count { return nil }
    return { stripe in try tests.allSatisfy { try $0(stripe) } }
  }

  private func any(_ parts: [StripeTest?]) -> StripeTest? {
    let tests = parts.compactMap { $0 }
    if tests.count <= 1 { return tests.first }
    return { stripe in try tests.contains { try $0(stripe) } }
  }

  // MARK: Presence

  /// Whether one of a stripe's entries of a table is among those that pass.
  private func presence(_ passing: [Bool], _ entries: @escaping (StripeSummary) -> [UInt32]) -> StripeTest? {
    if passing.isEmpty { return nil }
    return { entries($0.summary).contains { Int($0) < passing.count && passing[Int($0)] } }
  }

  /// Whether one of a stripe's entries of a table is not among those that pass.
  private func absence(_ passing: [Bool], _ entries: @escaping (StripeSummary) -> [UInt32]) -> StripeTest {
    { !entries($0.summary).allSatisfy { Int($0) < passing.count && passing[Int($0)] } }
  }

  /// Whether one of a stripe's strings passes, of which the stripe index names all.
  private func presence(
    _ test: TextTest, _ codes: @escaping (StripeSummary) -> [UInt32]
  ) throws -> StripeTest? {
    let decision = try StringDecision(test, strings())
    if decision.isNone { return nil }
    return { try decision.passesAny(of: codes($0.summary)) }
  }

  // MARK: Texts

  /// A column that was left out holds empty texts.
  private func fixedTextTest(_ id: UInt32, _ test: TextTest) throws -> StripeTest? {
    try textTest(id, test, passesLeftOut: test.matches(""))
  }

  /// - Parameter passesLeftOut: whether stripes without the column pass.
  private func textTest(_ id: UInt32, _ test: TextTest, passesLeftOut: Bool = false) throws -> StripeTest? {
    guard let column = try textColumn(id) else { return passesLeftOut ? { _ in true } : nil }
    if let list = test.list, !passesLeftOut, !column.hasEmpty || !test.matches("") {
      // What no two stripes share is known by hashes alone, and mostly nowhere.
      let isShared = try column.hasShared && !strings().codes(of: list).isEmpty
      if !isShared {
        let stripes = try stripes(thatMayHold: list, column)
        return stripes.isEmpty ? nil : { try stripes.contains($0.index) }
      }
    }
    let decision = try StringDecision(test, strings())
    let passesEmpty = test.matches("")
    var known: StripeSet?
    return { stripe in
      guard let text = stripe.summary.text(id) else { return passesLeftOut }
      if text.form == .empty { return text.valueCount > 0 && passesEmpty }
      if try decision.passesAny(of: text.shared) { return true }
      guard text.localDistinctCount > 0 else { return false }
      guard let list = test.list else { return true }
      let stripes = try known ?? self.stripes(thatMayHold: list, column)
      known = stripes
      return try stripes.contains(stripe.index)
    }
  }

  /// The stripes that may hold one of the texts among those that no other stripe has.
  private func stripes(thatMayHold list: TextList, _ column: TextColumnIndex) throws -> StripeSet {
    if list.isEmpty { return StripeSet() }
    if let filters = try valueFilters(column) { return filters.stripes(thatMayHold: list.hashes, of: column) }
    var stripes = StripeSet()
    for stripe in column.unfilteredStripes { stripes.insert(stripe) }
    return stripes
  }

  // MARK: Attributes

  private func attributeTest(_ level: ColumnLevel, _ key: [UInt8], _ test: ValueTest) throws -> StripeTest? {
    var tests: [StripeTest] = []
    for entry in try keyEntries(level: level, key: key) {
      let type = try keys()[entry].type
      guard !test.cannotMatch(type) else { continue }
      let id = ChunkID.attribute(UInt32(entry))
      if test.spelled != nil, type != .string, type != .opaque {
        tests.append { $0.summary.number(id) != nil || $0.summary.text(id) != nil }
        continue
      }
      switch type {
      case .absent, .empty: tests.append { $0.summary.number(id) != nil }
      case .bool:
        tests.append { stripe in
          stripe.summary.number(id).map { zone in
            test.matches(.bool, bits: zone.minimum) || test.matches(.bool, bits: zone.maximum)
          } ?? false
        }
      case .int: tests.append { $0.summary.number(id)?.mayHold(test.ints) ?? false }
      case .double: tests.append { $0.summary.number(id)?.mayHold(test.doubles) ?? false }
      case .string, .bytes:
        guard let own = test.text(type) else { continue }
        if let text = try textTest(id, own) { tests.append(text) }
      case .array, .map, .opaque, .opaqueAttribute: tests.append { $0.summary.text(id) != nil }
      }
    }
    return any(tests)
  }
}

/// Which of a segment's strings pass: those that are asked for by name are looked up, others looked at once.
private final class StringDecision {
  private let strings: StringTable
  private let wanted: CodeList?
  private let decide: (UnsafeRawBufferPointer) -> Bool
  /// The codes that were looked at, and those of them that pass.
  private var known: RowMask
  private var passing: RowMask

  init(_ test: TextTest, _ strings: StringTable) throws {
    self.strings = strings
    wanted = test.list.map { strings.codes(of: $0) }
    decide = test.makeDecision()
    known = RowMask(count: wanted == nil ? strings.count : 0)
    passing = known
  }

  /// Whether no string passes, as far as is known without a look at them.
  var isNone: Bool { wanted?.isEmpty ?? false }

  /// - Parameter codes: ascending.
  func passesAny(of codes: [UInt32]) throws -> Bool {
    if let wanted { return wanted.containsAny(of: codes) }
    return try passesAny(of: codes, &known, &passing)
  }

  private func passesAny(of codes: [UInt32], _ known: inout RowMask, _ passing: inout RowMask) throws -> Bool {
    for code in codes {
      let index = Int(code)
      // A string that is not there is damage.
      guard index < known.count else { return try strings.withBytes(code, decide) }
      if !known[index] {
        known.set(index)
        if try strings.withBytes(code, decide) { passing.set(index) }
      }
      if passing[index] { return true }
    }
    return false
  }
}

extension StripeSummary {
  fileprivate func elementCount(_ level: ChildLevel) -> Int { level == .event ? eventCount : linkCount }
}
