import Synchronization
import TraceModel

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A handle on a file of a `SimulatedFileSystem`.
final class SimulatedFile: File {
  let path: String
  private let system: SimulatedFileSystem
  private let index: Int
  private let isWritable: Bool
  private let isClosed = Atomic<Bool>(false)
  private let position: Mutex<UInt64>

  init(system: SimulatedFileSystem, index: Int, path: String, isWritable: Bool, position: UInt64) {
    self.system = system
    self.index = index
    self.path = path
    self.isWritable = isWritable
    self.position = Mutex(position)
  }

  deinit { close() }

  func close() {
    if !isClosed.exchange(true, ordering: .acquiringAndReleasing) {
      system.state.withLock { $0.dropHandle(index) }
    }
  }

  private func check(_ operation: String, writes: Bool = false) throws {
    if isClosed.load(ordering: .acquiring) { throw closedFailure(operation, path) }
    if writes, !isWritable { throw systemFailure(operation, path, EBADF) }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
    try check("read")
    return try system.state.withLock { state in
      try state.begin(.read, path)
      guard let live = state.files[index]?.live, offset < UInt64(live.count) else { return 0 }
      let start = Int(offset)
      let count = min(buffer.count, live.count - start)
      live.withUnsafeBytes { source in
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<start + count]))
      }
      return count
    }
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws {
    try position.withLock { position in
      try write(bytes, at: position)
      position += UInt64(bytes.count)
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    try check("write", writes: true)
    guard offset <= UInt64(Int.max) - UInt64(bytes.count) else { throw systemFailure("write", path, EFBIG) }
    let content = [UInt8](bytes)
    try system.state.withLock { state in
      let fault = try state.begin(.write, path)
      var allowed = content.count
      var number: Int32?
      if let fault {
        allowed = min(allowed, fault.appliedByteCount)
        number = fault.errorNumber
      }
      let grown = UInt64(max(0, Int(offset) + allowed - (state.files[index]?.live.count ?? 0)))
      let room = state.capacityByteCount - min(state.capacityByteCount, state.usedByteCount)
      if grown > room {
        allowed = max(0, allowed - Int(grown - room))
        number = number ?? ENOSPC
      }
      state.write(content[..<allowed], to: index, at: Int(offset))
      if let number { throw systemFailure("write", path, number) }
    }
  }

  func sync() throws {
    try check("sync")
    try system.state.withLock { state in
      if let fault = try state.begin(.sync, path) {
        if fault.dropsDirtyPages { state.forgetDirtySectors(of: index) }
        throw systemFailure("sync", path, fault.errorNumber)
      }
      state.sync(index)
    }
  }

  func truncate(to byteCount: UInt64) throws {
    try check("truncate", writes: true)
    guard byteCount <= UInt64(Int.max) else { throw systemFailure("truncate", path, EFBIG) }
    try position.withLock { position in
      try system.state.withLock { state in
        try state.begin(.truncate, path)
        let grown = UInt64(max(0, Int(byteCount) - (state.files[index]?.live.count ?? 0)))
        let room = state.capacityByteCount - min(state.capacityByteCount, state.usedByteCount)
        if grown > room { throw systemFailure("truncate", path, ENOSPC) }
        state.truncate(index, to: Int(byteCount))
      }
      position = min(position, byteCount)
    }
  }

  func byteCount() throws -> UInt64 {
    try check("inspect")
    return try system.state.withLock { state in
      try state.begin(.inspect, path)
      return UInt64(state.files[index]?.live.count ?? 0)
    }
  }
}
