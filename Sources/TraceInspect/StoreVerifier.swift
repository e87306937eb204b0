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
  /// - Throws: `notFound` when there is no store, `inputOutput` when the folder cannot be read.
  package func run(isDeep: Bool) throws -> VerificationReport {
    let current = joinedPath(directory, StoreLayout.currentFileName)
    var report = VerificationReport()
    let manifest: ManifestStore
    do {
      manifest = try ManifestStore.open(fileSystem: fileSystem, directory: directory, mode: .readOnly)
    } catch let error as TracestoreError where error.code == .notFound {
      throw error
    } catch {
      report.note(error, file: current, at: 0)
      if !report.isNewerFormat { verifyWithoutManifest(isDeep: isDeep, &report) }
      return report
    }
    defer { manifest.close() }
    // CURRENT and the manifest that it names.
    report.fileCount += 2
    report.pageCount += 2
    if let damage = manifest.currentDamage { report.note(damage, file: current, at: 0) }
    do {
      try verifyFiles(manifest, isDeep: isDeep, &report)
      verifyPosition(of: manifest.current.settings.storeID, &report)
      verifyLog(isDeep: isDeep, &report) {
        let version = try manifest.refresh()
        return (version.settings.storeID, version.walTrimmedBelow)
      }
      report.orphans = try orphans(manifest)
    } catch {
      report.note(error, file: directory, at: 0)
    }
    return report
  }

  /// What can be said of the files while nothing says which of them count: what is wrong with the manifests, and each other
  /// file on its own.
  private func verifyWithoutManifest(isDeep: Bool, _ report: inout VerificationReport) {
    do {
      let names = try fileSystem.contents(ofDirectory: directory)
      if names.contains(StoreLayout.currentFileName) { report.fileCount += 1 }
      for number in names.compactMap(StoreLayout.manifestNumber) {
        let path = joinedPath(directory, StoreLayout.manifestFileName(number))
        report.fileCount += 1
        do {
          let salvage = try ManifestSalvage(manifest: number, fileSystem: fileSystem, directory: directory)
          for damage in salvage.damages { report.note(damage, file: path, at: 0) }
        } catch {
          report.note(error, file: path, at: 0)
        }
      }
      for key in names.compactMap(StoreLayout.fileKey) { report.add(verify(key, as: nil, isDeep: isDeep)) }
      let log = joinedPath(directory, StoreLayout.walDirectoryName)
      let origin = try WALReader.origin(fileSystem: fileSystem, directory: log)
      verifyPosition(of: origin.storeID, &report)
      verifyLog(isDeep: isDeep, &report) { (origin.storeID, origin.firstSequence ?? 1) }
    } catch {
      report.note(error, file: directory, at: 0)
    }
  }

  /// The files of the manifest. One that a writer has merged away meanwhile is no damage: what it held is in the files
  /// that a newer manifest names.
  private func verifyFiles(_ manifest: ManifestStore, isDeep: Bool, _ report: inout VerificationReport) throws {
    var seen: Set<ManifestFileKey> = []
    var isOutdated = true
    while isOutdated {
      isOutdated = false
      for entry in manifest.current.files where seen.insert(entry.key).inserted {
        let found = verify(entry.key, as: entry, isDeep: isDeep)
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

  /// - Parameter entry: what the manifest says about the file; nil when nobody knows.
  private func verify(_ key: ManifestFileKey, as entry: ManifestFile?, isDeep: Bool) -> VerificationReport {
    var report = VerificationReport()
    let path = joinedPath(directory, StoreLayout.fileName(key))
    report.fileCount = 1
    do {
      let file = try fileSystem.open(path, .read)
      defer { file.close() }
      let byteCount = try file.byteCount()
      if let entry, byteCount != entry.byteCount {
        throw TracestoreError(
          .corrupt, "the file has \(byteCount) bytes, and the manifest says \(entry.byteCount)", path: path,
          offset: min(byteCount, entry.byteCount))
      }
      if key.kind == .dependencies {
        let bytes = try fileSystem.contents(ofFile: path, maximumByteCount: Inspector.maximumWholeByteCount)
        if let entry, Hash128(of: bytes) != entry.footerHash {
          throw TracestoreError(.corrupt, "the file is not the one that the manifest names", path: path, offset: 0)
        }
        _ = try DependencySnapshot(bytes, path: path)
        report.pageCount += 1
      }
      if key.kind == .metricsSegment {
        let figures =
          if let entry {
            try MetricsSegment(
              file: file, number: key.number, path: path, byteCount: entry.byteCount, hash: entry.footerHash
            ).figures()
          } else {
            try HourlyFigures(
              fileSystem.contents(ofFile: path, maximumByteCount: Int(MetricsSegment.maximumByteCount)), path: path)
          }
        if let entry, figures.cellCount != entry.rowCount {
          throw TracestoreError(
            .corrupt, "the metrics segment and the manifest disagree about what it holds", path: path, offset: 0)
        }
        report.pageCount += 1
      }
      guard key.kind == .segment else { return report }
      let segment = try Segment.open(
        file: file, number: key.number, path: path,
        cache: BlockCache(maximumByteCount: Inspector.cacheByteCount), expectedFooterHash: entry?.footerHash)
      let totals = segment.totals
      if let entry,
        (totals.rowCount, totals.traceCount, totals.partialCount)
          != (entry.rowCount, entry.traceCount, entry.partialRecordCount)
      {
        throw TracestoreError(
          .corrupt, "the segment and the manifest disagree about what it holds", path: path, offset: 0)
      }
      let found = segment.verify(deep: isDeep)
      report.pageCount += found.pageCount
      for damage in found.damages {
        report.note(
          TracestoreError(.corrupt, damage.what, path: damage.path, offset: damage.offset), file: path,
          at: damage.offset)
      }
    } catch {
      report.note(error, file: path, at: 0)
    }
    return report
  }

  private func verifyPosition(of storeID: StoreID?, _ report: inout VerificationReport) {
    let log = joinedPath(directory, StoreLayout.walDirectoryName)
    let path = joinedPath(log, WALFormat.positionFileName)
    do {
      guard try fileSystem.exists(path) else { return }
      let positions = try WALPositions.read(fileSystem: fileSystem, directory: log, storeID: storeID)
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

  /// - Parameter expected: whose log it should be, and which sequence it is needed from.
  private func verifyLog(
    isDeep: Bool, _ report: inout VerificationReport,
    _ expected: () throws -> (storeID: StoreID?, minimumSequence: UInt64)
  ) {
    let log = joinedPath(directory, StoreLayout.walDirectoryName)
    /// A writer may trim the log while it is read; what it trims is in segments.
    for attempt in 1...8 {
      do {
        guard try fileSystem.kind(of: log) == .directory else { return }
        var found = VerificationReport()
        found.fileCount = try fileSystem.contents(ofDirectory: log).count { WALFormat.fileNumber($0) != nil }
        let (storeID, minimumSequence) = try expected()
        var reader = try WALReader(
          fileSystem: fileSystem, directory: log, storeID: storeID, mode: .everything,
          from: WALCursor(minimumSequence: minimumSequence), mayBeTrimmed: attempt < 8)
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
