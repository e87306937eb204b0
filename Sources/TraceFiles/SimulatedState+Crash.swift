extension SimulatedState {
  /// The state a machine finds after losing power: no handles, no locks, no faults, everything in it durable.
  func crashed(keeping policy: CrashPolicy, seed: UInt64) -> SimulatedState {
    var generator = SeededGenerator(seed: seed)
    var result = SimulatedState(isDurabilityTracked: isDurabilityTracked, capacityByteCount: capacityByteCount)
    result.bootIdentity = bootIdentity + 1
    result.nextIndex = nextIndex
    // Names in the order of their bytes, so that a seed means the same every time.
    var pending = [Self.root]
    while let index = pending.popLast() {
      guard let directory = directories[index] else { continue }
      var entries: [String: Entry] = [:]
      let names = Set(directory.live.keys).union(directory.durable.keys)
      for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
        let live = directory.live[name]
        let durable = directory.durable[name]
        let entry: Entry? =
          if live == durable || !isDurabilityTracked {
            live
          } else {
            switch policy {
            case .loseUnsynced: durable
            case .keepAll, .tornLastWrite: live
            case .randomSubset: Bool.random(using: &generator) ? live : durable
            }
          }
        guard let entry else { continue }
        switch entry {
        case .directory(let id):
          entries[name] = entry
          pending.append(id)
        case .file(let id):
          guard let node = files[id] else { continue }
          entries[name] = entry
          if result.files[id] != nil {
            result.files[id]?.linkCount += 1
            continue
          }
          let bytes =
            isDurabilityTracked ? crashed(node, index: id, keeping: policy, generator: &generator) : node.live
          result.files[id] = FileNode(live: bytes, durable: isDurabilityTracked ? bytes : [])
          result.usedByteCount += UInt64(bytes.count)
        }
      }
      result.directories[index] = Directory(live: entries, durable: entries)
    }
    return result
  }

  private func crashed(
    _ node: FileNode, index: Int, keeping policy: CrashPolicy, generator: inout SeededGenerator
  ) -> [UInt8] {
    let wholeByteCount = node.isByteCountDirty ? node.live.count : node.durable.count
    switch policy {
    case .loseUnsynced: return node.durable
    case .keepAll: return node.content(keepingSectors: node.dirtySectors, byteCount: wholeByteCount)
    case .randomSubset:
      let kept = Set(node.dirtySectors.sorted().filter { _ in Bool.random(using: &generator) })
      var byteCount = node.durable.count
      if node.isByteCountDirty {
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: byteCount = node.live.count
        case 1 where node.live.count > node.durable.count:
          byteCount = Int.random(in: node.durable.count...node.live.count, using: &generator)
        default: break
        }
      }
      return node.content(keepingSectors: kept, byteCount: byteCount)
    case .tornLastWrite:
      var bytes = node.content(keepingSectors: node.dirtySectors, byteCount: wholeByteCount)
      guard let torn = lastWrite, torn.file == index, torn.offset + torn.byteCount <= bytes.count,
        torn.previousByteCount <= bytes.count
      else { return bytes }
      let kept = Int.random(in: 0..<torn.byteCount, using: &generator)
      let overlap = torn.previousBytes.count
      if kept < overlap {
        bytes.replaceSubrange(torn.offset + kept..<torn.offset + overlap, with: torn.previousBytes[kept...])
      }
      let end = max(torn.offset + kept, torn.previousByteCount)
      if torn.offset + torn.byteCount == bytes.count, end < bytes.count { bytes.removeLast(bytes.count - end) }
      return bytes
    }
  }
}
