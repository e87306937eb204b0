import Testing
import TraceColumns

@Suite struct SpanTableTests {
  /// A copy of one element reads a whole stride, also from a variable, which has no more than its size.
  @Test func `what is copied into a table fills its stride`() {
    #expect(MemoryLayout<SpanRow>.size == MemoryLayout<SpanRow>.stride)
  }
}
