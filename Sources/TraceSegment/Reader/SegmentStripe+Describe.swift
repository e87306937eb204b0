import TraceBytes
import TraceColumns
package import TraceModel

/// What a stripe is made of, for people.
package struct StripeDescription: Sendable {
  package var index: Int
  package var offset: UInt64
  package var byteCount: UInt64
  package var head: StripeHead
  /// In the order of their ids.
  package var chunks: [ChunkDescription]
}

/// What a column of a stripe is made of, for people.
package struct ChunkDescription: Sendable {
  package var id: UInt32
  /// As in `SegmentPartSize`.
  package var name: String
  /// In the file.
  package var offset: UInt64
  package var byteCount: Int
  /// The codec, then a line for each page or part, then what the stripe index says of numbers.
  package var lines: [String]
  /// Why the chunk cannot be read, when it is damaged; other chunks still can.
  package var damage: TracestoreError?
}

extension SegmentStripe {
  /// Describes every column of the stripe; goes on past damaged ones.
  package func describe() throws -> StripeDescription {
    try reading(isWhole: true) { loaded, scratch in
      StripeDescription(
        index: index, offset: summary.offset, byteCount: summary.byteCount, head: loaded.head,
        chunks: loaded.head.chunks.map { chunk in
          let place = loaded.place(chunk.id)
          var result = ChunkDescription(
            id: chunk.id, name: loaded.catalogue.columnName(chunk.id), offset: place.fileOffset,
            byteCount: Int(chunk.byteCount), lines: [])
          do {
            result.lines = try loaded.describe(chunk.id, scratch)
            if let line = loaded.describeIndex(chunk.id) { result.lines.append(line) }
          } catch {
            result.damage = error as? TracestoreError ?? place.damage("\(error)", cause: error)
          }
          return result
        })
    }
  }
}

/// How the bytes of a chunk are to be read.
enum ChunkForm {
  case integers, text, doubles, shapes
}

extension LoadedStripe {
  func form(_ id: UInt32) -> ChunkForm {
    if id == ChunkID.shapes { return .shapes }
    if ChunkID.fixedTexts.contains(id) { return .text }
    guard id >= SegmentFormat.firstAttributeChunk else { return .integers }
    let entry = Int(id - SegmentFormat.firstAttributeChunk)
    guard entry < catalogue.count else { return .integers }
    return switch catalogue[entry].type {
    case .double: .doubles
    case .absent, .empty, .bool, .int: .integers
    default: .text
    }
  }

  func describe(_ id: UInt32, _ scratch: ReadScratch) throws -> [String] {
    guard let bytes = try chunkBytes(id)?.bytes else { return [] }
    let place = place(id)
    return try place.naming {
      switch form(id) {
      case .integers: return try IntegerColumn(bytes).describe()
      case .shapes: return ["\(head.shapeCount) shapes, compressed: \(bytes.count) bytes"]
      case .doubles:
        let head = try DoubleChunkHead(bytes, at: place.fileOffset)
        var offset = DoubleChunkHead.byteCount
        var lines = ["doubles as \(head.form), exponent \(head.exponent)"]
        for (name, byteCount) in [
          ("values", head.valuesByteCount), ("escape positions", head.positionsByteCount),
          ("escape bits", head.bitsByteCount),
        ] where byteCount > 0 {
          lines.append("\(name):")
          lines += try IntegerColumn(UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + byteCount)])).describe()
          offset += byteCount
        }
        return lines
      case .text:
        let head = try TextChunkHead(bytes, at: place.fileOffset)
        let parts = UnsafeRawBufferPointer(rebasing: bytes[TextChunkHead.byteCount...])
        let first = UnsafeRawBufferPointer(rebasing: parts[..<head.firstByteCount])
        let second = UnsafeRawBufferPointer(rebasing: parts[head.firstByteCount...])
        switch head.form {
        case .empty: return []
        case .column: return try TextColumn(first, verifying: true, scratch: scratch.columns).describe()
        case .dictionary:
          let local = try SortedTextList(second, verifying: true)
          return [
            "dictionary: \(summary.text(id)?.shared.count ?? 0) shared strings, \(local.count) local in \(second.count) bytes",
            "indices:",
          ] + (try IntegerColumn(first).describe())
        }
      }
    }
  }

  /// Reads everything of a chunk with checksums, whatever was verified before; returns how many pages it has.
  func verify(_ id: UInt32, _ scratch: ReadScratch) throws -> Int {
    guard let bytes = try chunkBytes(id)?.bytes else { return 0 }
    let place = place(id)
    func verify(_ bytes: UnsafeRawBufferPointer) throws -> Int {
      let column = try IntegerColumn(bytes)
      guard column.byteCount == bytes.count else { throw place.damage("bytes follow its last page") }
      for page in 0..<column.pageCount { _ = try column.decodePage(page, into: scratch.page) }
      return column.pageCount
    }
    return try place.naming {
      switch form(id) {
      case .integers: return try verify(bytes)
      case .shapes:
        _ = try ShapeList.decode(
          bytes, shapeCount: head.shapeCount, keyCount: catalogue.count, decompressor: scratch.decompressor,
          at: place.fileOffset)
        return 1
      case .doubles:
        let head = try DoubleChunkHead(bytes, at: place.fileOffset)
        var pageCount = 0
        var offset = DoubleChunkHead.byteCount
        for byteCount in [head.valuesByteCount, head.positionsByteCount, head.bitsByteCount] where byteCount > 0 {
          pageCount += try verify(UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + byteCount)]))
          offset += byteCount
        }
        return pageCount
      case .text:
        let head = try TextChunkHead(bytes, at: place.fileOffset)
        let parts = UnsafeRawBufferPointer(rebasing: bytes[TextChunkHead.byteCount...])
        let first = UnsafeRawBufferPointer(rebasing: parts[..<head.firstByteCount])
        guard head.form == .dictionary else {
          try TextColumn(first, verifying: true, scratch: scratch.columns).readingAll(scratch) { _, _ in }
          return 1
        }
        _ = try TextArena(
          decoding: UnsafeRawBufferPointer(rebasing: parts[head.firstByteCount...]), isVerifying: true, scratch)
        return try verify(first) + 1
      }
    }
  }
}
