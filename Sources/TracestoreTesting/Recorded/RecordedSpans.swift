import TraceModel
public import TracestoreV2

/// The spans that a piece of code has recorded, for the assertions of its test.
///
/// ```swift
/// let store = try await TraceStore.inMemory()
/// try await checkOut(recordingInto: store)
/// let spans = try await store.recordedSpans()
/// let payment = try spans.only("pay")
/// #expect(payment.span.status?.code == .ok)
/// #expect(spans.children(of: payment).map(\.span.name) == ["authorize", "capture"])
/// Attachment.record(spans.description, named: "trace.txt")
/// ```
///
/// A collection in the order of trace id, start and span id. Its description draws every trace as a tree, for people who
/// look at a test that failed. Names are equal when their UTF-8 bytes are.
public struct RecordedSpans: RandomAccessCollection, Sendable {
  private let spans: [FoundSpan]

  public init(_ spans: some Sequence<FoundSpan>) {
    self.spans = spans.sorted { left, right in
      let (left, right) = (left.span, right.span)
      if left.traceID != right.traceID { return left.traceID < right.traceID }
      return left.start != right.start ? left.start < right.start : left.spanID < right.spanID
    }
  }

  public var startIndex: Int { spans.startIndex }
  public var endIndex: Int { spans.endIndex }
  public subscript(index: Int) -> FoundSpan { spans[index] }

  /// The spans with a name.
  public func named(_ name: String) -> [FoundSpan] {
    spans.filter { $0.span.name.utf8.elementsEqual(name.utf8) }
  }

  /// The one span with a name.
  ///
  /// - Throws: `notFound` when there is none, `invalidArgument` when there are several; the message draws all spans.
  public func only(_ name: String) throws -> FoundSpan {
    let found = named(name)
    guard let span = found.first, found.count == 1 else {
      throw TracestoreError(
        found.isEmpty ? .notFound : .invalidArgument,
        "\(found.count) spans are named \"\(name)\" where one was expected. Recorded are:\n\(description)")
    }
    return span
  }

  /// The spans that name another one as their parent, by start. A span is no child of its own.
  public func children(of parent: FoundSpan) -> [FoundSpan] {
    spans.filter { isChild($0.span, of: parent.span) }
  }

  /// The spans whose parent is not among these: where traces begin, and where they were torn.
  public var roots: [FoundSpan] { spans.filter { isRoot($0.span) } }

  func isRoot(_ span: SpanRecord) -> Bool { !spans.contains { isChild(span, of: $0.span) } }

  func isChild(_ span: SpanRecord, of parent: SpanRecord) -> Bool {
    span.traceID == parent.traceID && span.parentSpanID == parent.spanID && span.spanID != parent.spanID
  }
}

extension TraceReader {
  /// The spans of all traces that a search finds, open ones among them; without a query those of the whole store.
  ///
  /// What a `SpanRecorder` has not written yet is not there: `end()` the spans or `flush()` the recorder first. Costs
  /// memory for every span.
  ///
  /// - Throws: what the search throws, and `corrupt` when anything could not be read.
  public func recordedSpans(_ query: TraceQuery = TraceQuery(limit: .max)) async throws -> RecordedSpans {
    let (chunks, summary) = try await findTraces(query).collect()
    guard summary.damage.isEmpty else { throw TracestoreError(.corrupt, summary.damage.joined(separator: " ")) }
    return RecordedSpans(chunks.flatMap(\.foundSpans))
  }
}
