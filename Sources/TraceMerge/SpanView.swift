package import TraceModel

/// A span as a reader sees it: what all its records say together.
package struct SpanView: Sendable {
  package var resource: Resource
  package var scope: InstrumentationScope
  package var span: SpanRecord
  /// Whether no record ends the span.
  package var isOpen: Bool
  /// Whether an enrichment took part.
  package var isEnriched: Bool
  /// The place of the record that the view is, unchanged; nil for a view that no record alone gives.
  package var verbatimIndex: Int?

  package init(
    resource: Resource, scope: InstrumentationScope, span: SpanRecord, isOpen: Bool, isEnriched: Bool,
    verbatimIndex: Int? = nil
  ) {
    self.resource = resource
    self.scope = scope
    self.span = span
    self.isOpen = isOpen
    self.isEnriched = isEnriched
    self.verbatimIndex = verbatimIndex
  }
}

extension SpanView {
  /// The views of the records of one (trace id, span id).
  ///
  /// Each distinct final is a view, joined with the snapshots of its role and with the enrichments that are meant for
  /// it. Each role with snapshots and no final is an open span, joined likewise. Enrichments that find no span are
  /// together one open span. The answer does not depend on the order of the records, on repetitions, nor on records
  /// that do not contribute.
  ///
  /// Finals come first, by stamp; then open spans by service and kind. Cost: linear in the parts of the records, and
  /// logarithms of their count.
  package static func views(of parts: [SpanPart]) -> [SpanView] {
    SpanJoin(parts, contributing: SpanPart.contributing(parts)).views()
  }
}

/// The contributing records of one (trace id, span id), newest first.
private struct SpanJoin {
  private let parts: [SpanPart]
  private var finals: [Int] = []
  private var snapshots: [Int] = []
  private var enrichments: [Int] = []
  private let memberships: [Int: Membership]

  init(_ parts: [SpanPart], contributing: [Int]) {
    self.parts = parts
    var memberships: [Int: Membership] = [:]
    for index in contributing.sorted(by: { parts[$0].precedes(parts[$1]) }) {
      memberships[index] = parts[index].membership
      switch parts[index].kind {
      case .final: finals.append(index)
      case .snapshot: snapshots.append(index)
      case .enrichment: enrichments.append(index)
      }
    }
    self.memberships = memberships
  }

  func views() -> [SpanView] {
    var views = finals.map { final in
      view(final, snapshots: snapshots(of: role(final)), enrichments: enrichments(of: role(final)))
    }
    let finalRoles = Set(finals.map(role))
    let openRoles = Set(snapshots.map(role)).subtracting(finalRoles).filter { $0.kind != 0 || isAlone($0) }
    for role in openRoles.sorted() {
      views.append(view(nil, snapshots: snapshots(of: role), enrichments: enrichments(of: role)))
    }
    let roles = finalRoles.union(openRoles)
    let homeless = enrichments.filter { index in
      guard let membership = memberships[index] else { return false }
      return !roles.contains(where: membership.includes)
    }
    if !homeless.isEmpty {
      let own = Set(homeless)
      views.append(
        view(
          nil, snapshots: [],
          enrichments: enrichments.filter { own.contains($0) || memberships[$0]?.isAnyRole == true }))
    }
    return views
  }

  private func role(_ index: Int) -> Membership { memberships[index] ?? Membership() }

  /// Whether snapshots without a kind are a span of their own: no other record says which kinds the service has.
  private func isAlone(_ role: Membership) -> Bool {
    !(finals + snapshots).contains { memberships[$0]?.service == role.service && memberships[$0] != role }
  }

  /// One without a kind belongs to every role of its service.
  private func snapshots(of role: Membership) -> [Int] {
    snapshots.filter { index in
      guard let own = memberships[index] else { return false }
      return own == role || own.kind == 0 && own.service == role.service
    }
  }

  private func enrichments(of role: Membership) -> [Int] {
    enrichments.filter { memberships[$0]?.includes(role) == true }
  }

  private func view(_ final: Int?, snapshots: [Int], enrichments: [Int]) -> SpanView {
    let first = (final.map { [$0] } ?? []) + snapshots + enrichments
    let base = parts[first[0]]
    var view = SpanView(
      resource: base.resource, scope: base.scope, span: base.span, isOpen: final == nil,
      isEnriched: !enrichments.isEmpty, verbatimIndex: first.count == 1 ? first[0] : nil)
    if first.count == 1 { return view }
    let order = JoinOrder(
      final: final.map { parts[$0] }, snapshots: snapshots.map { parts[$0] }, enrichments: enrichments.map { parts[$0] }
    )
    view.span.join(order)
    if final == nil {
      let lastObserved = order.partials.reduce(0) { max($0, $1.span.lastObservedNanoseconds) }
      view.span.end = Timestamp(nanoseconds: lastObserved)
    } else if enrichments.isEmpty, view.span == base.span {
      view.verbatimIndex = first[0]
    }
    return view
  }
}
