import TraceModel

/// When a returned write is safe.
public enum Durability: Hashable, Sendable {
  /// On return the data has been synced to disk (group commit). The default.
  case sync
  /// On return the data has been handed to the operating system; it is synced at least this often. A crash of the
  /// process loses nothing, a crash of the machine up to this much.
  case interval(nanoseconds: UInt64)
  /// On return the data has been handed to the operating system, which syncs when it likes.
  case none
}

/// How a store is opened. Every field has a default that suits a service.
public struct StoreOptions: Sendable {
  public var durability: Durability
  /// Bytes for memtables, caches and what searches keep of open spans together. At least 16 MiB. The memtables take up
  /// to half of it.
  public var memoryBudgetByteCount: Int
  /// Files that are open at a time, the log's and the manifest's included. Segments beyond it are closed and opened
  /// again when they are read, which costs some microseconds. At least 64.
  public var maximumOpenFileCount: Int
  /// A memtable is written to a segment when it holds this many spans, or its share of the memory budget.
  public var sealSpanCount: Int
  /// Spans in a stripe, the unit in which traces are kept together and read. Between 16 and 65,536.
  public var stripeSpanCount: Int
  /// Whether segments are merged in the background. Reads never depend on it: they only become cheaper. `compact(_:)`
  /// merges in any case.
  public var isCompactionAutomatic: Bool
  /// The most spans of a segment that a merge writes, apart from a larger trace. While a merge runs it holds them in
  /// memory, beside the budget: `tracestore compact --all` over a million spans of generated traffic peaked at 142 MB
  /// with the default. Between 1 and 4,194,304.
  public var mergedSegmentSpanCount: Int
  /// Whether memory that was freed goes back to the system before and after each merge of a megabyte or more. The C library
  /// keeps it for the threads that freed it, where merges do not get at it. It concerns the whole process, not this store
  /// alone, and costs some milliseconds, more in a process with a heap of many gigabytes: a service that has one, or an
  /// allocator of its own, may want to see to it by itself.
  public var returnsFreedMemory: Bool
  /// How long spans are kept; all are by default. Looked after in the background while the store is open.
  public var retention: RetentionPolicy
  /// Whether a span whose end is zero is an open span. Fixed when the store is created; ignored afterwards.
  public var isZeroEndOpen: Bool
  /// Told what happens inside; called on the engine's threads, so it must be quick and must not call the store.
  public var observer: (@Sendable (StoreEvent) -> Void)?
  /// The wall clock in nanoseconds since the epoch: arrival times, ages, and whether open spans are abandoned.
  public var clock: @Sendable () -> UInt64
  /// Whether what is too old by `retention` goes by itself.
  package var isRetentionAutomatic = true
  /// For tests, which cannot write as many texts as a memtable holds. Nil is what it holds.
  package var maximumMemtableStringCount: Int?
  /// For tests, which have little to keep. Nil is half of the budget.
  package var cacheByteCount: Int?
  /// For tests, which have few open spans: how many are joined together. Nil is what a store chooses.
  package var joinedSpanCount: Int?

  public init(
    durability: Durability = .sync, memoryBudgetByteCount: Int = 128 << 20, maximumOpenFileCount: Int = 256,
    sealSpanCount: Int = 1 << 18, stripeSpanCount: Int = 1 << 15, isCompactionAutomatic: Bool = true,
    mergedSegmentSpanCount: Int = 1 << 18, returnsFreedMemory: Bool = true, retention: RetentionPolicy = .keepAll,
    isZeroEndOpen: Bool = true, observer: (@Sendable (StoreEvent) -> Void)? = nil,
    clock: @escaping @Sendable () -> UInt64 = SystemClock.nowNanoseconds
  ) {
    self.durability = durability
    self.memoryBudgetByteCount = memoryBudgetByteCount
    self.maximumOpenFileCount = maximumOpenFileCount
    self.sealSpanCount = sealSpanCount
    self.stripeSpanCount = stripeSpanCount
    self.isCompactionAutomatic = isCompactionAutomatic
    self.mergedSegmentSpanCount = mergedSegmentSpanCount
    self.returnsFreedMemory = returnsFreedMemory
    self.retention = retention
    self.isZeroEndOpen = isZeroEndOpen
    self.observer = observer
    self.clock = clock
  }

  /// The log, the manifest, the lock and files that are being written take the others.
  var maximumOpenSegmentCount: Int { maximumOpenFileCount - 32 }

  func validate() throws {
    try retention.validate()
    guard memoryBudgetByteCount >= 16 << 20 else {
      throw TracestoreError(
        .invalidArgument, "The memory budget is \(memoryBudgetByteCount) bytes; it must be at least 16 MiB.")
    }
    guard maximumOpenFileCount >= 64 else {
      throw TracestoreError(
        .invalidArgument, "maximumOpenFileCount is \(maximumOpenFileCount); it must be at least 64.")
    }
    guard (1...1 << 22).contains(sealSpanCount) else {
      throw TracestoreError(.invalidArgument, "sealSpanCount is \(sealSpanCount); it must be from 1 to 4,194,304.")
    }
    guard (1...1 << 22).contains(mergedSegmentSpanCount) else {
      throw TracestoreError(
        .invalidArgument, "mergedSegmentSpanCount is \(mergedSegmentSpanCount); it must be from 1 to 4,194,304.")
    }
    guard (16...1 << 16).contains(stripeSpanCount) else {
      throw TracestoreError(.invalidArgument, "stripeSpanCount is \(stripeSpanCount); it must be from 16 to 65,536.")
    }
  }
}

/// Something that happened inside a store. New cases may be added: always handle the default.
public enum StoreEvent: Sendable {
  /// A segment was written.
  case sealed(recordCount: Int, droppedRecordCount: Int, byteCount: UInt64)
  /// Segments were merged into fewer or better ones, which hold this many records in this many bytes.
  case merged(segmentCount: Int, newSegmentCount: Int, recordCount: Int, byteCount: UInt64)
  /// Merging segments failed and will be tried again; nothing is lost, and nothing waits for it.
  case mergeFailed(TracestoreError)
  /// Segments were dropped because their time was over.
  case expired(segmentCount: Int, recordCount: Int, byteCount: UInt64)
  /// Dropping segments failed and will be tried again; nothing is lost, and nothing waits for it.
  case expiryFailed(TracestoreError)
  /// Writing a segment failed and will be tried again; nothing is lost, writes wait.
  case sealFailed(TracestoreError)
  /// The log was read back after opening.
  case recovered(requestCount: Int, spanCount: Int, seconds: Double)
  /// Bytes on disk are damaged; the sentence names the place.
  case damaged(String)
}
