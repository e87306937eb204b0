import ArgumentParser
import TraceEngine
import TraceInspect

enum ZeroEnd: String, CaseIterable, ExpressibleByArgument {
  case open
  case ordinary

  var meaning: String { self == .open ? "an open span" : "an ordinary value" }
}

struct RepairCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repair", abstract: "Make a store open again whose CURRENT or manifest is damaged or gone.",
    discussion: """
      Writes CURRENT anew when the manifest is whole. Otherwise makes a new manifest from the records that can be read, \
      and from the segments and other files themselves, and merges everything, so that no span counts twice. Removes \
      nothing: what it replaces, and files that it cannot name, stay in a folder damaged-1 (or the next number) of the \
      store. Damage inside of segments and of the log stays where it is, or goes with what is merged: it is named, and \
      reads go on without it. Spans that expired just before the damage may be back, and stay as long as the younger \
      ones that they are merged with. Lost settings are told, and are those of `--zero-end` from now on.

      Looks at every checksum, as `verify` does. Exit status 0 when the store is whole, or whole again; 1 when a plan has \
      something to do, when something could not be taken over, or when there is damage that a repair does not help \
      against. The store must not be open for writing elsewhere.
      """)

  @OptionGroup var location: StoreLocation
  @Flag(help: "Show what would be done, and change nothing.") var plan = false
  @Option(help: "An end time of zero, where the settings are lost: an open span, or an ordinary value.")
  var zeroEnd = ZeroEnd.open
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let path = try location.path()
    let found = try StoreVerifier(path).run(isDeep: false)
    let repair = plan ? TraceStore.repairPlan : TraceStore.repair
    let report = try await repair(path, StoreOptions(isZeroEndOpen: zeroEnd == .open))
    let damages = report.damages.map { InspectedDamage(file: $0.path, offset: $0.offset, reason: $0.reason) }
    // A repair is silent about all but CURRENT and manifests.
    let repairedPaths = Set(damages.map(\.file))
    let otherDamages = found.damages.filter { !repairedPaths.contains($0.file) }
    if output.json {
      StandardOutput.shared.writeLine(report.json(found, damages, otherDamages, isPlan: plan).text)
    } else {
      report.print(isPlan: plan, zeroEnd)
      StandardOutput.shared.flush()
      for damage in otherDamages {
        StandardError.writeLine(Sanitized.line("tracestore: damaged, which no repair helps against: \(damage.line)"))
      }
    }
    let isLeft =
      report.mergeFailure != nil || !(report.merge?.damage ?? []).isEmpty || !report.setAside.isEmpty
      || !report.isManifestRebuilt && !report.missingNames.isEmpty
    if (plan ? !report.isWhole : isLeft) || !otherDamages.isEmpty { throw QuietExit(status: .refused) }
  }
}

extension TraceStore.RepairReport {
  func json(
    _ found: VerificationReport, _ damages: [InspectedDamage], _ otherDamages: [InspectedDamage], isPlan: Bool
  ) -> JSONValue {
    func texts(_ list: [String]) -> JSONValue { .array(list.map { .string($0) }) }
    var members: [(key: String, value: JSONValue)] = [
      ("files", .count(found.fileCount)), ("pages", .count(found.pageCount)),
      ("damaged", .array((damages + otherDamages).map(\.json))), ("remaining", .array(otherDamages.map(\.json))),
      ("plan", .bool(isPlan)), ("whole", .bool(isWhole)),
      ("rebuilt", .bool(isManifestRebuilt)), ("settingsLost", .bool(areSettingsLost)), ("taken", texts(takenNames)),
      ("missing", texts(missingNames)),
      (
        "setAside",
        .array(setAside.map { .object([("file", .string($0.name)), ("reason", .string($0.reason))]) })
      ),
      ("merge", .bool(isMergeDue)),
    ]
    if let manifestName { members.append(("manifest", .string(manifestName))) }
    if let keptDirectoryName { members.append(("kept", .string(keptDirectoryName))) }
    if let merge {
      members.append(("mergedSpans", .count(merge.recordCount)))
      members.append(("droppedSpans", .count(merge.droppedRecordCount)))
    }
    let failures = (merge?.damage ?? []) + [mergeFailure].compactMap { $0 }
    if !failures.isEmpty { members.append(("unmerged", texts(failures))) }
    return .object(members)
  }

  func print(isPlan: Bool, _ zeroEnd: ZeroEnd) {
    func line(_ text: String) { StandardOutput.shared.writeLine(Sanitized.line(text)) }
    if isWhole {
      return line("Nothing to repair: CURRENT and the manifest are whole.")
    }
    for damage in damages { line("damaged: \(damage.path) at byte \(damage.offset): \(damage.reason)") }
    for name in takenNames { line("taken in: \(name), which no record names") }
    for name in missingNames {
      let why = isManifestRebuilt ? "one that is lost may have removed it" : "bring it back from a copy"
      line("gone: \(name), which a record names; \(why)")
    }
    for file in setAside { line("set aside: \(file.name): \(file.reason)") }
    if areSettingsLost {
      line("lost: the settings; an end of zero is \(zeroEnd.meaning) from now on, as --zero-end says")
    }
    if let manifestName {
      let what = isManifestRebuilt ? "made from what can be read" : "with the content of the one that is whole"
      line("\(isPlan ? "Would write" : "Wrote") CURRENT and \(manifestName), \(what).")
    }
    if let keptDirectoryName {
      line("\(isPlan ? "Would keep" : "Kept") what is replaced in \(keptDirectoryName).")
    }
    if isPlan, isMergeDue { line("Would merge everything, so that no span counts twice.") }
    if let merge {
      let dropped = Figure.count(merge.droppedRecordCount)
      line("Merged \(Figure.count(merge.recordCount, "span")); dropped \(dropped) that stood twice.")
      for damage in merge.damage { StandardError.writeLine(Sanitized.line("tracestore: left as it is: \(damage)")) }
    }
    if let mergeFailure {
      StandardError.writeLine(
        Sanitized.line("tracestore: not merged; run `tracestore compact --all` when this is settled: \(mergeFailure)"))
    }
  }
}
