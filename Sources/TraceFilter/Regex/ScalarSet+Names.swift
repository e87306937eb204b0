extension ScalarSet {
  /// `\d`, `\s`, `\w` and their complements: ASCII alone, and no vertical tab among the spaces, as in RE2.
  static func perlClass(_ letter: UInt32) -> ScalarSet? {
    switch Unicode.Scalar(letter) {
    case "d": ScalarSet(digits)
    case "D": ScalarSet(digits).inverted
    case "s": ScalarSet(perlSpaces)
    case "S": ScalarSet(perlSpaces).inverted
    case "w": ScalarSet(word)
    case "W": ScalarSet(word).inverted
    default: nil
    }
  }

  /// The class `[:name:]` of POSIX.
  static func posixClass(_ name: String) -> ScalarSet? {
    switch name {
    case "alnum": ScalarSet(digits + upper + lower)
    case "alpha": ScalarSet(upper + lower)
    case "ascii": ScalarSet([0...0x7f])
    case "blank": ScalarSet([0x09...0x09, 0x20...0x20])
    case "cntrl": ScalarSet([0...0x1f, 0x7f...0x7f])
    case "digit": ScalarSet(digits)
    case "graph": ScalarSet([0x21...0x7e])
    case "lower": ScalarSet(lower)
    case "print": ScalarSet([0x20...0x7e])
    case "punct": ScalarSet([0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e])
    case "space": ScalarSet([0x09...0x0d, 0x20...0x20])
    case "upper": ScalarSet(upper)
    case "word": ScalarSet(word)
    case "xdigit": ScalarSet(digits + [0x41...0x46, 0x61...0x66])
    default: nil
    }
  }

  private static let digits: [Range] = [0x30...0x39]
  private static let upper: [Range] = [0x41...0x5a]
  private static let lower: [Range] = [0x61...0x7a]
  private static let perlSpaces: [Range] = [0x09...0x0a, 0x0c...0x0d, 0x20...0x20]
  private static let word: [Range] = digits + upper + lower + [0x5f...0x5f]

  /// The class `\p{name}`: a general category (`Lu`), a group of them (`L`, `LC`), `Any`, `ASCII` or `Assigned`.
  ///
  /// The categories are those of the standard library's version of Unicode.
  static func unicodeClass(_ name: String) -> ScalarSet? {
    switch name {
    case "Any": return .all
    case "ASCII": return ScalarSet([0...0x7f])
    case "Assigned": return unicodeClass("Cn")?.inverted
    case "LC": return ScalarSet(["Lu", "Ll", "Lt"].flatMap(ranges(ofCategory:)))
    default:
      guard Categories.names.contains(where: { $0.hasPrefix(name) }), !name.isEmpty else { return nil }
      return ScalarSet(ranges(ofCategory: name))
    }
  }

  private static func ranges(ofCategory name: String) -> [Range] {
    let isWanted = Categories.names.map { $0.hasPrefix(name) }
    return Categories.runs.compactMap { isWanted[$0.category] ? $0.range : nil }
  }
}

/// The general category of every scalar, as runs. Asked of the standard library once, when a first pattern needs it:
/// the million questions take some tens of milliseconds.
private enum Categories {
  struct Run {
    var range: ScalarSet.Range
    /// An index into `names`.
    var category: Int
  }

  static let names = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm",
    "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
  ]

  static let runs: [Run] = {
    var runs: [Run] = []
    for value in 0...ScalarSet.maximum {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let category = index(scalar.properties.generalCategory)
      if let last = runs.last, last.category == category, last.range.upperBound + 1 == value {
        runs[runs.count - 1].range = last.range.lowerBound...value
      } else {
        runs.append(Run(range: value...value, category: category))
      }
    }
    return runs
  }()

  private static func index(_ category: Unicode.GeneralCategory) -> Int {
    switch category {
    case .uppercaseLetter: 0
    case .lowercaseLetter: 1
    case .titlecaseLetter: 2
    case .modifierLetter: 3
    case .otherLetter: 4
    case .nonspacingMark: 5
    case .spacingMark: 6
    case .enclosingMark: 7
    case .decimalNumber: 8
    case .letterNumber: 9
    case .otherNumber: 10
    case .connectorPunctuation: 11
    case .dashPunctuation: 12
    case .openPunctuation: 13
    case .closePunctuation: 14
    case .initialPunctuation: 15
    case .finalPunctuation: 16
    case .otherPunctuation: 17
    case .mathSymbol: 18
    case .currencySymbol: 19
    case .modifierSymbol: 20
    case .otherSymbol: 21
    case .spaceSeparator: 22
    case .lineSeparator: 23
    case .paragraphSeparator: 24
    case .control: 25
    case .format: 26
    case .surrogate: 27
    case .privateUse: 28
    case .unassigned: 29
    @unknown default: 29
    }
  }
}
