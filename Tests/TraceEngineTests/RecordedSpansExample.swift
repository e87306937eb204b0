import Testing
import TraceEngine
import TracestoreTesting

/// How a test asserts on the spans that the code under test records.
@Suite struct `A test that looks at its own trace` {
  /// The code under test: it records into whatever store it is given.
  private func checkOut(recordingInto store: TraceStore) async throws {
    let order = try await store.beginSpan("check out", service: "shop", kind: .server)
    let payment = try await store.beginSpan("pay", service: "shop", parent: order)
    payment.setAttribute("amount", 12)
    payment.setStatus(.ok)
    try await payment.end()
    try await order.end()
  }

  @Test func `a check out pays once, inside of its order`() async throws {
    let store = try await TraceStore.inMemory()
    try await checkOut(recordingInto: store)
    let spans = try await store.recordedSpans()
    // Kept with the results of the test where `swift test --attachments-path` names a folder.
    #if compiler(>=6.2)
      Attachment.record(spans.description, named: "trace.txt")
    #endif
    let payment = try spans.only("pay")
    #expect(payment.state == .final && payment.span.status?.code == .ok)
    #expect(payment.span.attributes == [Attribute("amount", 12)])
    #expect(spans.roots.map(\.span.name) == ["check out"])
    #expect(try spans.children(of: spans.only("check out")) == [payment])
    try await store.close()
  }

  @Test func `a span that was not ended is there, and open`() async throws {
    let store = try await TraceStore.inMemory()
    let span = try await store.beginSpan("import", service: "batch")
    span.addEvent("half")
    #expect(try await store.recordedSpans().only("import").span.events.isEmpty)
    try await store.recorder.flush()
    let found = try await store.recordedSpans().only("import")
    #expect(found.state == .open && found.span.events.map(\.name) == ["half"])
    try await store.close()
  }
}
