import TraceBytes
package import TraceFiles
import TraceManifest
import TraceModel
import TraceOTLP
import TraceSegment
import TraceWAL

/// What a check of a whole store found.
package struct VerificationReport: Sendable {
  package var fileCount = 0
  /// Pages, frames and other parts with a checksum of their own that were read.
  package var pageCount = 0
  package var damages: [InspectedDamage] = []
  /// Files of the store that its manifest does not count. They are no damage: nothing reads them, and they go when the
  /// store is next opened for writing. While it is, there are none: what is not counted yet is what the writer works on.
  package var orphans: [OrphanFile] = []
  package var isNewerFormat = false

  /// Takes up what was found in a part of the store.
  mutating func add(_ other: VerificationReport) {
    fileCount += other.fileCount
    pageCount += other.pageCount
    isNewerFormat = isNewerFormat || other.isNewerFormat
    damages += other.damages.filter { !damages.contains($0) }
  }

  mutating func note(_ error: any Error, file: String, at offset: UInt64) {
    if let known = error as? TracestoreError, known.code == .unsupportedFormat { isNewerFormat = true }
    let damage = InspectedDamage(error, file: file, offset: offset)
    if !damages.contains(damage) { damages.append(damage) }
  }

  package var json: JSONValue {
    .object([
      ("files", .count(fileCount)), ("pages", .count(pageCount)), ("damaged", .array(damages.map(\.json))),
      (
        "orphans",
        .array(orphans.map { .object([("file", .string($0.path)), ("bytes", .number($0.byteCount))]) })
      ),
    ])
  }
}

/// A file that a store would not miss.
package struct OrphanFile: Hashable, Sendable {
  package var path: String
  package var byteCount: UInt64
}

