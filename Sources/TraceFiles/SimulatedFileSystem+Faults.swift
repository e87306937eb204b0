#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The calls that can be made to fail, by kind.
package enum FileOperation: Hashable, Sendable, CaseIterable {
  case open, create, read, write, sync, truncate, inspect, createDirectory, list, rename, remove, link
  case syncDirectory, lock
}

/// A failure to come.
package struct Fault: Sendable {
  /// The kinds of call it hits; nil for all.
  package var operations: Set<FileOperation>?
  /// Only calls whose path ends so; empty for all.
  package var pathSuffix: String
  /// How many matching calls succeed first.
  package var skippedCount: Int
  package var errorNumber: Int32
  /// Whether every later matching call fails as well.
  package var isSticky: Bool
  /// How many bytes of a failing write reach the file first.
  package var appliedByteCount: Int
  /// Whether a failing sync forgets what was dirty, as systems do: the live image keeps the bytes, and no later sync
  /// makes them durable.
  package var dropsDirtyPages: Bool

  package init(
    _ operations: Set<FileOperation>? = nil, pathSuffix: String = "", skippedCount: Int = 0,
    errorNumber: Int32 = Fault.inputOutput, isSticky: Bool = false, appliedByteCount: Int = 0,
    dropsDirtyPages: Bool = false
  ) {
    self.operations = operations
    self.pathSuffix = pathSuffix
    self.skippedCount = skippedCount
    self.errorNumber = errorNumber
    self.isSticky = isSticky
    self.appliedByteCount = appliedByteCount
    self.dropsDirtyPages = dropsDirtyPages
  }

  package static let inputOutput: Int32 = EIO
  package static let noSpace: Int32 = ENOSPC
  package static let tooManyOpenFiles: Int32 = EMFILE
}

/// What survives a crash besides everything that was synced.
package enum CrashPolicy: Hashable, Sendable, CaseIterable {
  /// Nothing.
  case loseUnsynced
  /// Everything.
  case keepAll
  /// Each dirty sector, each changed name and each changed byte count by the toss of a seeded coin.
  case randomSubset
  /// Everything, but of the last write only a seeded number of its first bytes.
  case tornLastWrite
}

/// A small seeded generator (SplitMix64), so that every random run can be run again.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value &>> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value &>> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value &>> 31
  }
}
