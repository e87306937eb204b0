import Synchronization
package import TraceBytes
package import TraceColumns
package import TraceModel

/// What a stored attribute value has to be, type by type.
package struct ValueTest: Sendable {
  /// The stored integers that pass, in the words of `NumberOrder.int`.
  package var ints = WordRanges.none
  /// The stored doubles that pass, in the words of `NumberOrder.double`.
  package var doubles = WordRanges.none
  package var bools: [Bool] = []
  package var strings = TextTest.none
  package var bytes = TextTest.none
  /// Whether a value that is not there passes (`absent`), or one that is an empty `AnyValue`.
  package var absent = false
  package var empty = false
  package var composites = CompositeTest.none
  /// Decides the text (`AttributeValue.text`) of values that are no strings, besides what the others allow.
  package var spelled: TextTest?
  /// A name under which an answer for this test may be remembered: equal names, equal answers.
  package var name: String { spelling.name }
  private let spelling: Spelling

  /// How arrays, maps and values of unknown form are decided.
  package enum CompositeTest: Sendable {
    case none
    case all
    /// By the text of an array or map.
    case text([UInt8])
    case equal(AttributeValue)
  }

  /// Nothing passes until something is allowed.
  package init(name: @autoclosure @escaping @Sendable () -> String) { spelling = Spelling(name) }

  /// Every value passes: the key is there.
  package static let present: ValueTest = {
    var test = ValueTest(name: "present")
    test.ints = .all
    test.doubles = .all
    test.bools = [false, true]
    test.strings = .all
    test.bytes = .all
    test.absent = true
    test.empty = true
    test.composites = .all
    return test
  }()

  /// A stored value of this type with this value; no other type passes.
  package init(exactly value: AttributeValue) {
    self.init(name: "exactly \(Array("\(value)".utf8))")
    switch value {
    case .absent: absent = true
    case .empty: empty = true
    case .bool(let value): bools = [value]
    case .int(let value): ints = .int(value)
    case .double(let value): doubles = .doubleBits(value)
    case .string(let text): strings = .equal(Array(text.utf8))
    case .bytes(let value): bytes = .equal(value)
    case .array, .map, .opaque: composites = .equal(value)
    }
  }

  // MARK: Deciding

  /// The hashes of the only values that can pass, which are strings or bytes; nil when others can.
  package var textHashes: [UInt64]? {
    guard let strings = strings.list, let bytes = bytes.list, spelled == nil, ints.isEmpty, doubles.isEmpty,
      bools.isEmpty, !absent, !empty
    else { return nil }
    switch composites {
    case .none: break
    // Such a text is that of no array and of no map.
    case .text(let text) where text.first != UInt8(ascii: "[") && text.first != UInt8(ascii: "{"): break
    case .all, .text, .equal: return nil
    }
    return bytes.isEmpty ? strings.hashes : strings.hashes + bytes.hashes
  }

  /// True when no stored value of this type can pass, whatever it is.
  package func cannotMatch(_ type: AttributeType) -> Bool {
    if spelled != nil, type != .string, type != .opaque { return false }
    switch type {
    case .absent: return !absent
    case .empty: return !empty
    case .bool: return bools.isEmpty
    case .int: return ints.isEmpty
    case .double: return doubles.isEmpty
    case .string: return strings.isNone
    case .bytes: return bytes.isNone
    case .array, .map, .opaque:
      switch composites {
      case .none: return true
      case .all: return false
      case .text(let text):
        return type == .opaque || text.first != (type == .array ? UInt8(ascii: "[") : UInt8(ascii: "{"))
      case .equal(let value): return AttributeType(of: value) != type
      }
    // A whole attribute in a form of its own: its value may be anything.
    case .opaqueAttribute: return false
    }
  }

  /// True when every stored value of this type passes.
  package func passesAll(_ type: AttributeType) -> Bool {
    switch type {
    case .absent: return absent
    case .empty: return empty
    case .bool: return bools.contains(false) && bools.contains(true)
    case .int: return ints == .all
    case .double: return doubles == .all
    case .string: if case .all = strings { return true }
    case .bytes: if case .all = bytes { return true }
    case .array, .map, .opaque: if case .all = composites { return true }
    case .opaqueAttribute: break
    }
    return false
  }

  /// For `absent`, `empty`, `bool`, `int` and `double`: `bits` is the stored word.
  package func matches(_ type: AttributeType, bits: UInt64) -> Bool {
    if let spelled, spelled.matches(Self.value(type, bits).text) { return true }
    return switch type {
    case .absent: absent
    case .empty: empty
    case .bool: bools.contains(bits != 0)
    case .int: ints.contains(NumberOrder.int(bits))
    case .double: doubles.contains(NumberOrder.double(bits))
    default: false
    }
  }

  private static func value(_ type: AttributeType, _ bits: UInt64) -> AttributeValue {
    switch type {
    case .bool: .bool(bits != 0)
    case .int: .int(Int64(bitPattern: bits))
    case .double: .double(Double(bitPattern: bits))
    default: .empty
    }
  }

  /// What decides the bytes of a stored `string` or `bytes` value; nil when such a value has to be looked at with
  /// `matches(_:)`, as those of other types.
  package func text(_ type: AttributeType) -> TextTest? {
    switch type {
    case .string: strings
    case .bytes: spelled == nil ? bytes : nil
    default: nil
    }
  }

  /// Compares through the model.
  package func matches(_ value: AttributeValue) -> Bool {
    if let spelled {
      // A value of an unknown kind has no text.
      if case .opaque = value { return false }
      if case .string = value {} else if spelled.matches(value.text) { return true }
    }
    switch value {
    case .string(let stored): return strings.matches(stored)
    case .absent: return absent
    case .empty: return empty
    case .bool(let stored): return bools.contains(stored)
    case .int(let stored): return matches(.int, bits: UInt64(bitPattern: stored))
    case .double(let stored): return matches(.double, bits: stored.bitPattern)
    case .bytes(let stored): return stored.withUnsafeBytes { bytes.matches($0) }
    case .array, .map, .opaque:
      switch composites {
      case .none: return false
      case .all: return true
      case .text(let text):
        if case .opaque = value { return false }
        return value.text.utf8.elementsEqual(text)
      case .equal(let wanted): return wanted == value
      }
    }
  }
}

/// A name that is spelled when it is first asked for: most tests never meet a table that remembers answers.
private final class Spelling: Sendable {
  private let spell: @Sendable () -> String
  private let spelled = Mutex<String?>(nil)

  init(_ spell: @escaping @Sendable () -> String) { self.spell = spell }

  var name: String {
    spelled.withLock { spelled in
      let name = spelled ?? spell()
      spelled = name
      return name
    }
  }
}

extension WordRanges {
  /// The word of one integer.
  package static func int(_ value: Int64) -> WordRanges {
    let word = NumberOrder.int(UInt64(bitPattern: value))
    return WordRanges([word...word])
  }

  /// The word of a double with exactly these bits.
  package static func doubleBits(_ value: Double) -> WordRanges {
    let word = NumberOrder.double(value.bitPattern)
    return WordRanges([word...word])
  }

  /// The words of all doubles that equal a value as numbers: both zeros, or all NaNs for a NaN.
  package static func double(_ value: Double) -> WordRanges {
    if value.isNaN {
      return WordRanges([
        0...NumberOrder.double((-Double.infinity).bitPattern) - 1,
        NumberOrder.double(Double.infinity.bitPattern) + 1...UInt64.max,
      ])
    }
    if value == 0 { return WordRanges([NumberOrder.double(1 << 63)...NumberOrder.double(0)]) }
    return doubleBits(value)
  }
}
