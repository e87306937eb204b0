import TraceModel
import TracestoreV2

/// What a waterfall keeps of a span.
struct WaterfallSpan {
  var spanID: SpanID
  var parent: SpanID?
  var service: String
  var name: String
  var start: UInt64
  var duration: UInt64
  var isError: Bool
  var statusMessage: String
  var state: SpanState
}

/// One line of the tree.
struct WaterfallLine: Equatable {
  enum Mark: Equatable {
    case none
    /// It names a parent that the trace does not hold.
    case orphan(SpanID)
    /// Its ancestors lead back to it.
    case cycle
  }

  var index: Int
  var prefix: String
  var mark: Mark
}

/// The tree of a trace, for a terminal.
struct Waterfall {
  private(set) var spans: [WaterfallSpan] = []

  mutating func add(_ chunk: TraceChunk) {
    var place = 0
    chunk.data.forEachSpan { resource, _, span in
      spans.append(
        WaterfallSpan(
          spanID: span.spanID, parent: span.parentSpanID.flatMap { $0.isZero ? nil : $0 },
          service: resource.serviceName, name: span.name, start: span.start.nanoseconds,
          duration: Self.duration(span, chunk.state(at: place)), isError: span.isError,
          statusMessage: span.status?.message ?? "", state: chunk.state(at: place)))
      place += 1
    }
  }

  /// An open span is as long as it is known to be.
  private static func duration(_ span: SpanRecord, _ state: SpanState) -> UInt64 {
    if state.phase == .final { return span.durationNanoseconds }
    let last = span.events.reduce(span.end) { max($0, $1.time) }
    return last > span.start ? last.nanoseconds - span.start.nanoseconds : 0
  }

  /// The first lines of the tree in depth-first order, children by start. Every span has exactly one line, whatever its
  /// parents: spans without a known parent are roots, and a circle is entered at its earliest span.
  func lines(limit: Int) -> [WaterfallLine] {
    let order = spans.indices.sorted { left, right in
      let (a, b) = (spans[left], spans[right])
      if a.start != b.start { return a.start < b.start }
      if a.spanID != b.spanID { return a.spanID < b.spanID }
      // In which order spans that share their id are read depends on how they came.
      if a.duration != b.duration { return a.duration < b.duration }
      for (one, other) in [(a.service.utf8, b.service.utf8), (a.name.utf8, b.name.utf8)]
      where !one.elementsEqual(other) { return one.lexicographicallyPrecedes(other) }
      return left < right
    }
    // Of spans that share their id, the earliest has the children.
    var holder: [SpanID: Int] = [:]
    for index in order where holder[spans[index].spanID] == nil { holder[spans[index].spanID] = index }
    var children: [Int: [Int]] = [:]
    var roots: [Int] = []
    for index in order {
      if let parent = spans[index].parent, let place = holder[parent], place != index {
        children[place, default: []].append(index)
      } else {
        roots.append(index)
      }
    }
    var lines: [WaterfallLine] = []
    var isSeen = [Bool](repeating: false, count: spans.count)
    func walk(from root: Int, _ mark: WaterfallLine.Mark) {
      // Ancestors' lines go on below them unless they were the last of their siblings.
      var stack: [(index: Int, above: String, branch: String, continuation: String)] = [(root, "", "", "")]
      while let top = stack.popLast(), lines.count < limit {
        if isSeen[top.index] { continue }
        isSeen[top.index] = true
        lines.append(
          WaterfallLine(
            index: top.index, prefix: top.above + top.branch, mark: top.index == root ? mark : .none))
        let above = top.above + top.continuation
        let below = (children[top.index] ?? []).filter { !isSeen[$0] }
        for (place, child) in below.enumerated().reversed() {
          let isLast = place == below.count - 1
          stack.append((child, above, isLast ? "└─ " : "├─ ", isLast ? "   " : "│  "))
        }
      }
    }
    for root in roots where lines.count < limit {
      let parent = spans[root].parent
      let isItsOwn = parent == spans[root].spanID
      walk(from: root, isItsOwn ? .cycle : parent.map { holder[$0] == nil ? .orphan($0) : .none } ?? .none)
    }
    for index in order where lines.count < limit && !isSeen[index] { walk(from: index, .cycle) }
    return lines
  }
}

/// Draws a waterfall.
struct WaterfallDrawing {
  /// Deeper trees are cut here: more lines than anyone reads.
  static let maximumLineCount = 1000

  private let waterfall: Waterfall
  private let width: Int
  private let start: UInt64
  private let end: UInt64

  init(_ waterfall: Waterfall, width: Int) {
    self.waterfall = waterfall
    self.width = width
    let starts = waterfall.spans.map(\.start).filter { $0 > 0 }
    start = starts.min() ?? 0
    end = waterfall.spans.reduce(start) { max($0, $1.start.addingReportingOverflow($1.duration).partialValue) }
  }

