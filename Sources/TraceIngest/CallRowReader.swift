import TraceColumns
import TraceGraph
import TraceModel

/// Turns rows of a span table into what live figures need of them: some tens of nanoseconds each, because services and
/// peers are looked up once for a resource, a shape or a text, not for a row. One for each table.
struct CallRowReader: Sendable {
  private static let unknown = UInt32.max
  /// How many texts of peers are remembered, each in a place of its own.
  private static let peerCount = 1024
  private static let bufferCount = 256

  /// The name of each resource's service.
  private var services: [UInt32] = []
  private var peers = [(text: UInt32, name: UInt32)](repeating: (Self.unknown, 0), count: Self.peerCount)
  private var peerSlots = PeerSlots()
  private var buffer: [StreamedSpan] = []

  /// To be called when names have other codes.
  mutating func forgetNames() {
    services = []
    peers = Array(repeating: (Self.unknown, 0), count: Self.peerCount)
  }

  /// Calls `body` with the final rows of a range, some at a time.
  mutating func read(
    _ rows: Range<Int>, of view: SpanTable.View, code: ([UInt8]) -> UInt32,
    _ body: (UnsafeBufferPointer<StreamedSpan>) -> Void
  ) {
    view.rows.forEachRun(in: rows) { run, _ in
      for index in run.indices {
        guard run[index].marks.isFinal, let row = run.baseAddress else { continue }
        buffer.append(span(row + index, view, code))
        if buffer.count == Self.bufferCount { flush(body) }
      }
    }
    flush(body)
  }

  private mutating func flush(_ body: (UnsafeBufferPointer<StreamedSpan>) -> Void) {
    buffer.withUnsafeBufferPointer(body)
    buffer.removeAll(keepingCapacity: true)
  }

  @inline(__always)
  private mutating func span(
    _ row: UnsafePointer<SpanRow>, _ view: SpanTable.View, _ code: ([UInt8]) -> UInt32
  ) -> StreamedSpan {
    let role = SpanRole(kind: row.pointee.kind)
    var span = CallSpan(
      spanID: row.pointee.spanID, parentID: row.pointee.marks.contains(.hasParent) ? row.pointee.parentSpanID : 0,
      start: row.pointee.start, duration: row.pointee.durationNanoseconds,
      service: service(Int(row.pointee.resource), view, code), role: role,
      isError: row.pointee.statusCode == SpanStatus.Code.error.rawValue)
    if role.isCaller { Self.namePeer(&span, row, view, &peerSlots, &peers, code) }
    return StreamedSpan(trace: TraceID(high: row.pointee.traceHigh, low: row.pointee.traceLow), span: span)
  }

  private mutating func service(_ resource: Int, _ view: SpanTable.View, _ code: ([UInt8]) -> UInt32) -> UInt32 {
    if resource < services.count, services[resource] != Self.unknown { return services[resource] }
    if resource >= services.count {
      services += repeatElement(Self.unknown, count: resource + 1 - services.count)
    }
    services[resource] = code(Array(view.bytes(view.resources[resource].service)))
    return services[resource]
  }

  /// Takes what it changes one by one: they are changed at the same time.
  @inline(__always)
  private static func namePeer(
    _ span: inout CallSpan, _ row: UnsafePointer<SpanRow>, _ view: SpanTable.View, _ slots: inout PeerSlots,
    _ peers: inout [(text: UInt32, name: UInt32)], _ code: ([UInt8]) -> UInt32
  ) {
    slots.include(row.pointee.shape, view)
    slots.name(&span, row, view) { text in
      let place = Int(text) & (peerCount - 1)
      if peers[place].text != text { peers[place] = (text, code(Array(view.bytes(text)))) }
      return peers[place].name
    }
  }
}
