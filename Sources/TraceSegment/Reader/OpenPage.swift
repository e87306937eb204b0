import Synchronization
import TraceBytes
import TraceColumns

/// Bytes that parts of a stripe hold beyond what they announced when they were made.
final class ByteTally: Sendable {
  private let total = Atomic<Int>(0)

  var byteCount: Int { total.load(ordering: .relaxed) }

  func add(_ byteCount: Int) { total.add(byteCount, ordering: .relaxed) }
}

/// One page, ready for single values.
///
/// A page whose encoding has no direct access is decoded and kept in the fewest bytes that hold its values: a trace
/// touches one value in each of many pages, and would decode all of them again and again.
final class OpenPage: @unchecked Sendable {
  /// Nil when the values were decoded.
  private let page: IntegerPage?
  /// The decoded values less `minimum`, modulo 2^64, `valueByteCount` bytes each.
  private let values: UnsafeMutableRawPointer?
  private let valueByteCount: Int
  private let minimum: UInt64
  private let count: Int

  var residentByteCount: Int { 160 + count * valueByteCount }

  init(_ page: IntegerPage) throws {
    count = page.count
    guard !page.hasDirectAccess, page.count > 0 else {
      self.page = page
      values = nil
      valueByteCount = 0
      minimum = 0
      return
    }
    self.page = nil
    (values, valueByteCount, minimum) = try withUnsafeTemporaryAllocation(
      of: UInt64.self, capacity: IntegerPage.maximumCount
    ) { buffer in
      try page.decode(into: buffer)
      let decoded = UnsafeMutableBufferPointer(rebasing: buffer[..<page.count])
      // Nearly every encoding counts from the least value; where one does not, values take more bytes.
      let least = page.base
      var bits: UInt64 = 0
      var index = 0
      while index < decoded.count {
        bits |= decoded[index] &- least
        index &+= 1
      }
      switch 64 - bits.leadingZeroBitCount {
      case ...8: return (Self.narrow(decoded, less: least, as: UInt8.self), 1, least)
      case ...16: return (Self.narrow(decoded, less: least, as: UInt16.self), 2, least)
      case ...32: return (Self.narrow(decoded, less: least, as: UInt32.self), 4, least)
      default: return (Self.narrow(decoded, less: least, as: UInt64.self), 8, least)
      }
    }
  }

  deinit { values?.deallocate() }

  private static func narrow<Narrow: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ values: UnsafeMutableBufferPointer<UInt64>, less minimum: UInt64, as type: Narrow.Type
  ) -> UnsafeMutableRawPointer {
    let raw = UnsafeMutableRawPointer.allocate(byteCount: values.count * MemoryLayout<Narrow>.stride, alignment: 8)
    let target = raw.bindMemory(to: type, capacity: values.count)
    var index = 0
    while index < values.count {
      (target + index).initialize(to: Narrow(truncatingIfNeeded: values[index] &- minimum))
      index &+= 1
    }
    return raw
  }

  /// - Precondition: `index` is below the page's count.
  func value(at index: Int) throws -> UInt64 {
    if let page { return try page.value(at: index) }
    precondition(index >= 0 && index < count, "a value outside of its page")
    guard let values else { return minimum }
    let reduced: UInt64 =
      switch valueByteCount {
      case 1: UInt64(values.load(fromByteOffset: index, as: UInt8.self))
      case 2: UInt64(values.load(fromByteOffset: index * 2, as: UInt16.self))
      case 4: UInt64(values.load(fromByteOffset: index * 4, as: UInt32.self))
      default: values.load(fromByteOffset: index * 8, as: UInt64.self)
      }
    return minimum &+ reduced
  }
}
