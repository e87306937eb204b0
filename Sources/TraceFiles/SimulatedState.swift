import TraceModel

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Both images of a simulated file system. A value: a crash clone starts as a copy.
struct SimulatedState: Sendable {
  static let sectorByteCount = 512
  static let root = 0

  enum Entry: Hashable, Sendable {
    case file(Int)
    case directory(Int)
  }

  struct Directory: Sendable {
    var live: [String: Entry] = [:]
    var durable: [String: Entry] = [:]
  }

  struct FileNode: Sendable {
    var live: [UInt8] = []
    var durable: [UInt8] = []
    /// Sectors whose live bytes a sync or a lucky crash would make durable.
    var dirtySectors: Set<Int> = []
    var isByteCountDirty = false
    var linkCount = 1
    var handleCount = 0
  }

  struct PendingFault: Sendable {
    var fault: Fault
    var matchCount = 0
  }

  /// What the last write covered before it happened, for tearing it.
  struct LastWrite: Sendable {
    var file: Int
    var offset: Int
    var byteCount: Int
    var previousBytes: [UInt8]
    var previousByteCount: Int
  }

  var isDurabilityTracked: Bool
  var capacityByteCount: UInt64
  var usedByteCount: UInt64 = 0
  var bootIdentity: UInt64 = 1
  var files: [Int: FileNode] = [:]
  var directories: [Int: Directory] = [root: Directory()]
  var nextIndex = 1
  var locks: Set<Int> = []
  var operationCount = 0
  var haltOperationCount: Int?
  var faults: [PendingFault] = []
  var lastWrite: LastWrite?

  init(isDurabilityTracked: Bool, capacityByteCount: UInt64) {
    self.isDurabilityTracked = isDurabilityTracked
    self.capacityByteCount = capacityByteCount
  }

  var isHalted: Bool { haltOperationCount.map { operationCount > $0 } ?? false }

  /// Counts a call and lets it fail when a fault says so. Returns the fault for calls that fail in a way of their own
  /// (writes and syncs); for all others it throws.
  @discardableResult
  mutating func begin(_ operation: FileOperation, _ path: String) throws -> Fault? {
    operationCount += 1
    if isHalted { throw systemFailure("reach (the simulated machine has halted)", path, EIO) }
    var hit: Fault?
    for index in faults.indices {
      let fault = faults[index].fault
      if let operations = fault.operations, !operations.contains(operation) { continue }
      if !path.hasSuffix(fault.pathSuffix) { continue }
      faults[index].matchCount += 1
      let isDue =
        fault.isSticky
        ? faults[index].matchCount > fault.skippedCount : faults[index].matchCount == fault.skippedCount + 1
      if isDue, hit == nil { hit = fault }
    }
    guard let hit else { return nil }
    if operation == .write || operation == .sync { return hit }
    throw systemFailure("\(operation)", path, hit.errorNumber)
  }

  // MARK: Names

  static func components(_ path: String) -> [String] {
    var result: [String] = []
    for part in path.split(separator: "/", omittingEmptySubsequences: true) {
      if part == ".." { _ = result.popLast() } else if part != "." { result.append(String(part)) }
    }
    return result
  }

  func entry(_ path: String) -> Entry? {
    var current = Entry.directory(Self.root)
    for name in Self.components(path) {
      guard case .directory(let id) = current, let next = directories[id]?.live[name] else { return nil }
      current = next
    }
    return current
  }

  func directoryIndex(_ path: String, operation: String) throws -> Int {
    switch entry(path) {
    case .directory(let id)?: return id
    case .file?: throw systemFailure(operation, path, ENOTDIR)
    case nil: throw systemFailure(operation, path, ENOENT)
    }
  }

  func directory(_ path: String, operation: String) throws -> Directory {
    directories[try directoryIndex(path, operation: operation)] ?? Directory()
  }

  func fileIndex(_ path: String, operation: String) throws -> Int {
    switch entry(path) {
    case .file(let id)?: return id
    case .directory?: throw systemFailure(operation, path, EISDIR)
    case nil: throw systemFailure(operation, path, ENOENT)
    }
  }

  func parent(of path: String, operation: String) throws -> (index: Int, name: String) {
    var components = Self.components(path)
    guard let name = components.popLast() else { throw systemFailure(operation, path, EISDIR) }
    var index = Self.root
    for component in components {
      switch directories[index]?.live[component] {
      case .directory(let next)?: index = next
      case .file?: throw systemFailure(operation, path, ENOTDIR)
      case nil: throw systemFailure(operation, path, ENOENT)
      }
    }
    return (index, name)
  }

  mutating func createDirectory(_ path: String) throws {
    var index = Self.root
    for name in Self.components(path) {
      switch directories[index]?.live[name] {
      case .directory(let next)?: index = next
      case .file?: throw systemFailure("create the directory", path, EEXIST)
      case nil:
        let id = nextIndex
        nextIndex += 1
        directories[id] = Directory()
        directories[index]?.live[name] = .directory(id)
        directories[index]?.durable[name] = .directory(id)
        index = id
      }
    }
  }

