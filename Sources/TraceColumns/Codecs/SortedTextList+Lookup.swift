package import TraceBytes

extension SortedTextList {
  /// The string at `index`, which must be below `count`. Cost: one chunk (inflated if compressed) and at most 16
  /// strings.
  package func text(at index: Int, scratch: ColumnScratch) throws(BytesError) -> [UInt8] {
    try withText(at: index, scratch: scratch) { $0.array }
  }

  /// Hands the string at `index` to `body`, borrowed for the call.
  package func withText<Result>(
    at index: Int, scratch: ColumnScratch, _ body: (UnsafeRawBufferPointer) throws(BytesError) -> Result
  ) throws(BytesError) -> Result {
    precondition(index >= 0 && index < count, "a string outside of its list")
    let chunk = chunks[lastChunk { $0.firstIndex <= index }]
    return try withContent(of: chunk, scratch: scratch) { content throws(BytesError) in
      let place = index - chunk.firstIndex
      var cursor = GroupCursor(scratch.takeBuffer())
      defer { scratch.giveBack(&cursor.text) }
      try cursor.enter(try content.group(place / Self.groupCount))
      for _ in 0...(place % Self.groupCount) { try cursor.advance() }
      return try cursor.text.withRawBytes { text throws(BytesError) in try body(text) }
    }
  }

  /// Hands the strings at `indices`, which ascend (repeats allowed), to `body` with their place in `indices`. Opens
  /// each chunk once.
  package func forEach(
    at indices: [Int], scratch: ColumnScratch, _ body: (Int, UnsafeRawBufferPointer) throws(BytesError) -> Void
  ) throws(BytesError) {
    var place = 0
    while place < indices.count {
      precondition(indices[place] >= 0 && indices[place] < count, "a string outside of its list")
      let chunk = chunks[lastChunk { $0.firstIndex <= indices[place] }]
      try withContent(of: chunk, scratch: scratch) { content throws(BytesError) in
        var cursor = GroupCursor(scratch.takeBuffer())
        defer { scratch.giveBack(&cursor.text) }
        var group = -1
        var current = -1
        while place < indices.count, indices[place] < chunk.firstIndex + chunk.count {
          let wanted = indices[place] - chunk.firstIndex
          precondition(wanted >= current, "the indices of a list lookup ascend")
          if wanted / Self.groupCount != group {
            group = wanted / Self.groupCount
            current = group * Self.groupCount - 1
            try cursor.enter(try content.group(group))
          }
          while current < wanted {
            try cursor.advance()
            current += 1
          }
          try cursor.text.withRawBytes { text throws(BytesError) in try body(place, text) }
          place += 1
        }
      }
    }
  }

  /// Hands every string to `body` with its index, ascending.
  package func forEach(
    scratch: ColumnScratch, _ body: (Int, UnsafeRawBufferPointer) throws(BytesError) -> Void
  ) throws(BytesError) {
    for chunk in chunks {
      try withContent(of: chunk, scratch: scratch) { content throws(BytesError) in
        var cursor = GroupCursor(scratch.takeBuffer())
        defer { scratch.giveBack(&cursor.text) }
        for place in 0..<chunk.count {
          if place % Self.groupCount == 0 { try cursor.enter(try content.group(place / Self.groupCount)) }
          try cursor.advance()
          try cursor.text.withRawBytes { text throws(BytesError) in try body(chunk.firstIndex + place, text) }
        }
      }
    }
  }

  /// The index of `text`, or nil. Cost: one chunk and at most 16 strings.
  package func index(of text: UnsafeRawBufferPointer, scratch: ColumnScratch) throws(BytesError) -> Int? {
    let bound = try lowerBound(of: text, scratch: scratch)
    return bound.isEqual ? bound.index : nil
  }

  package func index(of text: [UInt8], scratch: ColumnScratch) throws(BytesError) -> Int? {
    try text.withRawBytes { text throws(BytesError) in try index(of: text, scratch: scratch) }
  }

