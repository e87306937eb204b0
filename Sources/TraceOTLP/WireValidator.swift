import TraceModel

// Checks values without building them: wire form, UTF-8, depth. Each function reads to the end of its message and
// says whether it is *plain*: known fields only, each at most once, in canonical form. A plain value's bytes are
// exactly what the canonical encoder would write, so a batch may point at them; any other value is rebuilt. Whatever
// becomes an element of an array when it is built is counted in `elementCount`, together with all else of a request.

extension WireReader {
  /// Checks the rest of this reader as an `AnyValue` at `depth` (an attribute's own value stands at depth 1).
  mutating func validateValue(depth: Int, _ elementCount: inout Int) throws(WireFault) -> Bool {
    guard depth <= Limits.maximumValueDepth else { throw WireFault(offset: place, reason: .deepValue) }
    var isPlain = true
    var fieldCount = 0
    while !isAtEnd {
      let head = try head()
      fieldCount &+= 1
      if fieldCount > 1 { try WireFault.count(&elementCount, at: place) }
      switch head {
      case ValueField.string: _ = try text()
      case ValueField.bool: if try varint() > 1 { isPlain = false }
      case ValueField.int: _ = try varint()
      case ValueField.double: _ = try fixed64()
      case ValueField.bytes: _ = try blob()
      case ValueField.array:
        var inner = try message()
        if try !inner.validateArray(depth: depth, &elementCount) { isPlain = false }
      case ValueField.map:
        var inner = try message()
        if try !inner.validateMap(depth: depth, &elementCount) { isPlain = false }
      default:
        isPlain = false
        try skip(head)
      }
    }
    return isPlain && fieldCount <= 1 && !sawLongForm
  }

  /// Checks an `ArrayValue` inside of a value at `depth`.
  mutating func validateArray(depth: Int, _ elementCount: inout Int) throws(WireFault) -> Bool {
    var isPlain = true
    while !isAtEnd {
      let head = try head()
      if head == ListField.element {
        try WireFault.count(&elementCount, at: place)
        var inner = try message()
        if try !inner.validateValue(depth: depth &+ 1, &elementCount) { isPlain = false }
      } else {
        isPlain = false
        try skip(head)
      }
    }
    return isPlain && !sawLongForm
  }

  /// Checks a `KeyValueList` inside of a value at `depth`.
  mutating func validateMap(depth: Int, _ elementCount: inout Int) throws(WireFault) -> Bool {
    var isPlain = true
    while !isAtEnd {
      let head = try head()
      if head == ListField.element {
        try WireFault.count(&elementCount, at: place)
        var inner = try message()
        if try !inner.validateAttribute(depth: depth &+ 1, &elementCount) { isPlain = false }
      } else {
        isPlain = false
        try skip(head)
      }
    }
    return isPlain && !sawLongForm
  }

  /// Checks a `KeyValue` whose value stands at `depth`.
  mutating func validateAttribute(depth: Int, _ elementCount: inout Int) throws(WireFault) -> Bool {
    var isPlain = true
    var hasValue = false
    var last: UInt32 = 0
    while !isAtEnd {
      let head = try head()
      if head <= last { isPlain = false }
      last = head
      switch head {
      case AttributeField.key: if try text().isEmpty { isPlain = false }
      case AttributeField.value:
        // A further piece of the value.
        if hasValue { try WireFault.count(&elementCount, at: place) }
        hasValue = true
        var inner = try message()
        if try !inner.validateValue(depth: depth, &elementCount) { isPlain = false }
      default:
        isPlain = false
        try skip(head)
      }
    }
    return isPlain && !sawLongForm
  }

  /// Checks a `Resource`.
  mutating func validateResource(_ elementCount: inout Int) throws(WireFault) {
    var attributeCount = 0
    while !isAtEnd {
      let start = place
      let head = try head()
      switch head {
      case ResourceField.attribute:
        try WireFault.count(&elementCount, at: start)
        attributeCount &+= 1
        guard attributeCount <= Limits.maximumAttributeCount else {
          throw WireFault(offset: start, reason: .manyAttributes)
        }
        var inner = try message()
        _ = try inner.validateAttribute(depth: 1, &elementCount)
      case ResourceField.entityReference:
        try WireFault.count(&elementCount, at: start)
        var inner = try message()
        try inner.validateEntityReference()
      default: try skip(head)
      }
    }
  }

  /// Checks an `EntityRef`: four fields of text.
  mutating func validateEntityReference() throws(WireFault) {
    while !isAtEnd {
      let head = try head()
      if head & 7 == 2, head >> 3 <= 4 { _ = try text() } else { try skip(head) }
    }
  }

  /// Checks an `InstrumentationScope`.
  mutating func validateScope(_ elementCount: inout Int) throws(WireFault) {
    var attributeCount = 0
    while !isAtEnd {
      let start = place
      let head = try head()
      switch head {
      case ScopeField.name, ScopeField.version: _ = try text()
      case ScopeField.attribute:
        try WireFault.count(&elementCount, at: start)
        attributeCount &+= 1
        guard attributeCount <= Limits.maximumAttributeCount else {
          throw WireFault(offset: start, reason: .manyAttributes)
        }
        var inner = try message()
        _ = try inner.validateAttribute(depth: 1, &elementCount)
      default: try skip(head)
      }
    }
  }
}
