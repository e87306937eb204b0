import Synchronization
import TraceFiles
import TraceModel
import TraceWAL

let storeID = StoreID(first: 0x0102_0304_0506_0708, second: 0x1112_1314_1516_1718)
let directory = "/store/wal"

func code(_ error: any Error) -> TracestoreError.Code? { (error as? TracestoreError)?.code }

/// A payload that says which one it is; compressible when `index` is even.
func payload(_ index: Int, byteCount: Int = 60) -> [UInt8] {
  var bytes = Array("payload \(index) ".utf8)
  var generator = SeededGenerator(seed: UInt64(index))
  while bytes.count < byteCount {
    bytes.append(index.isMultiple(of: 2) ? 7 : UInt8.random(in: .min ... .max, using: &generator))
  }
  return bytes
}

func frame(_ index: Int, byteCount: Int = 60) throws -> WALFrame {
  try WALFrame(
    kind: .request, payload: payload(index, byteCount: byteCount), arrivalNanoseconds: UInt64(1000 + index),
    rulesVersion: UInt32(index & 7))
}

/// What recovery gives back, and its report.
struct Recovered {
  var payloads: [[UInt8]] = []
  var sequences: [UInt64] = []
  var report: WALRecoveryReport
}

func recover(_ fileSystem: any FileSystem, from minimumSequence: UInt64 = 1) throws -> Recovered {
  var payloads: [[UInt8]] = []
  var sequences: [UInt64] = []
  let report = try WALRecovery.run(
    fileSystem: fileSystem, directory: directory, storeID: storeID, minimumSequence: minimumSequence
  ) { record in
    payloads.append(try record.payload())
    sequences.append(record.sequence)
  }
  return Recovered(payloads: payloads, sequences: sequences, report: report)
}

func openWriter(
  _ fileSystem: any FileSystem, _ durability: WALDurability = .sync, maximumQueuedByteCount: Int = 16 << 20
) throws -> WALWriter {
  let report = try recover(fileSystem).report
  return try WALWriter(
    fileSystem: fileSystem, directory: directory, storeID: storeID, after: report,
    options: WALOptions(durability: durability, maximumQueuedByteCount: maximumQueuedByteCount))
}

func readPublished(
  _ fileSystem: any FileSystem, from cursor: WALCursor = WALCursor(), mayBeTrimmed: Bool = true
) throws -> (payloads: [[UInt8]], cursor: WALCursor, gaps: [WALGap]) {
  var reader = try WALReader(
    fileSystem: fileSystem, directory: directory, storeID: storeID, mode: .published, from: cursor,
    mayBeTrimmed: mayBeTrimmed)
  var payloads: [[UInt8]] = []
  while let record = try reader.next() { payloads.append(try record.payload()) }
  return (payloads, reader.cursor, reader.gaps)
}

func logPath(_ number: UInt64) -> String { joinedPath(directory, WALFormat.fileName(number)) }

func bytes(_ fileSystem: any FileSystem, _ path: String) throws -> [UInt8] {
  try fileSystem.contents(ofFile: path, maximumByteCount: 1 << 30)
}

/// Collects completions in the order in which they ran.
final class Outcomes: Sendable {
  private let list = Mutex<[(index: Int, result: Result<Void, any Error>)]>([])

  func completion(_ index: Int) -> WALWriter.Completion {
    { result in self.list.withLock { $0.append((index, result)) } }
  }

  var order: [Int] { list.withLock { $0.map(\.index) } }
  var succeeded: [Int] {
    list.withLock { $0.compactMap { if case .success = $0.result { $0.index } else { nil } } }
  }
  var failures: [(index: Int, code: TracestoreError.Code?)] {
    list.withLock { list in
      list.compactMap { if case .failure(let error) = $0.result { ($0.index, code(error)) } else { nil } }
    }
  }
}
