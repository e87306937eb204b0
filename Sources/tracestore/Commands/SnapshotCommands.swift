import ArgumentParser
import TraceEngine
import TraceInspect

struct SnapshotCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot", abstract: "Copy the store as it is now to another folder.",
    discussion: """
      The copy is a store of its own: every command works on it, and nothing that happens to this store changes it. Within \
      one file system files are shared, so that it takes no time and no room until this store lets go of them; copy it to \
      another disk to be safe from this one. It also keeps what is deleted here later. The store must not be open for writing \
      elsewhere; a program that has it open takes the snapshot by itself.
      """)

  @Argument(
    help: ArgumentHelp("The folder to make; it must not be there yet, or be empty.", valueName: "folder"),
    completion: .directory) var destination: String
  @OptionGroup var location: StoreLocation
  @OptionGroup var output: OutputOptions

  func run() async throws {
    // What is not there must not be made.
    try await withReader(location) { _ in }
    let damage = DamageWatch()
    var options = StoreOptions()
    options.isCompactionAutomatic = false
    options.observer = damage.observe
    let report = try await withTraceStore(at: location.path(), options: options) {
      try await $0.snapshot(to: destination)
    }
    report.write(destination, isJSON: output.json)
    try reportDamage(damage.places)
  }
}

struct RestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Make a store from a snapshot.",
    discussion: """
      Makes the folder that --store names a store with everything of the snapshot, which stays as it is and can be restored \
      again. The snapshot must not have been written to, unless everything is in segments. Within one file system files are \
      shared. `verify` says whether every byte is well.
      """)

  @Argument(help: ArgumentHelp("The folder of the snapshot.", valueName: "snapshot"), completion: .directory)
  var source: String
  @OptionGroup var location: StoreLocation
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let destination = try location.path()
    let snapshot = try await TraceStore.openReadOnly(at: source)
    do {
      let report = try await snapshot.snapshot(to: destination)
      try await snapshot.close()
      report.write(destination, isJSON: output.json)
    } catch {
      try? await snapshot.close()
      throw error
    }
  }
}

extension TraceStore.SnapshotReport {
  fileprivate func write(_ destination: String, isJSON: Bool) {
    if isJSON {
      let object = JSONValue.object([
        ("files", .count(fileCount)), ("spans", .count(recordCount)), ("bytes", .number(byteCount)),
        ("sharedBytes", .number(sharedByteCount)),
      ])
      return StandardOutput.shared.writeLine(object.text)
    }
    let how = sharedByteCount == byteCount ? "all of it shared" : "\(Figure.bytes(sharedByteCount)) of it shared"
    let what = "\(Figure.count(recordCount, "span")) in \(Figure.count(fileCount, "file")), \(Figure.bytes(byteCount))"
    StandardOutput.shared.writeLine(Sanitized.line("Made \(destination): \(what), \(how)."))
  }
}
