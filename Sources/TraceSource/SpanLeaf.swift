/// A condition on one span that a source can decide on its own encoding.
package enum SpanLeaf: Sendable {
  /// The text of the resource's `service.name` equals these bytes.
  case service([UInt8])
  case name([UInt8])
  case kind(Int32)
  /// A span without a status message has code 0.
  case statusCode(Int32)
  case statusMessage([UInt8])
  case traceState([UInt8])
  case scopeName([UInt8])
  case scopeVersion([UInt8])
  case eventName([UInt8])
  /// Start in nanoseconds, both ends included.
  case start(ClosedRange<UInt64>)
  /// `max(0, end − start)` in nanoseconds, both ends included.
  case duration(ClosedRange<UInt64>)
  /// Any attribute with this key at this level whose value passes.
  case attribute(level: ColumnLevel, key: [UInt8], ValueTest)
}

/// A condition on one span: leaves under boolean operators.
package indirect enum SpanPredicate: Sendable {
  case leaf(SpanLeaf)
  /// True for every span when empty.
  case all([SpanPredicate])
  /// False for every span when empty.
  case any([SpanPredicate])
  case not(SpanPredicate)

  package static let everything = SpanPredicate.all([])
}

/// Where an attribute stands. The raw values are part of the segment format.
package enum ColumnLevel: UInt8, CaseIterable, Sendable, Comparable {
  case span = 0
  case event = 1
  case link = 2
  case resource = 3
  case scope = 4

  package static func < (left: ColumnLevel, right: ColumnLevel) -> Bool { left.rawValue < right.rawValue }
}
