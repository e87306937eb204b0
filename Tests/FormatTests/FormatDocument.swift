import Foundation

/// FORMAT.md, as far as tests look into it: tables and examples under headings.
struct FormatDocument {
  struct Table {
    var columns: [String]
    var rows: [[String]]

    /// The cells of a column.
    func cells(_ column: String) -> [String] {
      guard let index = columns.firstIndex(of: column) else { return [] }
      return rows.map { $0[index] }
    }

    /// One column's cells by another's.
    func map(_ key: String, _ value: String) -> [String: String] {
      Dictionary(zip(cells(key), cells(value)), uniquingKeysWith: { first, _ in first })
    }
  }

  struct Section {
    var title: String
    var lines: [String]

    /// Every table of the section, in order.
    var tables: [Table] {
      var tables: [Table] = []
      var index = 0
      while index + 1 < lines.count {
        guard lines[index].hasPrefix("|"), lines[index + 1].hasPrefix("|---") else {
          index += 1
          continue
        }
        var table = Table(columns: Self.cells(lines[index]), rows: [])
        index += 2
        while index < lines.count, lines[index].hasPrefix("|") {
          table.rows.append(Self.cells(lines[index]))
          index += 1
        }
        tables.append(table)
      }
      return tables
    }

    func table(_ columns: [String], _ place: Int = 0) -> Table? {
      let found = tables.filter { $0.columns == columns }
      return place < found.count ? found[place] : nil
    }

    /// The bytes of each fenced block whose lines begin with an offset.
    var hexDumps: [[UInt8]] {
      blocks.compactMap { block in
        var bytes: [UInt8] = []
        for line in block {
          guard let dumped = Self.dumpedBytes(line) else { return nil }
          guard dumped.offset == bytes.count else { return nil }
          bytes += dumped.bytes
        }
        return bytes.isEmpty ? nil : bytes
      }
    }

    /// The lines of each fenced block.
    var blocks: [[String]] {
      var blocks: [[String]] = []
      var current: [String]?
      for line in lines {
        if line.trimmingCharacters(in: .whitespaces).hasPrefix("```") {
          if let block = current { blocks.append(block) }
          current = current == nil ? [] : nil
        } else {
          current?.append(line)
        }
      }
      return blocks
    }

    /// `010  54534d41 4e303031   a comment`: the comment stands behind two blanks or more.
    private static func dumpedBytes(_ line: String) -> (offset: Int, bytes: [UInt8])? {
      guard let gap = line.range(of: "  "), let offset = Int(line[..<gap.lowerBound], radix: 16) else { return nil }
      let rest = line[gap.upperBound...]
      let digits = (rest.range(of: "  ").map { rest[..<$0.lowerBound] } ?? rest).filter { $0 != " " }
      return FormatDocument.bytes(String(digits)).map { (offset, $0) }
    }

    private static func cells(_ line: String) -> [String] {
      line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
        .map { $0.trimmingCharacters(in: .whitespaces) }
    }
  }

  let sections: [Section]
  let text: String

  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  init() throws {
    text = try String(contentsOf: Self.root.appendingPathComponent("FORMAT.md"), encoding: .utf8)
    var sections: [Section] = []
    var isInBlock = false
    for line in text.components(separatedBy: "\n") {
      if line.hasPrefix("```") { isInBlock.toggle() }
      if !isInBlock, line.hasPrefix("#") {
        sections.append(Section(title: String(line.drop { $0 == "#" || $0 == " " }), lines: []))
      } else if !sections.isEmpty {
        sections[sections.count - 1].lines.append(line)
      }
    }
    self.sections = sections
  }

  struct MissingSection: Error {
    var title: String
  }

  func section(_ title: String) throws -> Section {
    guard let section = sections.first(where: { $0.title == title }) else { throw MissingSection(title: title) }
    return section
  }

  /// The bytes of hexadecimal digits; nil if they are none.
  static func bytes(_ digits: String) -> [UInt8]? {
    let digits = Array(digits.utf8)
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let byte = UInt8(String(decoding: digits[index...(index + 1)], as: UTF8.self), radix: 16) else {
        return nil
      }
      bytes.append(byte)
    }
    return bytes
  }

  /// A number as the document writes it: digits with commas, `0x…`, or powers as `2^31`.
  static func number(_ cell: String) -> UInt64? {
    let plain = cell.replacingOccurrences(of: ",", with: "")
    if plain.hasPrefix("0x") { return UInt64(plain.dropFirst(2), radix: 16) }
    return UInt64(plain)
  }
}