/// Reads every checksum of a store and compares what its files say about each other. Works on a live store.
package struct StoreVerifier: Sendable {
  private let fileSystem: any FileSystem
  private let directory: String

  package init(_ directory: String, fileSystem: any FileSystem = RealFileSystem()) {
    self.fileSystem = fileSystem
    self.directory = directory
  }

  /// - Parameter isDeep: also decodes every record of every segment and every request of the log.
  /// - Throws: `notFound` when there is no store, `corrupt` when one has lost its CURRENT, `inputOutput` when the folder cannot be read.
  package func run(isDeep: Bool) throws -> VerificationReport {
    let current = joinedPath(directory, StoreLayout.currentFileName)
    guard try fileSystem.exists(current) else {
      throw ManifestStore.noStore(directory, fileSystem)
    }
    var report = VerificationReport()
    // CURRENT and the manifest that it names.
    report.fileCount += 2
    let manifest: ManifestStore
    do {
      manifest = try ManifestStore.open(fileSystem: fileSystem, directory: directory, mode: .readOnly)
    } catch {
      report.note(error, file: current, at: 0)
      verifySegmentsAlone(isDeep: isDeep, &report)
      return report
    }
    defer { manifest.close() }
    report.pageCount += 2
    if let damage = manifest.currentDamage { report.note(damage, file: current, at: 0) }
    do {
      try verifyFiles(manifest, isDeep: isDeep, &report)
      verifyPosition(manifest, &report)
      verifyLog(manifest, isDeep: isDeep, &report)
      report.orphans = try orphans(manifest)
    } catch {
      report.note(error, file: directory, at: 0)
    }
    return report
  }

  /// The files of the manifest. One that a writer has merged away meanwhile is no damage: what it held is in the files
  /// that a newer manifest names.
  private func verifyFiles(_ manifest: ManifestStore, isDeep: Bool, _ report: inout VerificationReport) throws {
    var seen: Set<ManifestFileKey> = []
    var isOutdated = true
    while isOutdated {
      isOutdated = false
      for entry in manifest.current.files where seen.insert(entry.key).inserted {
        let found = verify(entry, isDeep: isDeep)
        if try !found.damages.isEmpty && manifest.refresh().file(entry.key) == nil {
          isOutdated = true
        } else {
          report.add(found)
        }
      }
    }
  }

  /// What a crash or a writer that has failed left behind.
  private func orphans(_ manifest: ManifestStore) throws -> [OrphanFile] {
    let before = try manifest.leftovers()
    // A writer has removed those of its predecessors when it opened the store; it makes files before it names them.
    if try before.isEmpty || fileSystem.isLocked(joinedPath(directory, StoreLayout.lockFileName)) { return [] }
    // One that was at work on them before and has ended since has named them.
    try manifest.refresh()
    let after = try Set(manifest.leftovers())
    return try before.filter(after.contains).compactMap { name in
      let path = joinedPath(directory, name)
      guard let file = try? fileSystem.open(path, .read) else { return nil }
      defer { file.close() }
      return OrphanFile(path: path, byteCount: try file.byteCount())
    }
  }

  private func verify(_ entry: ManifestFile, isDeep: Bool) -> VerificationReport {
    var report = VerificationReport()
    let path = joinedPath(directory, StoreLayout.fileName(entry.key))
    report.fileCount = 1
    do {
      let file = try fileSystem.open(path, .read)
      defer { file.close() }
      let byteCount = try file.byteCount()
      guard byteCount == entry.byteCount else {
        throw TracestoreError(
          .corrupt, "the file has \(byteCount) bytes, and the manifest says \(entry.byteCount)", path: path,
          offset: min(byteCount, entry.byteCount))
      }
      if entry.key.kind == .dependencies {
        let bytes = try fileSystem.contents(ofFile: path, maximumByteCount: Inspector.maximumWholeByteCount)
        guard Hash128(of: bytes) == entry.footerHash else {
          throw TracestoreError(.corrupt, "the file is not the one that the manifest names", path: path, offset: 0)
        }
        _ = try DependencySnapshot(bytes, path: path)
        report.pageCount += 1
      }
      if entry.key.kind == .metricsSegment {
        let figures = try MetricsSegment(
          file: file, number: entry.key.number, path: path, byteCount: entry.byteCount, hash: entry.footerHash
        ).figures()
        guard figures.cellCount == entry.rowCount else {
          throw TracestoreError(
            .corrupt, "the metrics segment and the manifest disagree about what it holds", path: path, offset: 0)
        }
        report.pageCount += 1
      }
      guard entry.key.kind == .segment else { return report }
      let segment = try open(file, entry.key.number, path, entry.footerHash)
      let totals = segment.totals
      guard totals.rowCount == entry.rowCount, totals.traceCount == entry.traceCount,
        totals.partialCount == entry.partialRecordCount
      else {
        throw TracestoreError(
          .corrupt, "the segment and the manifest disagree about what it holds", path: path, offset: 0)
      }
      verify(segment, path, isDeep: isDeep, &report)
    } catch {
      report.note(error, file: path, at: 0)
    }
    return report
  }

  /// - Parameter footerHash: nil when nothing says what it should be.
  private func open(_ file: any File, _ number: UInt64, _ path: String, _ footerHash: Hash128?) throws -> Segment {
    try Segment.open(
      file: file, number: number, path: path, cache: BlockCache(maximumByteCount: Inspector.cacheByteCount),
      expectedFooterHash: footerHash)
  }

  private func verify(_ segment: Segment, _ path: String, isDeep: Bool, _ report: inout VerificationReport) {
    let found = segment.verify(deep: isDeep)
    report.pageCount += found.pageCount
    for damage in found.damages {
      report.note(
        TracestoreError(.corrupt, damage.what, path: damage.path, offset: damage.offset), file: path,
        at: damage.offset)
    }
  }

  /// The segments in the folder, each for itself: without a manifest nothing says which of them count.
  private func verifySegmentsAlone(isDeep: Bool, _ report: inout VerificationReport) {
    for name in ((try? fileSystem.contents(ofDirectory: directory)) ?? []).sorted() {
      guard let key = StoreLayout.fileKey(name), key.kind == .segment else { continue }
      let path = joinedPath(directory, name)
      report.fileCount += 1
      do {
        let file = try fileSystem.open(path, .read)
        defer { file.close() }
        verify(try open(file, key.number, path, nil), path, isDeep: isDeep, &report)
      } catch {
        report.note(error, file: path, at: 0)
      }
    }
  }

  private func verifyPosition(_ manifest: ManifestStore, _ report: inout VerificationReport) {
    let log = joinedPath(directory, StoreLayout.walDirectoryName)
    let path = joinedPath(log, WALFormat.positionFileName)
    do {
      guard try fileSystem.exists(path) else { return }
      let positions = try WALPositions.read(
        fileSystem: fileSystem, directory: log, storeID: manifest.current.settings.storeID)
      report.fileCount += 1
      report.pageCount += 2
      for slot in positions.damagedSlots {
        let offset = UInt64(slot * WALPosition.slotByteCount)
        report.note(
          TracestoreError(.corrupt, "slot \(slot) does not match its checksum", path: path, offset: offset), file: path,
          at: offset)
      }
    } catch {
      report.note(error, file: path, at: 0)
    }
  }

  private func verifyLog(_ manifest: ManifestStore, isDeep: Bool, _ report: inout VerificationReport) {
    let log = joinedPath(directory, StoreLayout.walDirectoryName)
    /// A writer may trim the log while it is read; what it trims is in segments.
    for attempt in 1...8 {
      do {
        guard try fileSystem.kind(of: log) == .directory else { return }
        var found = VerificationReport()
        found.fileCount = try fileSystem.contents(ofDirectory: log).count { WALFormat.fileNumber($0) != nil }
        let version = try manifest.refresh()
        var reader = try WALReader(
          fileSystem: fileSystem, directory: log, storeID: version.settings.storeID, mode: .everything,
          from: WALCursor(minimumSequence: version.walTrimmedBelow), mayBeTrimmed: attempt < 8)
        while let record = try reader.next() {
          found.pageCount += 1
          do {
            let payload = try record.payload()
            // What no reader of this version opens is not well, whole as it may be.
            try record.checkIsRequest()
            if isDeep { _ = try OTLP.decode(payload) }
          } catch {
            found.note(error, file: record.path, at: record.offset)
          }
        }
        for gap in reader.gaps where gap.isDamage {
          found.note(
            TracestoreError(.corrupt, gap.reason, path: gap.path, offset: gap.offset), file: gap.path, at: gap.offset)
        }
        report.add(found)
        return
      } catch let error as TracestoreError
        where attempt < 8 && (error.code == .notFound || error.code == .snapshotExpired)
      {
        continue
      } catch {
        report.note(error, file: log, at: 0)
        return
      }
    }
  }
}
