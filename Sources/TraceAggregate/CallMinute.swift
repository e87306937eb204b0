/// Calls of one series that start in one minute, beside those of its other minutes.
package struct CallMinute: Sendable {
  /// Since the epoch: all of 64 bits of nanoseconds fit. They ascend within a series.
  package var minute: UInt32
  package var errorCount: UInt32
  /// Its calls reach to those of the next cell.
  package var firstCall: UInt32

  package init(minute: UInt32, errorCount: UInt32, firstCall: UInt32) {
    self.minute = minute
    self.errorCount = errorCount
    self.firstCall = firstCall
  }
}

/// The durations of some calls. The memory is somebody else's.
package enum CallDurations: @unchecked Sendable {
  case each(PackedDurations)
  /// How many fall into each bucket of the scale: enough where so many calls are estimated (`DurationSketch.isExact`).
  case counted(PackedBuckets)
}
