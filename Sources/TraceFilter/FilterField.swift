public import TracestoreV2

/// A built-in field of the structured filter. The vocabulary is closed: what is not in `all` is an attribute.
public struct FilterField: Hashable, Sendable {
  /// What a field holds, and so how a constant beside it is read.
  public enum ValueType: Sendable {
    /// Any text. Ids are their lower-case hexadecimal digits.
    case text
    /// One of the words of `SpanKind`.
    case kind
    /// One of the words of `SpanStatus.Code`.
    case status
    case timestamp
    case duration
  }

  public let level: AttributeLevel
  public let name: String
  public let type: ValueType

  private init(_ level: AttributeLevel, _ name: String, _ type: ValueType) {
    self.level = level
    self.name = name
    self.type = type
  }

  /// Every field, in the order of the specification.
  public static let all: [FilterField] = [
    FilterField(.span, "traceID", .text), FilterField(.span, "spanID", .text),
    FilterField(.span, "parentSpanID", .text), FilterField(.span, "traceState", .text),
    FilterField(.span, "name", .text), FilterField(.span, "statusMessage", .text),
    FilterField(.span, "kind", .kind), FilterField(.span, "status", .status),
    FilterField(.span, "startTime", .timestamp), FilterField(.span, "endTime", .timestamp),
    FilterField(.span, "duration", .duration),
    FilterField(.resource, "service", .text), FilterField(.resource, "schemaURL", .text),
    FilterField(.scope, "name", .text), FilterField(.scope, "version", .text),
    FilterField(.scope, "schemaURL", .text),
    FilterField(.event, "name", .text), FilterField(.event, "time", .timestamp),
    FilterField(.event, "timeSinceStart", .duration),
    FilterField(.link, "traceID", .text), FilterField(.link, "spanID", .text),
    FilterField(.link, "traceState", .text),
  ]

  /// The field that a reference names; nil when there is none.
  public init?(_ reference: FieldReference) { self.init(reference.level, reference.name) }

  /// The field of that name at that level; nil when there is none.
  public init?(_ level: AttributeLevel, _ name: String) {
    guard let field = Self.all.first(where: { $0.level == level && $0.name.utf8.elementsEqual(name.utf8) }) else {
      return nil
    }
    self = field
  }

  /// The words that the field may hold; nil for fields of other types.
  public var words: [String]? {
    switch type {
    case .kind: Self.kindWords
    case .status: Self.statusWords
    case .text, .timestamp, .duration: nil
    }
  }

  package static let kindWords = ["unspecified", "internal", "server", "client", "producer", "consumer"]
  package static let statusWords = ["unset", "ok", "error"]
}

extension FilterField: CustomStringConvertible {
  /// As in the text form: `span.duration`.
  public var description: String { level.rawValue + "." + name }
}

extension FilterField {
  /// The field of the level that a misspelt name most likely means: nil for the names of fields, and for names that
  /// are more than two letters off, whatever their case. Beside the shortest names one letter is all: `event.type` is
  /// not `event.time`.
  static func meant(by name: String, at level: AttributeLevel) -> FilterField? {
    guard FilterField(level, name) == nil else { return nil }
    let letters = Array(name.utf8)
    var best: (field: FilterField, distance: Int)?
    for field in all where field.level == level {
      let spelling = Array(field.name.utf8)
      let isOtherCase = field.name.lowercased().utf8.elementsEqual(name.lowercased().utf8)
      let distance = isOtherCase ? 1 : editDistance(spelling, letters)
      if distance <= (spelling.count > 4 ? 2 : 1), distance < best?.distance ?? .max { best = (field, distance) }
    }
    return best?.field
  }

  /// How many bytes have to be put in, left out, replaced, or exchanged with their neighbour; 3 stands for more.
  private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    guard left.count <= right.count + 2, right.count <= left.count + 2 else { return 3 }
    var rows = [Array(0...right.count)]
    for (index, byte) in left.enumerated() {
      var row = [index + 1]
      for (column, other) in right.enumerated() {
        var best = min(rows[index][column] + (byte == other ? 0 : 1), rows[index][column + 1] + 1, row[column] + 1)
        if index > 0, column > 0, byte == right[column - 1], left[index - 1] == other {
          best = min(best, rows[index - 1][column - 1] + 1)
        }
        row.append(best)
      }
      rows.append(row)
    }
    return min(3, rows[left.count][right.count])
  }
}
