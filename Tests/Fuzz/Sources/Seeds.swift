import TraceBytes
import TraceColumns
import TraceFiles
import TraceFilter
import TraceManifest
import TraceModel
import TraceOTLP
import TraceSegment
import TraceWAL
import TracestoreV2

/// The corpora to begin with: what the writers make of the fixtures, with the checksums of this build.
struct Seeds {
  let fixtures: String
  let folder: String
  private let files = RealFileSystem()

  func write() throws {
    try files.createDirectory(folder)
    let names =
      try files.contents(ofDirectory: "\(fixtures)/otlp") + files.contents(ofDirectory: "\(fixtures)/corrupt-otlp")
    var requests: [[UInt8]] = []
    for name in names.sorted() {
      guard let bytes = try? read("otlp/\(name)") ?? read("corrupt-otlp/\(name)") else { continue }
      if name.hasSuffix(".json") || name.hasSuffix(".jsonl") { try json(name, bytes) }
      if name.hasSuffix(".otlp") {
        try add(.frames, name, [0xff] + bytes.prefix(4096))
        var reader = OTLPFrameReader(bytes: bytes)
        while let frame = try? reader.next() {
          requests.append(frame.bytes)
          if frame.bytes.count < 8192 { try add(.otlp, "\(name)-\(frame.index)", frame.bytes) }
        }
      }
    }
    for target in [FuzzTarget.jaeger, .zipkin] {
      for name in try files.contents(ofDirectory: "\(fixtures)/\(target.rawValue)").sorted() {
        if let bytes = try read("\(target.rawValue)/\(name)") { try add(target, name, bytes) }
      }
    }
    try segments(requests)
    try log(requests)
    try manifest()
    try metrics()
    try columns()
    try patterns()
    try filters()
    try add(.token, "empty", [])
    // The nine words of a token and its checksum, in base64.
    for count in [75, 76, 77] { try add(.token, "\(count)", Array(String(repeating: "A", count: count * 4 / 3).utf8)) }
    try add(.token, "zero", Array((String(repeating: "A", count: 70) + "==").utf8))
  }

  private func read(_ name: String) throws -> [UInt8]? {
    let path = "\(fixtures)/\(name)"
    return try files.exists(path) ? files.contents(ofFile: path, maximumByteCount: 1 << 20) : nil
  }

  private func add(_ target: FuzzTarget, _ name: String, _ bytes: [UInt8]) throws {
    let directory = "\(folder)/\(target.rawValue)"
    try files.createDirectory(directory)
    let path = "\(directory)/\(name)"
    if try files.exists(path) { try files.remove(path) }
    let file = try files.open(path, .create)
    defer { file.close() }
    try bytes.withUnsafeBytes { try file.append($0) }
  }

  private func json(_ name: String, _ bytes: [UInt8]) throws {
    for (index, line) in bytes.split(separator: 0x0a).prefix(16).enumerated() where line.count < 16384 {
      try add(.json, "\(name)-\(index)", Array(line))
    }
    try add(.frames, name, [0xff] + bytes.prefix(4096))
  }

  /// Small segments reach more inputs a second than large ones, and hold every kind of chunk all the same.
  private func segments(_ requests: [[UInt8]]) throws {
    var spans: [(Resource, InstrumentationScope, SpanRecord)] = []
    for request in requests {
      guard let data = try? OTLP.decode(request) else { continue }
      data.forEachSpan { spans.append(($0, $1, $2)) }
    }
    for (index, first) in stride(from: 0, to: spans.count, by: 24).enumerated() {
      let builder = SpanTableBuilder()
      var rows: [UInt32] = []
      var partialRows: [UInt32] = []
      for (row, span) in spans[first..<min(first + 24, spans.count)].enumerated() {
        let isPartial = row % 11 == 7
        builder.append(resource: span.0, scope: span.1, span: span.2, isPartial: isPartial)
        if isPartial { partialRows.append(UInt32(row)) } else { rows.append(UInt32(row)) }
      }
      let memory = SimulatedFileSystem()
      let file = try memory.open("segment", .create)
      _ = try SegmentWriter.write(
        builder.table.view(rowCount: builder.table.rowCount), rows: rows, partialRows: partialRows,
        options: SegmentOptions(stripeRowCount: index % 2 == 0 ? 64 : 8), to: file)
      let bytes = try memory.contents(ofFile: "segment", maximumByteCount: 1 << 24)
      if bytes.count < 1 << 15 { try add(.segment, "\(index)", bytes) }
      for part in stride(from: 0, to: bytes.count, by: 1024) where index < 4 {
        try add(.chunks, "\(index)-\(part)", Array(bytes[part..<min(part + 1024, bytes.count)]))
      }
    }
  }

