import TraceInspect

extension TrialReport {
  private static let shownColumnCount = 30

  /// A table for each kind of column: as stored, and with each encoding alone.
  func print() {
    let out = StandardOutput.shared
    out.writeLine(
      Style.bold(
        "\(Figure.count(spanCount)) spans in \(Figure.count(segmentCount, "segment")), \(Figure.bytes(byteCount))"
      ))
    out.writeLine(
      "A page that an encoding cannot hold counts as it stands; - is an encoding that can hold none."
    )
    for kind in ColumnTrial.Kind.allCases where !columns(kind).isEmpty { print(kind) }
    if !untriedNames.isEmpty {
      out.writeLine("")
      out.writeLine(Sanitized.line("too long to be tried: \(untriedNames.joined(separator: ", "))"))
    }
  }

  private func print(_ kind: ColumnTrial.Kind) {
    StandardOutput.shared.writeLine("")
    let headings =
      [kind.rawValue.uppercased(), "VALUES", "STORED"] + kind.encodings.map { $0.uppercased() }
    var table = TextTable(headings, right: Set(1..<headings.count))
    var shown = Array(columns(kind).prefix(Self.shownColumnCount))
    let rest = columns(kind).dropFirst(Self.shownColumnCount)
    if !rest.isEmpty {
      shown.append(
        rest.reduce(
          into: ColumnTrial("… \(Figure.count(rest.count)) more (--json lists all)", kind)
        ) { $0.add($1) })
    }
    shown.append(total(kind))
    for trial in shown {
      table.add(
        [
          DisplayWidth.cut(Sanitized.line(trial.name), to: 48), Figure.count(trial.valueCount),
          Figure.bytes(trial.storedByteCount),
        ] + zip(trial.byteCounts, trial.isPossible).map { $1 ? Figure.bytes($0) : "-" })
    }
    table.paint = { row, column, text in
      guard column >= 3, shown[row].isPossible[column - 3] else { return text }
      let possible = zip(shown[row].byteCounts, shown[row].isPossible).filter(\.1).map(\.0)
      return shown[row].byteCounts[column - 3] == possible.min() ? Style.bold(text) : text
    }
    table.print()
  }
}
