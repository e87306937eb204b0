package import TraceBytes
package import TraceModel

extension AttributeType {
  /// The type under which an attribute is stored.
  package init(of attribute: Attribute) {
    self = attribute.unknownFields.isEmpty ? AttributeType(of: attribute.value) : .opaqueAttribute
  }

  /// The type under which a value is stored.
  package init(of value: AttributeValue) {
    self =
      switch value {
      case .absent: .absent
      case .empty: .empty
      case .string: .string
      case .bool: .bool
      case .int: .int
      case .double: .double
      case .bytes: .bytes
      case .array: .array
      case .map: .map
      case .opaque: .opaque
      }
  }
}