  mutating func addFile(in parent: Int, name: String) -> Int {
    let id = nextIndex
    nextIndex += 1
    files[id] = FileNode()
    directories[parent]?.live[name] = .file(id)
    return id
  }

  mutating func dropLink(_ id: Int) {
    files[id]?.linkCount -= 1
    collect(id)
  }

  mutating func dropHandle(_ id: Int) {
    files[id]?.handleCount -= 1
    collect(id)
  }

  /// Frees the room of a file without names and handles. Its durable bytes stay while a crash could bring a name back.
  private mutating func collect(_ id: Int) {
    guard let file = files[id], file.linkCount <= 0, file.handleCount <= 0 else { return }
    usedByteCount -= min(usedByteCount, UInt64(file.live.count))
    let isNamedDurably =
      isDurabilityTracked && directories.values.contains { $0.durable.values.contains(.file(id)) }
    if !isNamedDurably { files[id] = nil }
  }

  // MARK: Bytes

  mutating func write(_ bytes: ArraySlice<UInt8>, to id: Int, at offset: Int) {
    guard let file = files[id], !bytes.isEmpty else { return }
    let previousByteCount = file.live.count
    let end = offset + bytes.count
    if isDurabilityTracked {
      let overlapEnd = min(end, previousByteCount)
      lastWrite = LastWrite(
        file: id, offset: offset, byteCount: bytes.count,
        previousBytes: offset < overlapEnd ? Array(file.live[offset..<overlapEnd]) : [],
        previousByteCount: previousByteCount)
    }
    modify(id) { node, isTracked in
      if offset > node.live.count { node.live.append(contentsOf: repeatElement(0, count: offset - node.live.count)) }
      let overlap = min(bytes.count, node.live.count - offset)
      if overlap > 0 {
        node.live.replaceSubrange(offset..<offset + overlap, with: bytes.prefix(overlap))
      }
      node.live.append(contentsOf: bytes.dropFirst(overlap))
      if isTracked {
        node.markDirty(min(offset, previousByteCount)..<end)
        if node.live.count != previousByteCount { node.isByteCountDirty = true }
      }
    }
  }

  mutating func truncate(_ id: Int, to byteCount: Int) {
    modify(id) { node, isTracked in
      let previous = node.live.count
      if byteCount < previous {
        node.live.removeLast(previous - byteCount)
      } else {
        node.live.append(contentsOf: repeatElement(0, count: byteCount - previous))
      }
      if isTracked, byteCount != previous {
        node.markDirty(min(byteCount, previous)..<max(byteCount, previous))
        node.isByteCountDirty = true
      }
    }
  }

  mutating func setBytes(of id: Int, _ bytes: [UInt8]) {
    modify(id) { node, _ in
      node.live = bytes
      node.durable = bytes
      node.dirtySectors = []
      node.isByteCountDirty = false
    }
  }

  mutating func sync(_ id: Int) {
    guard isDurabilityTracked else { return }
    modify(id) { node, _ in
      node.persistDirtySectors()
      node.dirtySectors = []
      node.isByteCountDirty = false
    }
    if lastWrite?.file == id { lastWrite = nil }
  }

  mutating func forgetDirtySectors(of id: Int) {
    modify(id) { node, _ in
      node.dirtySectors = []
      node.isByteCountDirty = false
    }
  }

  /// Changes a node without copying its bytes, and keeps the sum of all byte counts.
  private mutating func modify(_ id: Int, _ body: (inout FileNode, _ isTracked: Bool) -> Void) {
    guard var node = files.removeValue(forKey: id) else { return }
    let before = node.live.count
    body(&node, isDurabilityTracked)
    usedByteCount = usedByteCount - min(usedByteCount, UInt64(before)) + UInt64(node.live.count)
    files[id] = node
  }
}

extension SimulatedState.FileNode {
  mutating func markDirty(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    for sector in range.lowerBound / 512...(range.upperBound - 1) / 512 { dirtySectors.insert(sector) }
  }

  /// What a successful sync does; costs the dirty sectors, not the file.
  mutating func persistDirtySectors() {
    let byteCount = isByteCountDirty ? live.count : durable.count
    if durable.count > byteCount { durable.removeLast(durable.count - byteCount) }
    if durable.count < byteCount { durable.append(contentsOf: repeatElement(0, count: byteCount - durable.count)) }
    for sector in dirtySectors {
      let start = sector * 512
      let end = min(start + 512, byteCount, live.count)
      if start < end { durable.replaceSubrange(start..<end, with: live[start..<end]) }
    }
  }

  /// The durable bytes with some sectors replaced by their live bytes, cut or filled with zeros to a byte count.
  func content(keepingSectors sectors: Set<Int>, byteCount: Int) -> [UInt8] {
    var result = durable
    if result.count > byteCount { result.removeLast(result.count - byteCount) }
    if result.count < byteCount { result.append(contentsOf: repeatElement(0, count: byteCount - result.count)) }
    for sector in sectors {
      let start = sector * 512
      let end = min(start + 512, byteCount, live.count)
      if start < end { result.replaceSubrange(start..<end, with: live[start..<end]) }
    }
    return result
  }
}
