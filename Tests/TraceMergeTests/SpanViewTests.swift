import Testing
import TraceMerge
import TraceModel

/// Records of one span.
enum Parts {
  static func part(
    _ sequence: Int64? = nil, service: String = "cart", name: String = "", kind: SpanKind = .server, start: UInt64 = 0,
    end: UInt64 = 0, isFlagged: Bool = false, removed: [String] = [],
    role: (service: String?, kind: AttributeValue?)? = nil,
    _ attributes: [Attribute] = [], change: (inout SpanRecord) -> Void = { _ in }
  ) -> SpanPart {
    var span = SpanRecord(
      traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), name: name, kind: kind,
      start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: end), attributes: attributes)
    if let sequence { span.attributes.append(Attribute(ControlKey.sequence, .int(sequence))) }
    if isFlagged { span.attributes.append(Attribute(ControlKey.partial, true)) }
    if !removed.isEmpty { span.attributes.append(Attribute(ControlKey.removed, .array(removed.map { .string($0) }))) }
    if let service = role?.service { span.attributes.append(Attribute(ControlKey.roleService, .string(service))) }
    if let kind = role?.kind { span.attributes.append(Attribute(ControlKey.roleKind, kind)) }
    change(&span)
    return SpanPart(
      resource: Resource(attributes: [Attribute("service.name", .string(service))]), scope: InstrumentationScope(),
      span: span, endZeroMeansOpen: true)
  }

  static func enrichment(
    _ sequence: Int64? = nil, service: String = "billing", removed: [String] = [],
    role: (service: String?, kind: AttributeValue?)? = nil, _ attributes: [Attribute] = [],
    change: (inout SpanRecord) -> Void = { _ in }
  ) -> SpanPart {
    part(
      sequence, service: service, kind: .unspecified, isFlagged: true, removed: removed, role: role, attributes,
      change: change)
  }

  static func event(_ time: UInt64, _ name: String) -> SpanEvent {
    SpanEvent(time: Timestamp(nanoseconds: time), name: name)
  }

  /// Attributes without the control keys.
  static func visible(_ view: SpanView) -> [Attribute] { view.span.attributes.filter { !ControlKey.isHidden($0.key) } }
}

@Suite struct `Views of a span` {
  @Test func `a final is completed by snapshots of its role and wins where both speak`() throws {
    let views = SpanView.views(of: [
      Parts.part(
        9, name: "old", start: 10, [Attribute("user", "ann"), Attribute("step", 1)],
        change: {
          $0.parentSpanID = SpanID(7)
          $0.status = SpanStatus(code: .error, message: "so far")
          $0.flags = 1
        }),
      Parts.part(name: "new", start: 12, end: 20, [Attribute("step", 2), Attribute("step", 3)]),
    ])
    let view = try #require(views.first)
    #expect(views.count == 1)
    #expect(!view.isOpen && !view.isEnriched)
    #expect(view.span.name == "new" && view.span.start.nanoseconds == 12 && view.span.end.nanoseconds == 20)
    #expect(view.span.parentSpanID == SpanID(7) && view.span.flags == 1)
    #expect(view.span.status == SpanStatus(code: .error, message: "so far"))
    #expect(view.span.attributes == [Attribute("step", 2), Attribute("step", 3), Attribute("user", "ann")])
  }

  @Test func `a record alone is itself`() throws {
    let part = Parts.part(4, name: "GET", start: 10, [Attribute("user", "ann")])
    let view = try #require(SpanView.views(of: [part, part]).first)
    #expect(view.span == part.span && view.isOpen && view.verbatimIndex == 0)
  }

  @Test func `updates of an open span add up, the newest word on each key counts`() throws {
    let views = SpanView.views(of: [
      Parts.part(1, name: "GET", start: 10, [Attribute("a", 1), Attribute("b", 1), Attribute("c", 1)]),
      Parts.part(3, start: 11, removed: ["c"], [Attribute("a", 3)], change: { $0.events = [Parts.event(40, "late")] }),
      Parts.part(
        2, start: 9, [Attribute("c", 2), Attribute("a", 2)], change: { $0.events = [Parts.event(30, "early")] }),
    ])
    let view = try #require(views.first)
    #expect(views.count == 1 && view.isOpen && view.verbatimIndex == nil)
    #expect(view.span.name == "GET" && view.span.start.nanoseconds == 9)
    #expect(Parts.visible(view) == [Attribute("a", 3), Attribute("b", 1)])
    #expect(view.span.events.map(\.name) == ["early", "late"])
    #expect(view.span.end.nanoseconds == 40, "the end of an open span is when it was last observed")
  }

  @Test func `what was removed stays removed when an older word comes late`() throws {
    let removal = Parts.part(5, start: 10, removed: ["secret"], [Attribute("a", 1)])
    let late = Parts.part(4, start: 10, [Attribute("secret", "x"), Attribute("b", 1)])
    #expect(Parts.visible(SpanView.views(of: [removal, late])[0]) == [Attribute("a", 1), Attribute("b", 1)])
    let newer = Parts.part(6, start: 10, [Attribute("secret", "y")])
    let view = SpanView.views(of: [newer, removal, late])[0]
    #expect(Parts.visible(view) == [Attribute("secret", "y"), Attribute("a", 1), Attribute("b", 1)])
  }