  private func log(_ requests: [[UInt8]]) throws {
    let memory = SimulatedFileSystem()
    let report = try WALRecovery.run(
      fileSystem: memory, directory: FuzzTarget.logDirectory, storeID: FuzzTarget.storeID
    ) { _ in }
    let writer = try WALWriter(
      fileSystem: memory, directory: FuzzTarget.logDirectory, storeID: FuzzTarget.storeID, after: report,
      options: WALOptions())
    for request in requests.filter({ $0.count < 2048 }).prefix(6) {
      try writer.appendAndWait(
        try WALFrame(kind: .request, payload: request, arrivalNanoseconds: 1, rulesVersion: 0))
    }
    try writer.close()
    let log = try memory.contents(ofFile: FuzzTarget.logPath, maximumByteCount: 1 << 20)
    let position = try memory.contents(ofFile: FuzzTarget.positionPath, maximumByteCount: 128)
    try add(.log, "six", log)
    try add(.log, "half", Array(log.prefix(log.count / 2)))
    try add(.position, "six", position + log)
  }

  private func manifest() throws {
    let memory = SimulatedFileSystem()
    let settings = StoreSettings(storeID: FuzzTarget.storeID, createdNanoseconds: 1)
    let store = try ManifestStore.open(
      fileSystem: memory, directory: "/store", mode: .readWrite(create: settings))
    var file = ManifestFile(key: ManifestFileKey(kind: .segment, number: store.allocateFileNumber()))
    file.rulesVersions = [1, 4]
    file.attributes[7] = [1, 2, 3]
    _ = try store.commit(ManifestEdit([.addFile(file)]))
    store.close()
    let current = try memory.contents(ofFile: "/store/CURRENT", maximumByteCount: 32)
    let manifest = try memory.contents(
      ofFile: "/store/\(StoreLayout.manifestFileName(1))", maximumByteCount: 1 << 16)
    try add(.manifest, "one", current + manifest)
  }

  private func metrics() throws {
    var figures = HourlyFigures()
    for call in 0..<40 as Range<UInt64> {
      let series = HourlyFigures.Series(
        service: Array("service \(call % 3)".utf8), operation: Array("operation \(call % 5)".utf8),
        kind: Int32(call % 4))
      [call / 7 * HourlyFigures.hourNanoseconds].withUnsafeBufferPointer { starts in
        [call << (call % 50)].withUnsafeBufferPointer { durations in
          [UInt8(call % 2)].withUnsafeBufferPointer { errors in
            figures.update(series, starts: starts, durations: durations, errors: errors)
          }
        }
      }
      if call % 8 == 7 { try add(.metrics, "\(call)", figures.encoded()) }
    }
  }

