/// An input whose first bytes can be looked at before they are read.
final class ReadAhead {
  private let source: (Int) throws -> [UInt8]
  private var buffer: [UInt8] = []
  private var place = 0
  private var isAtEnd = false
  /// Thrown once everything before it has been read.
  private var failure: (any Error)?

  /// - Parameter source: returns up to that many bytes, none at the end.
  init(_ source: @escaping (Int) throws -> [UInt8]) { self.source = source }

  private static let chunkByteCount = 1 << 16

  /// The first bytes, that many unless they are enough, or the input ends or fails, before. Only before the first `read`.
  func prefix(_ byteCount: Int, isEnough: ([UInt8]) -> Bool) -> [UInt8] {
    while buffer.count < byteCount, !isAtEnd, failure == nil {
      do {
        let bytes = try source(Self.chunkByteCount)
        if bytes.isEmpty { isAtEnd = true } else { buffer += bytes }
        if isEnough(buffer) { break }
      } catch {
        failure = error
      }
    }
    return buffer
  }

  func read(_ maximum: Int) throws -> [UInt8] {
    if place < buffer.count {
      let end = min(buffer.count, place + maximum)
      defer { place = end }
      return Array(buffer[place..<end])
    }
    buffer = []
    place = 0
    if let failure { throw failure }
    return isAtEnd ? [] : try source(maximum)
  }
}
