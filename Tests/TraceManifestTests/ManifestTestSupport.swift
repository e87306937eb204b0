import TraceBytes
import TraceFiles
import TraceManifest
import TraceModel

let storeID = StoreID(first: 0x0102_0304_0506_0708, second: 0x1112_1314_1516_1718)
let directory = "/store"

func code(_ error: any Error) -> TracestoreError.Code? { (error as? TracestoreError)?.code }

func settings() -> StoreSettings { StoreSettings(storeID: storeID, createdNanoseconds: 1_700_000_000_000_000_000) }

func segment(_ number: UInt64) -> ManifestFile {
  var file = ManifestFile(key: ManifestFileKey(kind: .segment, number: number))
  file.byteCount = 1000 + number
  file.footerHash = Hash128(first: number &* 0x9e37_79b9_7f4a_7c15, second: ~number)
  file.rowCount = 65536
  file.partialRecordCount = 3
  file.traceCount = 6000
  file.minimumStartNanoseconds = 10 + number
  file.maximumStartNanoseconds = 20 + number
  file.maximumEndNanoseconds = 30 + number
  file.longestTraceNanoseconds = 7
  file.minimumArrivalNanoseconds = 40
  file.maximumArrivalNanoseconds = 50
  file.windowStartNanoseconds = 3_600_000_000_000
  file.windowLengthNanoseconds = 3_600_000_000_000
  file.level = 1
  file.retentionClass = 2
  file.rulesVersions = [1, 4]
  file.firstSequence = number * 10
  file.lastSequence = number * 10 + 9
  file.attributes[7] = [1, 2, 3]
  return file
}

func sideFile(_ kind: ManifestFileKind, _ number: UInt64, _ edition: UInt32) -> ManifestFile {
  ManifestFile(key: ManifestFileKey(kind: kind, number: number, edition: edition))
}

func openStore(
  _ fileSystem: any FileSystem, maximumLogByteCount: Int = ManifestStore.defaultMaximumLogByteCount
) throws -> ManifestStore {
  try ManifestStore.open(
    fileSystem: fileSystem, directory: directory, mode: .readWrite(create: settings()),
    maximumLogByteCount: maximumLogByteCount)
}

func openReader(_ fileSystem: any FileSystem) throws -> ManifestStore {
  try ManifestStore.open(fileSystem: fileSystem, directory: directory, mode: .readOnly)
}

func manifestPath(_ number: UInt64) -> String { joinedPath(directory, StoreLayout.manifestFileName(number)) }

func bytes(_ fileSystem: any FileSystem, _ path: String) throws -> [UInt8] {
  try fileSystem.contents(ofFile: path, maximumByteCount: 1 << 30)
}

func adding(_ files: ManifestFile...) -> ManifestEdit { ManifestEdit(files.map { .addFile($0) }) }