  /// One for each part of the syntax.
  private func patterns() throws {
    let patterns: [(String, String)] = [
      ("GET /users/[0-9]+", "GET /users/17"), ("(a*)*b|(?:c|d){2,3}", "aaac"), (#"\w+@\w+\.com"#, "me@example.com"),
      (#"[[:alpha:]][^\d\p{Lu}]\x{e9}"#, "abé"), ("(?s:.{3,5})(?P<name>é|€)+", "a\n€😀é"), (#"\Qa.b\E\077?"#, "a.b"),
      ("a[ab]{12}c", "abababababababababc"),
    ]
    for (index, (pattern, text)) in patterns.enumerated() {
      try add(.pattern, "\(index)", Array(pattern.utf8) + [0] + Array(text.utf8))
    }
  }

  /// Every operator, every level, every kind of constant.
  private func filters() throws {
    let filters = [
      #"span.duration > 2s && resource.service = "cart" || some(event, event.name = "exception")"#,
      #"!(span.kind in ("server", "client")) && .http.status_code >= 500 && exists(span["a b"])"#,
      #"scope.version != "1" && span.x not in (1, 2) && link.traceID =~ "0[a-f]{2}" && span.startTime < 2026-01-07T10:00:00Z"#,
      #"span.a = int(1) || span.a = double(2.5) || span.a = bool(true) || span.a = string("x") || span.a > resource.b"#,
    ]
    for (index, text) in filters.enumerated() {
      try add(.filterText, "\(index)", Array(text.utf8))
      try add(.filterJSON, "\(index)", Array(try FilterExpression(text: text).json.utf8))
    }
  }

  /// One column for each encoding, as the writer chooses them.
  private func columns() throws {
    let scratch = ColumnScratch()
    let shapes: [(String, (UInt64) -> UInt64)] = [
      ("constant", { _ in 300 }), ("packed", { $0 &* 0x9e37_79b9_7f4a_7c15 % 1000 }),
      ("patched", { $0 % 9 == 5 ? $0 << 20 : $0 % 4 }),
      ("delta", { 1000 + 3 * $0 + $0 / 3 }), ("zigzag", { 1 << 20 &+ ($0 % 2 == 0 ? $0 : 0 &- $0) }),
      ("runs", { $0 / 25 * 900 }),
      ("dictionary", { [1, 1 << 40, 123_456_789_014, 99][Int($0 * $0 + $0 / 3) % 4] }),
      ("huffman", { $0 % 5 == 4 ? ($0 % 3 == 0 ? 1_000_003 : 77_777) : ($0 % 7 == 0 ? 5_000_001 : 3) }),
      ("steps", { (11 * $0 + $0 / 20 * 5) % 100 }),
    ]
    for (name, value) in shapes {
      for count in [24, 200, 1024, 1500] as [UInt64] {
        var writer = ByteWriter()
        IntegerColumn.encode((0..<count).map(value), into: &writer, scratch: scratch)
        if count <= 1024 { try add(.page, "\(name)-\(count)", writer.bytes) }
        try add(.integers, "\(name)-\(count)", writer.bytes)
      }
    }
    let texts: [(String, (Int) -> String)] = [
      ("raw", { "text \($0) \($0 &* 7919 % 1000)" + String(repeating: "x", count: $0 % 40) }),
      ("dictionary", { ["GET", "POST", "", "DELETE"][$0 % 4] }), ("template", { "id \(1000 + 7919 * $0 % 1000)" }),
      ("uuid", { "0123456\($0 % 10)-89ab-cdef-0123-456789abc0\(10 + $0 % 80) x" }), ("empty", { _ in "" }),
    ]
    for (name, value) in texts {
      for count in [3, 70, 1100] {
        var writer = ByteWriter()
        let values = (0..<count).map { Array(value($0).utf8) }
        TextColumn.encode(values, into: &writer, scratch: scratch)
        try add(.texts, "\(name)-\(count)", writer.bytes)
        writer = ByteWriter()
        let sorted = Set(values).sorted { TextOrder.precedes($0, $1) }
        SortedTextList.encode(sorted, into: &writer, scratch: scratch)
        try add(.list, "\(name)-\(count)", writer.bytes)
      }
    }
    for (index, count) in [0, 3, 100].enumerated() {
      for width in [FuseFilter.FingerprintWidth.four, .eight, .sixteen] {
        var writer = ByteWriter()
        FuseFilter((0..<UInt64(count)).map { $0 &* 0x9e37_79b9 }, width: width)?.encode(into: &writer)
        try add(.filter, "\(index)-\(width)", writer.bytes)
      }
    }
  }
}