  @Test func `without sequences the later observation counts`() throws {
    let stated = Parts.part(start: 10, [Attribute("a", "stated"), Attribute(ControlKey.observed, 100)])
    let event = Parts.part(start: 10, [Attribute("a", "event")], change: { $0.events = [Parts.event(50, "x")] })
    #expect(Parts.visible(SpanView.views(of: [event, stated])[0]) == [Attribute("a", "stated")])
    #expect(SpanView.views(of: [event, stated])[0].span.end.nanoseconds == 100)
  }

  @Test func `an enrichment reaches every role, whatever it came under`() throws {
    let client = Parts.part(service: "front", name: "call", kind: .client, start: 1, end: 9)
    let server = Parts.part(service: "cart", name: "serve", kind: .server, start: 2)
    let added = Parts.enrichment(nil, [Attribute("price", 3)], change: { $0.name = "enricher" })
    let views = SpanView.views(of: [added, client, server])
    #expect(views.map(\.isOpen) == [false, true])
    #expect(views.allSatisfy { $0.isEnriched && Parts.visible($0) == [Attribute("price", 3)] })
    #expect(views.map(\.span.name) == ["call", "serve"])
    #expect(views.map { $0.resource.serviceName } == ["front", "cart"])
  }

  @Test func `an enrichment that names a role is for that role alone, and waits for it as an open span`() throws {
    let final = Parts.part(service: "front", kind: .client, start: 1, end: 9)
    let named = Parts.enrichment(role: ("cart", "server"), [Attribute("price", 3)])
    let free = Parts.enrichment(nil, [Attribute("note", 1)])
    let waiting = SpanView.views(of: [final, named, free])
    #expect(waiting.map(\.isOpen) == [false, true])
    #expect(Parts.visible(waiting[0]) == [Attribute("note", 1)])
    #expect(Set(Parts.visible(waiting[1])) == [Attribute("note", 1), Attribute("price", 3)])
    let found = SpanView.views(of: [final, named, free, Parts.part(service: "cart", start: 2, end: 3)])
    #expect(found.map(\.isOpen) == [false, false])
    #expect(found.map { Set(Parts.visible($0)).count }.sorted() == [1, 2])
  }

  @Test func `a role may be named by its kind alone, as a word or as a number`() {
    for kind in ["SERVER", .int(2)] as [AttributeValue] {
      let views = SpanView.views(of: [
        Parts.part(kind: .server, start: 1, end: 2), Parts.part(kind: .client, start: 1, end: 2),
        Parts.enrichment(role: (nil, kind), [Attribute("x", 1)]),
      ])
      #expect(views.filter(\.isEnriched).map(\.span.kind) == [.server])
    }
  }

  @Test func `a snapshot without a kind belongs to every role of its service, or is a span of its own`() {
    let kindless = Parts.part(1, kind: .unspecified, start: 1, [Attribute("x", 1)])
    #expect(SpanView.views(of: [kindless]).map(\.isOpen) == [true])
    let views = SpanView.views(of: [
      kindless, Parts.part(kind: .client, start: 1, end: 2), Parts.part(2, kind: .server, start: 1),
      Parts.part(service: "front", kind: .server, start: 1, end: 2),
    ])
    #expect(views.count == 3)
    #expect(views.filter { Parts.visible($0) == [Attribute("x", 1)] }.allSatisfy { $0.resource.serviceName == "cart" })
    #expect(views.filter { Parts.visible($0) == [Attribute("x", 1)] }.count == 2)
  }

  @Test func `different finals under one id are different spans`() {
    let views = SpanView.views(of: [
      Parts.part(name: "a", start: 1, end: 2), Parts.part(name: "b", start: 1, end: 2),
      Parts.part(1, start: 1, [Attribute("x", 1)]),
    ])
    #expect(Set(views.map(\.span.name)) == ["a", "b"])
    #expect(views.allSatisfy { !$0.isOpen && $0.span.attributes == [Attribute("x", 1)] })
  }

  @Test func `events are as many as the record has that has most of them`() {
    let twice = Parts.part(1, start: 1, change: { $0.events = [Parts.event(5, "tick"), Parts.event(5, "tick")] })
    let once = Parts.part(2, start: 1, change: { $0.events = [Parts.event(5, "tick"), Parts.event(4, "tock")] })
    #expect(SpanView.views(of: [twice, once])[0].span.events.map(\.name) == ["tock", "tick", "tick"])
  }

  @Test func `a status of a lower rank never wins, and a final that has one keeps it`() {
    func status(_ code: SpanStatus.Code) -> (inout SpanRecord) -> Void { { $0.status = SpanStatus(code: code) } }
    let (ok, error) = (Parts.part(1, start: 1, change: status(.ok)), Parts.part(2, start: 1, change: status(.error)))
    #expect(SpanView.views(of: [ok, error])[0].span.status?.code == .ok)
    let final = Parts.part(start: 1, end: 2, change: status(.error))
    #expect(SpanView.views(of: [final, ok])[0].span.status?.code == .error)
    let unset = Parts.part(start: 1, end: 2, change: status(.unset))
    #expect(SpanView.views(of: [unset, ok])[0].span.status?.code == .ok)
  }

  @Test func `where an end of zero is an ordinary value, only flagged records are partial`() {
    let span = SpanRecord(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3))
    func kind(_ endZeroMeansOpen: Bool) -> SpanPart.Kind {
      SpanPart(
        resource: Resource(), scope: InstrumentationScope(), span: span, endZeroMeansOpen: endZeroMeansOpen
      ).kind
    }
    #expect(kind(true) == .snapshot && kind(false) == .final)
  }
}
