package import TraceManifest
import TraceModel
package import TraceSegment

/// What went.
package struct ExpiryResult: Sendable {
  /// The entries of the segments, oldest first.
  package var segments: [ManifestFile] = []
  /// The entries of the metrics segments whose own time was over.
  package var metrics: [ManifestFile] = []
  /// Places that could not be read, so that the figures lack what stood there: a sentence for each.
  package var damage: [String] = []

  package init() {}

  package mutating func add(_ other: ExpiryResult) {
    segments += other.segments
    metrics += other.metrics
    damage += other.damage
  }
}

/// Drops segments whose time is over, and puts their hourly figures into a metrics segment, by one manifest edit that is
/// durable before any file is unlinked: a crash leaves the rows or their figures, never both and never neither. Queries
/// that hold what went go on reading, and its bytes are free when the last of these ends. One call at a time, and no
/// merge beside it; the caller sees to that.
package final class Expirer: Sendable {
  private let manifest: ManifestStore
  private let files: SegmentFiles
  private let publish: @Sendable (_ removed: Set<UInt64>, _ added: [MetricsSegment]) -> Void

  /// Writers of metrics segments keep below this; see `MetricsSegment.maximumByteCount`.
  private static let maximumPartByteCount = 1 << 26

  /// - Parameter publish: puts the metrics segments in the place of what was removed, for all readers; called after the
  ///   edit.
  package init(
    manifest: ManifestStore, files: SegmentFiles,
    publish: @escaping @Sendable (_ removed: Set<UInt64>, _ added: [MetricsSegment]) -> Void
  ) {
    self.manifest = manifest
    self.files = files
    self.publish = publish
  }

  /// Drops the segments, and the metrics segments whose own time is over. Other metrics segments are written again on the
  /// way: small ones as one when many have gathered, and those with hours that have outstayed their age.
  ///
  /// - Parameter figures: what is to be kept of the segments.
  /// - Throws: what files and manifest throw; `diskFull` says what there was no room for. Nothing has changed then, unless
  ///   the manifest is poisoned: then the next opening finds the rows or their figures, as the manifest says.
  package func expire(
    _ segments: [ManifestFile], keeping figures: HourlyFigures, _ rules: RetentionRules, nowNanoseconds: UInt64
  ) throws -> ExpiryResult {
    var result = ExpiryResult()
    let live = manifest.current.files(of: .metricsSegment)
    result.segments = segments
    result.metrics = rules.expiredMetrics(live, nowNanoseconds: nowNanoseconds)
    let gone = Set(result.metrics.map(\.key))
    var figures = figures
    let rewritten = rewrite(
      rules.metricsToRewrite(
        live.filter { !gone.contains($0.key) }, hasNew: !figures.isEmpty, nowNanoseconds: nowNanoseconds),
      into: &figures, &result)
    figures.removeHours { rules.isExpired(hour: $0, nowNanoseconds: nowNanoseconds) }
    var edit = ManifestEdit()
    for file in segments + result.metrics { edit.remove(file.key, .expired) }
    for file in rewritten { edit.remove(file.key, .merged) }
    let removed = segments + result.metrics + rewritten
    if removed.isEmpty { return result }
    var written: [ManifestFile] = []
    do {
      for part in figures.parts(maximumByteCount: Self.maximumPartByteCount) {
        var file = try write(part)
        written.append(file)
        file.takeArrivals(of: segments + rewritten)
        edit.add(file)
      }
      // Opened first: after the edit there is no way back.
      let opened = try written.map(files.openMetrics)
      try commit(edit)
      publish(Set(removed.map(\.key.number)), opened)
    } catch let error as TracestoreError where error.code == .poisoned {
      // The edit may be durable, and then it names the files.
      throw error
    } catch {
      written.forEach(files.discard)
      throw error
    }
    removed.forEach(files.discard)
    return result
  }

  private func write(_ figures: HourlyFigures) throws -> ManifestFile {
    do { return try files.write(figures) } catch let error as TracestoreError where error.code == .diskFull {
      let byteCount = UInt64(figures.encoded().count)
      throw manifest.noRoom(for: "keeping hourly figures of what is due", byteCount: byteCount, error)
    }
  }

  private func commit(_ edit: ManifestEdit) throws {
    do { try manifest.commit(edit) } catch let error as TracestoreError where error.code == .diskFull {
      let byteCount = UInt64(edit.encoded().count)
      throw manifest.noRoom(for: "a record of the manifest that lets go of what is due", byteCount: byteCount, error)
    }
  }

  /// Adds the figures of metrics segments, and gives back the entries of those that could be read: others stay as they
  /// are.
  private func rewrite(
    _ segments: [ManifestFile], into figures: inout HourlyFigures, _ result: inout ExpiryResult
  ) -> [ManifestFile] {
    segments.filter { segment in
      do {
        figures.merge(try files.openMetrics(segment).figures())
        return true
      } catch {
        result.damage.append("\(error)")
        return false
      }
    }
  }
}

extension ManifestFile {
  fileprivate mutating func takeArrivals(of files: [ManifestFile]) {
    minimumArrivalNanoseconds = files.map(\.minimumArrivalNanoseconds).min() ?? 0
    maximumArrivalNanoseconds = files.map(\.maximumArrivalNanoseconds).max() ?? 0
  }
}
