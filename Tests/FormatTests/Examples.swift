import TraceBytes
import TraceFiles
import TraceManifest
import TraceModel
import TraceSegment
import TraceWAL

/// The files that the worked examples of FORMAT.md show.
enum Examples {
  static let storeID = StoreID(first: 0x0706_0504_0302_0100, second: 0x0f0e_0d0c_0b0a_0908)
  static let storeIDBytes = (0..<16).map { UInt8($0) }
  static let arrival: UInt64 = 1_700_000_000_000_000_000
  private static let directory = "/store"

  private static func logDirectory() throws -> SimulatedFileSystem {
    let fileSystem = SimulatedFileSystem()
    let report = try WALRecovery.run(fileSystem: fileSystem, directory: directory, storeID: storeID) { _ in }
    let writer = try WALWriter(fileSystem: fileSystem, directory: directory, storeID: storeID, after: report)
    try writer.appendAndWait(
      WALFrame(kind: .request, payload: Array("abc".utf8), arrivalNanoseconds: arrival, rulesVersion: 3))
    try writer.appendAndWait(
      WALFrame(
        kind: .request, payload: [UInt8](repeating: 0, count: 40), arrivalNanoseconds: arrival + 1, rulesVersion: 3))
    try writer.close()
    return fileSystem
  }

  static func log() throws -> [UInt8] { try bytes(try logDirectory(), WALFormat.fileName(1)) }

  static func position() throws -> [UInt8] { try bytes(try logDirectory(), WALFormat.positionFileName) }

  static func metrics() -> [UInt8] {
    let series = HourlyFigures.Series(service: Array("shop".utf8), operation: Array("pay".utf8), kind: 2)
    var figures = HourlyFigures()
    func add(_ starts: [UInt64], _ durations: [UInt64], _ errors: [UInt8]) {
      starts.map { $0 * HourlyFigures.hourNanoseconds }.withUnsafeBufferPointer { starts in
        durations.withUnsafeBufferPointer { durations in
          errors.withUnsafeBufferPointer { errors in
            figures.update(series, starts: starts, durations: durations, errors: errors)
          }
        }
      }
    }
    add([500_000, 500_002, 500_002, 500_000], [5000, 7, 7, 40], [1, 0, 0, 0])
    add([500_000], [1000], [])
    return figures.encoded()
  }

  private static func manifestDirectory() throws -> SimulatedFileSystem {
    let fileSystem = SimulatedFileSystem()
    let store = try ManifestStore.open(
      fileSystem: fileSystem, directory: directory,
      mode: .readWrite(create: StoreSettings(storeID: storeID, createdNanoseconds: arrival)))
    try store.commit(ManifestEdit([.addFile(segment)]))
    var edit = ManifestEdit([.walTrimmedBelow(20), .featureBits(mustUnderstand: 0, optional: 0), .nextFileNumber(5)])
    edit.remove(segment.key, .merged)
    edit.entries.append(.unknown(kind: 900, flags: 0, bytes: [0xab]))
    try store.commit(edit)
    store.close()
    return fileSystem
  }

  private static var segment: ManifestFile {
    var file = ManifestFile(key: ManifestFileKey(kind: .segment, number: 1))
    file.byteCount = 1001
    file.footerHash = Hash128(first: 0x9e37_79b9_7f4a_7c15, second: .max - 1)
    file.rowCount = 65_536
    file.partialRecordCount = 3
    file.traceCount = 6_000
    (file.minimumStartNanoseconds, file.maximumStartNanoseconds, file.maximumEndNanoseconds) = (11, 21, 31)
    file.longestTraceNanoseconds = 7
    (file.minimumArrivalNanoseconds, file.maximumArrivalNanoseconds) = (40, 50)
    (file.windowStartNanoseconds, file.windowLengthNanoseconds) = (3_600_000_000_000, 3_600_000_000_000)
    (file.level, file.retentionClass) = (1, 2)
    file.rulesVersions = [1, 4]
    (file.firstSequence, file.lastSequence) = (10, 19)
    file.attributes[7] = [1, 2, 3]
    return file
  }

  static func manifest() throws -> [UInt8] { try bytes(try manifestDirectory(), StoreLayout.manifestFileName(1)) }

  static func current() throws -> [UInt8] { try bytes(try manifestDirectory(), StoreLayout.currentFileName) }

  private static func bytes(_ fileSystem: SimulatedFileSystem, _ name: String) throws -> [UInt8] {
    try fileSystem.contents(ofFile: joinedPath(directory, name), maximumByteCount: 1 << 20)
  }
}

func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

func encoded(_ body: (inout ByteWriter) throws -> Void) rethrows -> [UInt8] {
  var writer = ByteWriter()
  try body(&writer)
  return writer.bytes
}
