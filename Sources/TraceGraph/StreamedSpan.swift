package import TraceModel

/// A final span on its way into a store, as far as live figures look at it. Texts are codes of whoever counts.
package struct StreamedSpan: Sendable {
  package var trace: TraceID
  package var span: CallSpan

  package init(trace: TraceID, span: CallSpan) {
    self.trace = trace
    self.span = span
  }
}

extension CallSpan {
  /// Of a materialised span.
  ///
  /// - Parameter code: gives a text its code.
  package init(_ record: SpanRecord, service: String, code: (String) -> UInt32) {
    let role = SpanRole(kind: record.kind.rawValue)
    self.init(
      spanID: record.spanID.rawValue, parentID: record.parentSpanID?.rawValue ?? 0, start: record.start.nanoseconds,
      duration: record.durationNanoseconds, service: code(service), role: role, isError: record.isError)
    if role.isCaller, let named = PeerNames.peer(of: record.attributes, role) {
      peer = code(named.name)
      peerConnection = named.connection
    }
  }

  /// Whether all that is known of two spans of a trace is the same.
  func repeats(_ other: CallSpan) -> Bool {
    spanID == other.spanID && parentID == other.parentID && start == other.start && duration == other.duration
      && service == other.service && peer == other.peer && peerConnection == other.peerConnection && role == other.role
      && isError == other.isError
  }

  /// An order in which spans that repeat each other are neighbours.
  func precedes(_ other: CallSpan) -> Bool {
    if spanID != other.spanID { return spanID < other.spanID }
    if start != other.start { return start < other.start }
    if duration != other.duration { return duration < other.duration }
    if parentID != other.parentID { return parentID < other.parentID }
    if service != other.service { return service < other.service }
    if peer != other.peer { return peer < other.peer }
    if peerConnection != other.peerConnection { return peerConnection.rawValue < other.peerConnection.rawValue }
    if role != other.role { return role.rawValue < other.role.rawValue }
    return !isError && other.isError
  }
}
