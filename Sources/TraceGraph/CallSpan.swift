import TraceModel

/// What the service graph needs of a final span. Texts are codes of whoever made it.
package struct CallSpan: Sendable {
  package var spanID: UInt64
  /// 0 for a span without a parent: an all-zero id names none.
  package var parentID: UInt64
  package var start: UInt64
  /// max(0, end − start).
  package var duration: UInt64
  package var service: UInt32
  /// The name of what a calling span calls, by its attributes; `noPeer` when they say nothing.
  package var peer: UInt32
  package var role: SpanRole
  package var isError: Bool
  /// What kind of thing the peer is.
  package var peerConnection: Connection

  package static let noPeer = UInt32.max

  package init(
    spanID: UInt64, parentID: UInt64, start: UInt64, duration: UInt64, service: UInt32, peer: UInt32 = noPeer,
    role: SpanRole, isError: Bool, peerConnection: Connection = .external
  ) {
    self.spanID = spanID
    self.parentID = parentID
    self.start = start
    self.duration = duration
    self.service = service
    self.peer = peer
    self.role = role
    self.isError = isError
    self.peerConnection = peerConnection
  }
}

/// On which side of a call a span stands, by its kind.
package enum SpanRole: UInt8, Sendable {
  /// Internal, unspecified and unknown kinds.
  case inner
  case client
  case producer
  case server
  case consumer

  package init(kind: Int32) {
    self =
      switch SpanKind(rawValue: kind) {
      case .client: .client
      case .producer: .producer
      case .server: .server
      case .consumer: .consumer
      default: .inner
      }
  }

  package var isCaller: Bool { self == .client || self == .producer }
  package var isCallee: Bool { self == .server || self == .consumer }
}

/// How two services are connected.
package enum Connection: UInt8, CaseIterable, Sendable {
  case call
  case messaging
  /// To a peer that sends no spans and that is a database.
  case database
  /// To any other peer that sends no spans.
  case external
  /// No edge: a calling span that nothing answers and whose attributes name no peer.
  case unpairedCaller
  /// No edge: a called span whose parent is not there.
  case unpairedCallee
}

/// One call. Of an unpaired span, `caller` and `callee` are both its service.
package struct Call: Sendable {
  package var caller: UInt32
  package var callee: UInt32
  package var connection: Connection
  package var isError: Bool
  /// Of the span on the called side; of the calling one where there is no other.
  package var start: UInt64
  package var duration: UInt64

  package init(
    caller: UInt32, callee: UInt32, _ connection: Connection, isError: Bool, start: UInt64, duration: UInt64
  ) {
    self.caller = caller
    self.callee = callee
    self.connection = connection
    self.isError = isError
    self.start = start
    self.duration = duration
  }

  package init(_ span: CallSpan, from caller: UInt32, to callee: UInt32, _ connection: Connection) {
    self.caller = caller
    self.callee = callee
    self.connection = connection
    isError = span.isError
    start = span.start
    duration = span.duration
  }
}
