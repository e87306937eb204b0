// Field numbers of opentelemetry-proto 1.x with their wire types, as `number << 3 | type`. A field that comes with
// another wire type than its own is an unknown field, as protobuf asks.

enum RequestField {
  static let resourceSpans: UInt32 = 10
}

enum ResourceSpansField {
  static let resource: UInt32 = 10
  static let scopeSpans: UInt32 = 18
  static let schemaURL: UInt32 = 26
}

enum ResourceField {
  static let attribute: UInt32 = 10
  static let droppedAttributeCount: UInt32 = 16
  static let entityReference: UInt32 = 26
}

enum ScopeSpansField {
  static let scope: UInt32 = 10
  static let span: UInt32 = 18
  static let schemaURL: UInt32 = 26
}

enum ScopeField {
  static let name: UInt32 = 10
  static let version: UInt32 = 18
  static let attribute: UInt32 = 26
  static let droppedAttributeCount: UInt32 = 32
}

enum SpanField {
  static let traceID: UInt32 = 10
  static let spanID: UInt32 = 18
  static let traceState: UInt32 = 26
  static let parentSpanID: UInt32 = 34
  static let name: UInt32 = 42
  static let kind: UInt32 = 48
  static let start: UInt32 = 57
  static let end: UInt32 = 65
  static let attribute: UInt32 = 74
  static let droppedAttributeCount: UInt32 = 80
  static let event: UInt32 = 90
  static let droppedEventCount: UInt32 = 96
  static let link: UInt32 = 106
  static let droppedLinkCount: UInt32 = 112
  static let status: UInt32 = 122
  static let flags: UInt32 = 133
}

enum EventField {
  static let time: UInt32 = 9
  static let name: UInt32 = 18
  static let attribute: UInt32 = 26
  static let droppedAttributeCount: UInt32 = 32
}

enum LinkField {
  static let traceID: UInt32 = 10
  static let spanID: UInt32 = 18
  static let traceState: UInt32 = 26
  static let attribute: UInt32 = 34
  static let droppedAttributeCount: UInt32 = 40
  static let flags: UInt32 = 53
}

enum StatusField {
  static let message: UInt32 = 18
  static let code: UInt32 = 24
}

enum AttributeField {
  static let key: UInt32 = 10
  static let value: UInt32 = 18
}

enum ValueField {
  static let string: UInt32 = 10
  static let bool: UInt32 = 16
  static let int: UInt32 = 24
  static let double: UInt32 = 33
  static let array: UInt32 = 42
  static let map: UInt32 = 50
  static let bytes: UInt32 = 58
}

/// `ArrayValue.values` and `KeyValueList.values`.
enum ListField {
  static let element: UInt32 = 10
}
