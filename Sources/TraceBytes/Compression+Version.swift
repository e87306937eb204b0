import CLZ4
import CZstd

extension LZ4 {
  /// Major × 10,000 + minor × 100 + release of the library in use.
  package static var libraryVersion: UInt32 { UInt32(truncatingIfNeeded: LZ4_versionNumber()) }
}

extension ZstdCompressor {
  /// Major × 10,000 + minor × 100 + release of the library in use.
  package static var libraryVersion: UInt32 { UInt32(truncatingIfNeeded: ZSTD_versionNumber()) }
}