  /// The index of the first string not less than `text`, and whether it is `text`.
  package func lowerBound(
    of text: UnsafeRawBufferPointer, scratch: ColumnScratch
  ) throws(BytesError) -> (index: Int, isEqual: Bool) {
    guard count > 0 else { return (0, false) }
    let chunk = chunks[lastChunk { !$0.separator.isAfter(text) }]
    return try withContent(of: chunk, scratch: scratch) { content throws(BytesError) in
      // The last group whose head is not greater than the text, or the first.
      var lower = 0
      var upper = content.groupCount
      while upper - lower > 1 {
        let middle = (lower + upper) / 2
        var reader = ByteReader(try content.group(middle))
        if TextOrder.precedes(text, try reader.readLengthPrefixedBytes()) { upper = middle } else { lower = middle }
      }
      var cursor = GroupCursor(scratch.takeBuffer())
      defer { scratch.giveBack(&cursor.text) }
      let first = lower * Self.groupCount
      let end = min(first + Self.groupCount, chunk.count)
      if first < end { try cursor.enter(try content.group(lower)) }
      for place in first..<end {
        try cursor.advance()
        let order = cursor.text.withRawBytes { TextOrder.compare($0, text) }
        if order >= 0 { return (chunk.firstIndex + place, order == 0) }
      }
      return (chunk.firstIndex + end, false)
    }
  }

  /// The last chunk that `isNotAfter` holds for, or the first; the chunks it holds for come first.
  private func lastChunk(_ isNotAfter: (Chunk) -> Bool) -> Int {
    var lower = 0
    var upper = chunks.count
    while upper - lower > 1 {
      let middle = (lower + upper) / 2
      if isNotAfter(chunks[middle]) { lower = middle } else { upper = middle }
    }
    return lower
  }

  private func withContent<Result>(
    of chunk: Chunk, scratch: ColumnScratch, _ body: (Content) throws(BytesError) -> Result
  ) throws(BytesError) -> Result {
    try TextBlock.withText(
      of: chunk.block, byteCount: chunk.textByteCount, verifying: isVerifying, scratch: scratch
    ) { text throws(BytesError) in try body(Content(text, count: chunk.count)) }
  }

  /// An inflated chunk.
  private struct Content {
    let groupCount: Int
    private var ends: [Int] = []
    private let groups: UnsafeRawBufferPointer

    init(_ text: UnsafeRawBufferPointer, count: Int) throws(BytesError) {
      groupCount = count / SortedTextList.groupCount + (count % SortedTextList.groupCount == 0 ? 0 : 1)
      var reader = ByteReader(text)
      guard groupCount <= text.count else {
        throw BytesError(offset: 0, reason: "a chunk of a text list is too short for its \(count) strings")
      }
      ends.reserveCapacity(groupCount)
      var end = 0
      for _ in 0..<max(0, groupCount - 1) {
        end += try reader.readCount(limit: text.count - end)
        ends.append(end)
      }
      groups = try reader.readBytes(reader.remaining)
      ends.append(groups.count)
    }

    func group(_ index: Int) throws(BytesError) -> UnsafeRawBufferPointer {
      guard index < groupCount else {
        throw BytesError(offset: 0, reason: "a chunk of a text list has no group \(index)")
      }
      let start = index == 0 ? 0 : ends[index - 1]
      guard start <= ends[index], ends[index] <= groups.count else {
        throw BytesError(offset: start, reason: "a chunk of a text list has groups that reach beyond it")
      }
      return UnsafeRawBufferPointer(rebasing: groups[start..<ends[index]])
    }
  }

  /// Walks through the strings of a group.
  private struct GroupCursor {
    var text: [UInt8]
    private var reader = ByteReader(UnsafeRawBufferPointer(start: nil, count: 0))

    init(_ buffer: [UInt8]) { text = buffer }

    mutating func enter(_ group: UnsafeRawBufferPointer) throws(BytesError) {
      reader = ByteReader(group)
      text.removeAll(keepingCapacity: true)
    }

    /// Moves to the next string; the first string of a group shares nothing and does not say so.
    mutating func advance() throws(BytesError) {
      let shared = reader.offset == 0 ? 0 : try reader.readCount(limit: text.count)
      let suffix = try reader.readLengthPrefixedBytes()
      guard shared + suffix.count <= TextBlock.maximumTextByteCount else {
        throw BytesError(offset: reader.offset, reason: "a string of a text list is longer than 64 MiB")
      }
      text.removeLast(text.count - shared)
      text.append(contentsOf: suffix)
    }
  }
}