  func print(_ traceID: TraceID) {
    let output = StandardOutput.shared
    for line in heading(traceID) { output.writeLine(line) }
    let lines = waterfall.lines(limit: Self.maximumLineCount)
    let labels = lines.map(label)
    let marks = lines.map(marks)
    let widest = zip(labels, marks).reduce(20) {
      max($0, DisplayWidth.of($1.0.plain) + DisplayWidth.of($1.1.plain))
    }
    let labelWidth = min(widest, max(30, width / 2))
    let barWidth = max(10, width - labelWidth - 22)
    output.writeLine(
      Style.dim(
        DisplayWidth.padded("SPAN", to: labelWidth) + "    OFFSET  DURATION  "
          + scale(barWidth)))
    for index in lines.indices {
      let span = waterfall.spans[lines[index].index]
      let room = max(8, labelWidth - DisplayWidth.of(marks[index].plain))
      let plain = DisplayWidth.cut(labels[index].plain, to: room)
      let painted = paint(labels[index], cutTo: plain, service: span.service)
      let used = DisplayWidth.of(plain) + DisplayWidth.of(marks[index].plain)
      let offset = span.start > start ? Figure.duration(span.start - start) : "0"
      output.writeLine(
        painted + marks[index].painted + String(repeating: " ", count: max(0, labelWidth - used))
          + DisplayWidth.padded("+" + offset, to: 10, isRight: true)
          + DisplayWidth.padded(Figure.duration(span.duration), to: 10, isRight: true) + "  "
          + bar(span, barWidth))
    }
    let hidden = waterfall.spans.count - lines.count
    if hidden > 0 {
      output.writeLine("… and \(Figure.count(hidden, "more span")), not shown; --format otlp-json writes all of them")
    }
  }

  private func heading(_ traceID: TraceID) -> [String] {
    let spans = waterfall.spans
    let services = Set(spans.map { Array($0.service.utf8) }).count
    let errors = spans.count { $0.isError }
    let open = spans.count { $0.state.phase != .final }
    let abandoned = spans.count { $0.state.phase == .abandoned }
    var line =
      "\(Figure.time(Timestamp(nanoseconds: start)))  \(Figure.duration(end > start ? end - start : 0))  "
      + "\(Figure.count(spans.count, "span"))  \(Figure.count(services, "service"))"
    if errors > 0 { line += "  " + Style.red(Figure.count(errors, "error")) }
    if open > 0 {
      let ofThese = abandoned > 0 ? ", \(Figure.count(abandoned)) abandoned" : ""
      line += "  " + Style.yellow("\(Figure.count(open)) open" + ofThese)
    }
    return [Style.bold("Trace \(traceID.hex)"), line, ""]
  }

  private func label(_ line: WaterfallLine) -> (prefix: String, plain: String) {
    let span = waterfall.spans[line.index]
    let name = span.name.isEmpty ? "(no name)" : Sanitized.line(span.name)
    let service = span.service.isEmpty ? "(no service)" : Sanitized.line(span.service)
    // A tree a hundred levels deep would leave no room for names.
    let depth = DisplayWidth.of(line.prefix)
    let most = max(12, width / 4)
    let prefix = depth > most ? "…" + String(line.prefix.suffix(most - 1)) : line.prefix
    return (prefix, "\(prefix)\(service)  \(name)")
  }

  private func paint(_ label: (prefix: String, plain: String), cutTo plain: String, service: String) -> String {
    let prefixCount = min(plain.count, label.prefix.count)
    return Style.dim(String(plain.prefix(prefixCount))) + Style.named(service, String(plain.dropFirst(prefixCount)))
  }

  private func marks(_ line: WaterfallLine) -> (plain: String, painted: String) {
    let span = waterfall.spans[line.index]
    var plain = ""
    var painted = ""
    func add(_ text: String, _ style: (String) -> String) {
      plain += " " + text
      painted += " " + style(text)
    }
    if span.isError { add("✗ error", Style.red) }
    switch span.state.phase {
    case .final: break
    case .open: add("◌ open", Style.yellow)
    case .abandoned: add("◌ abandoned", Style.yellow)
    }
    if span.state.isEnriched { add("+ enriched", Style.dim) }
    switch line.mark {
    case .none: break
    case .orphan: add("? parent missing", Style.yellow)
    case .cycle: add("? in a circle", Style.yellow)
    }
    return (plain, painted)
  }

  private func scale(_ barWidth: Int) -> String {
    let last = Figure.duration(end > start ? end - start : 0)
    return "0" + DisplayWidth.padded(last, to: max(0, barWidth - 1), isRight: true)
  }

  private func bar(_ span: WaterfallSpan, _ barWidth: Int) -> String {
    let whole = Double(end > start ? end - start : 1)
    let first = span.start > start ? Double(span.start - start) / whole : 0
    let share = Double(span.duration) / whole
    let offset = min(barWidth - 1, Int(first * Double(barWidth)))
    let room = barWidth - offset
    var text = Figure.bar(share * Double(barWidth) / Double(room), width: room)
    if text.isEmpty { text = "▏" }
    let painted = span.isError ? Style.red(text) : Style.named(span.service, text)
    return String(repeating: " ", count: offset) + painted
  }
}
