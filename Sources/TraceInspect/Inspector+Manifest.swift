import TraceBytes
import TraceFiles
import TraceManifest
import TraceModel
import TraceWAL

extension Inspector {
  func explainCurrent(_ file: any File, _ path: String, _ byteCount: UInt64) throws -> Explanation {
    var result = Explanation(kind: "current", path: path, byteCount: byteCount)
    let bytes = try file.bytes(at: 0, byteCount: Int(min(byteCount, 4096)))
    do {
      try bytes.withUnsafeBytes { buffer in
        guard buffer.count == ManifestFormat.currentByteCount,
          CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[..<28])) == buffer.littleEndian(UInt32.self, at: 28)
        else { throw TracestoreError(.corrupt, "the file does not match its checksum", path: path, offset: 0) }
        result.fields = [
          ("format", .number(UInt64(buffer.littleEndian(UInt32.self, at: 8)))),
          ("manifest", .string(StoreLayout.manifestFileName(buffer.littleEndian(UInt64.self, at: 16)))),
        ]
        if buffer.littleEndian(UInt32.self, at: 8) > ManifestFormat.version { result.isNewerFormat = true }
      }
    } catch { result.note(error, at: 0) }
    return result
  }

  func explainPosition(_ file: any File, _ path: String, _ byteCount: UInt64) throws -> Explanation {
    var result = Explanation(kind: "position", path: path, byteCount: byteCount)
    for slot in 0..<2 {
      let offset = UInt64(slot * WALPosition.slotByteCount)
      let bytes = try file.bytes(at: offset, byteCount: WALPosition.slotByteCount)
      var part = ExplainedPart("slot \(slot)", at: offset, byteCount: UInt64(bytes.count))
      bytes.withUnsafeBytes { buffer in
        guard buffer.count == WALPosition.slotByteCount else { return }
        let isValid =
          CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[..<60])) == buffer.littleEndian(UInt32.self, at: 60)
        // A slot may be half written at any moment: its pair is there for that.
        part.fields =
          isValid
          ? [
            ("edition", .number(buffer.littleEndian(UInt64.self, at: 0))),
            ("sequence", .number(buffer.littleEndian(UInt64.self, at: 8))),
            ("log file", .string(WALFormat.fileName(buffer.littleEndian(UInt64.self, at: 16)))),
            ("offset", .number(buffer.littleEndian(UInt64.self, at: 24))),
          ] : [("state", .string(buffer.allSatisfy { $0 == 0 } ? "never written" : "not valid"))]
      }
      result.parts.append(part)
    }
    return result
  }

  func explainManifest(_ file: any File, _ path: String, _ byteCount: UInt64) throws -> Explanation {
    var result = Explanation(kind: "manifest", path: path, byteCount: byteCount)
    let bytes = try file.bytes(at: 0, byteCount: Int(min(byteCount, UInt64(ManifestFormat.maximumFileByteCount))))
    bytes.withUnsafeBytes { buffer in
      let headerByteCount = ManifestFormat.fileHeaderByteCount
      guard buffer.count >= headerByteCount, buffer[..<8].elementsEqual(ManifestFormat.fileMagic),
        CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[..<60])) == buffer.littleEndian(UInt32.self, at: 60)
      else {
        result.note(
          TracestoreError(.corrupt, "the manifest's header does not match its checksum", path: path, offset: 0), at: 0)
        return
      }
      let version = buffer.littleEndian(UInt32.self, at: 8)
      let storeID = StoreID(
        first: buffer.littleEndian(UInt64.self, at: 16), second: buffer.littleEndian(UInt64.self, at: 24))
      result.fields = [
        ("format", .number(UInt64(version))), ("store id", .string("\(storeID)")),
        ("number", .number(buffer.littleEndian(UInt64.self, at: 32))),
        ("first edit", .number(buffer.littleEndian(UInt64.self, at: 40))),
      ]
      result.parts.append(ExplainedPart("header", at: 0, byteCount: UInt64(headerByteCount)))
      guard version == ManifestFormat.version else {
        result.note(
          TracestoreError(.unsupportedFormat, "the manifest has format \(version)", path: path, offset: 8), at: 8)
        return
      }
      let salt = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[..<headerByteCount]))
      explainRecords(buffer, salt, &result)
    }
    return result
  }

  private func explainRecords(_ buffer: UnsafeRawBufferPointer, _ salt: UInt32, _ result: inout Explanation) {
    let headerByteCount = ManifestFormat.recordHeaderByteCount
    /// The record's body when a valid header stands there and the file holds all of it.
    func body(at offset: Int) -> UnsafeRawBufferPointer? {
      guard buffer.count - offset >= headerByteCount,
        buffer.littleEndian(UInt32.self, at: offset) == ManifestFormat.recordMagic,
        CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + 20]), following: salt)
          == buffer.littleEndian(UInt32.self, at: offset + 20)
      else { return nil }
      let byteCount = Int(buffer.littleEndian(UInt32.self, at: offset + 4))
      let start = offset + headerByteCount
      guard byteCount <= buffer.count - start else { return nil }
      return UnsafeRawBufferPointer(rebasing: buffer[start..<start + byteCount])
    }
    var offset = ManifestFormat.fileHeaderByteCount
    while offset < buffer.count {
      guard let edit = body(at: offset) else {
        var next = offset + 1
        while next < buffer.count, body(at: next) == nil { next += 1 }
        result.parts.append(
          ExplainedPart(
            next < buffer.count ? "gap" : "unfinished end", at: UInt64(offset), byteCount: UInt64(next - offset)))
        if next < buffer.count {
          result.note(
            TracestoreError(.corrupt, "no valid record stands in these \(next - offset) bytes"), at: UInt64(offset))
        }
        offset = next
        continue
      }
      var part = ExplainedPart(
        "edit \(buffer.littleEndian(UInt64.self, at: offset + 8))", at: UInt64(offset),
        byteCount: UInt64(headerByteCount + edit.count))
      if CRC32C.checksum(edit) == buffer.littleEndian(UInt32.self, at: offset + 16) {
        do { part.lines = try ManifestEdit.decode(edit).entries.map(describe) } catch {
          result.note(TracestoreError(.corrupt, "the edit makes no sense: \(error)"), at: UInt64(offset))
        }
      } else {
        result.note(TracestoreError(.corrupt, "the edit does not match its checksum"), at: UInt64(offset))
      }
      result.parts.append(part)
      offset += headerByteCount + edit.count
    }
  }

  private func describe(_ entry: ManifestEntry) -> String {
    switch entry {
    case .settings(let settings):
      return
        "settings: store \(settings.storeID), created \(Timestamp(nanoseconds: settings.createdNanoseconds).rfc3339), end zero is \(settings.isZeroEndOpen ? "an open span" : "an ordinary value")"
    case .addFile(let file):
      return
        "add \(StoreLayout.fileName(file.key)): \(file.byteCount) bytes, \(file.rowCount) rows, \(file.traceCount) traces, \(file.partialRecordCount) partial records, log frames \(file.firstSequence) to \(file.lastSequence), starts \(Timestamp(nanoseconds: file.minimumStartNanoseconds).rfc3339) to \(Timestamp(nanoseconds: file.maximumStartNanoseconds).rfc3339)"
    case .removeFile(let key, let reason):
      let reasons = ["", "merged", "expired", "superseded", "purged", "repaired"]
      let word = reasons.indices.contains(Int(reason.rawValue)) ? reasons[Int(reason.rawValue)] : "\(reason.rawValue)"
      return "remove \(StoreLayout.fileName(key)): \(word)"
    case .nextFileNumber(let number): return "next file number \(number)"
    case .walTrimmedBelow(let sequence): return "log frames below \(sequence) are in files"
    case .featureBits(let must, let optional): return "features: must understand \(must), optional \(optional)"
    case .unknown(let kind, let flags, let bytes):
      return "entry of kind \(kind), flags \(flags), \(bytes.count) bytes, of a newer version"
    }
  }
}

extension UnsafeRawBufferPointer {
  /// The caller has checked that the integer stands inside.
  func littleEndian<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int) -> Value {
    Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}
