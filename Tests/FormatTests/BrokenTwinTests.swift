import Foundation
import Testing
import TraceFiles
import TraceManifest
import TraceModel
import TraceSegment
import TraceWAL

/// Damage is called damage, a newer file is called newer, and nothing of either is believed.
@Suite struct BrokenTwinTests {
  @Test(arguments: BrokenTwin.all)
  func brokenFilesAreCalledWhatTheyAre(_ twin: BrokenTwin) throws {
    let path = BrokenTwin.folder.appendingPathComponent(twin.name)
    if GoldenSegments.isWriting {
      try FileManager.default.createDirectory(at: BrokenTwin.folder, withIntermediateDirectories: true)
      try Data(try twin.build()).write(to: path)
    }
    let bytes = [UInt8](try Data(contentsOf: path))
    #expect(bytes == (try twin.build()), "the file is not what its builder makes")
    #expect(try code(of: bytes, twin.kind) == twin.code)
  }

  @Test func theIndexNamesEveryTwin() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: BrokenTwin.folder.path)
    #expect(Set(files) == Set(BrokenTwin.all.map(\.name)))
    let index = try String(
      contentsOf: FormatDocument.root.appendingPathComponent("Fixtures/INDEX.md"), encoding: .utf8)
    for twin in BrokenTwin.all { #expect(index.contains("`\(twin.name)`"), "\(twin.name)") }
  }

  /// Not a bit of a segment can change unnoticed.
  @Test func everyFlippedBitOfASegmentIsFound() throws {
    let whole = try GoldenSegments.committed("minute")
    for offset in whole.indices {
      for bit in [0, 3, 7] {
        var bytes = whole
        bytes[offset] ^= 1 << UInt8(bit)
        // Version and feature bits of a footer stand under its checksum, but a header is only read by `verify`.
        let found = try code(of: bytes, .segment)
        #expect(found == .corrupt || found == .unsupportedFormat, "byte \(offset), bit \(bit)")
      }
    }
  }

  @Test func everyShorterSegmentIsDamaged() throws {
    let whole = try GoldenSegments.committed("minute")
    for count in 0..<whole.count { #expect(try code(of: Array(whole[..<count]), .segment) == .corrupt, "\(count)") }
  }

  /// What opening reports, or a check of everything behind it; nil when nothing is wrong.
  private func code(of bytes: [UInt8], _ kind: BrokenTwin.Kind) throws -> TracestoreError.Code? {
    do {
      switch kind {
      case .segment: return try segmentCode(bytes)
      case .log: return try logCode(bytes)
      case .current: return try openManifest(current: bytes, manifest: try Examples.manifest())
      case .manifest: return try openManifest(current: try Examples.current(), manifest: bytes)
      }
    } catch let error as TracestoreError {
      #expect(error.path != nil, "an error says in which file")
      return error.code
    }
  }

  private func segmentCode(_ bytes: [UInt8]) throws -> TracestoreError.Code? {
    let verification = try SegmentDump.open(bytes).verify(deep: true)
    return verification.damages.isEmpty ? nil : .corrupt
  }

  private func file(_ bytes: [UInt8], _ directory: String, _ name: String, in files: SimulatedFileSystem) throws {
    try files.createDirectory(directory)
    let file = try files.open(joinedPath(directory, name), .create)
    try bytes.withUnsafeBytes { try file.append($0) }
    file.close()
  }

  /// The first frame was durable when the second one was written, so its loss is damage.
  private func logCode(_ bytes: [UInt8]) throws -> TracestoreError.Code? {
    let files = SimulatedFileSystem()
    try file(bytes, "/store", WALFormat.fileName(1), in: files)
    let report = try WALRecovery.run(fileSystem: files, directory: "/store", storeID: Examples.storeID) { _ in }
    return report.gaps.contains { $0.isDamage } ? .corrupt : nil
  }

  /// A store whose CURRENT is damaged opens, and says so.
  private func openManifest(current: [UInt8], manifest: [UInt8]) throws -> TracestoreError.Code? {
    let files = SimulatedFileSystem()
    try file(current, "/store", StoreLayout.currentFileName, in: files)
    try file(manifest, "/store", StoreLayout.manifestFileName(1), in: files)
    let store = try ManifestStore.open(fileSystem: files, directory: "/store", mode: .readOnly)
    defer { store.close() }
    return store.currentDamage?.code
  }
}
