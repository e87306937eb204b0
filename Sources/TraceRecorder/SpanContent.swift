import Synchronization
import TraceMerge

/// What is known of a span, and what of it has been written.
struct SpanContent: Sendable {
  enum Phase: Sendable {
    case open
    /// Has an end, and its final is not acknowledged yet.
    case ended
    case written
  }

  let resource: Resource
  let scope: InstrumentationScope
  /// Without control keys. Its end is zero while the span is open.
  var record: SpanRecord
  var phase = Phase.open
  /// Keys that a written snapshot may show and that the span has no more: they are named in every later snapshot.
  var removedKeys: [String] = []
  /// Of the newest snapshot that was made.
  var sequence: Int64 = 0
  /// The newest snapshot that is known to be stored.
  var acknowledged: Int64 = 0
  var hasNews = true
  var hasSnapshot = false
  var lastObserved: UInt64 = 0
  /// Nobody can end the span any more; its last state is written, then it is forgotten.
  var isDropped = false

  /// By the recorder's clock, whatever the record's start says.
  let begun: UInt64

  init(resource: Resource, scope: InstrumentationScope, record: SpanRecord, begun: UInt64) {
    self.begun = begun
    self.resource = resource
    self.scope = scope
    self.record = record
  }

  /// Whether the recorder may forget the span: nobody changes it any more, and what is known of it is stored.
  var isSettled: Bool {
    switch phase {
    case .open: isDropped && !hasNews && acknowledged == sequence
    case .ended: false
    case .written: true
    }
  }

  // MARK: Changes

  mutating func set(_ key: String, _ value: AttributeValue, limit: Int) {
    if let index = record.attributes.firstIndex(where: { $0.key.utf8.elementsEqual(key.utf8) }) {
      record.attributes[index].value = value
    } else if record.attributes.count < limit {
      record.attributes.append(Attribute(key, value))
      removedKeys.removeAll { $0.utf8.elementsEqual(key.utf8) }
    } else {
      // What was removed stays removed.
      record.droppedAttributeCount &+= 1
    }
  }

  /// Keys that the new ones lack are removed.
  mutating func setAll(_ attributes: [Attribute], limit: Int) {
    // Before the first snapshot nobody has seen what goes. Keys that ascend are distinct.
    if !hasSnapshot, attributes.count <= limit, zip(attributes, attributes.dropFirst()).allSatisfy({ $0.key < $1.key })
    {
      record.attributes = attributes
      return
    }
    for old in record.attributes where attributes.value(of: old.key) == nil { remove(old.key) }
    for attribute in attributes { set(attribute.key, attribute.value, limit: limit) }
  }

  mutating func remove(_ key: String) {
    guard record.attributes.value(of: key) != nil else { return }
    record.attributes.removeAll { $0.key.utf8.elementsEqual(key.utf8) }
    // Before the first snapshot nobody has seen it.
    if hasSnapshot { removedKeys.append(key) }
  }

  /// OpenTelemetry's rule: `ok` stays, and nothing goes back to unset. So a status only rises, as in the joined span.
  mutating func set(_ status: SpanStatus) {
    guard status.code != .unset, record.status?.code != .ok else { return }
    record.status = status
  }

  mutating func add(_ event: SpanEvent, limit: Int) {
    if record.events.count < limit { record.events.append(event) } else { record.droppedEventCount &+= 1 }
  }

  mutating func add(_ link: SpanLink, limit: Int) {
    if record.links.count < limit { record.links.append(link) } else { record.droppedLinkCount &+= 1 }
  }

  // MARK: Records

  /// The next snapshot: the whole state, so that any later one makes an earlier one unnecessary.
  mutating func makeSnapshot(observed: UInt64) -> SpanRecord {
    sequence += 1
    // A clock that is set back must not make a later state look older.
    lastObserved = max(lastObserved, observed)
    hasNews = false
    hasSnapshot = true
    var snapshot = record
    snapshot.end = .zero
    snapshot.attributes.append(Attribute(ControlKey.sequence, .int(sequence)))
    snapshot.attributes.append(Attribute(ControlKey.observed, .int(Int64(clamping: lastObserved))))
    if !removedKeys.isEmpty {
      snapshot.attributes.append(Attribute(ControlKey.removed, .array(removedKeys.map { .string($0) })))
    }
    return snapshot
  }

  /// The final, with a last snapshot before it where an earlier one shows attributes that are gone: a final's own keys
  /// win, and only a snapshot can say that it lacks one.
  mutating func makeFinal(observed: UInt64) -> [SpanRecord] {
    removedKeys.isEmpty ? [record] : [makeSnapshot(observed: observed), record]
  }

  /// Whether a flush writes the span now.
  /// - Parameter minimumAge: in nanoseconds, of spans that nobody has seen yet: shorter ones are written once, as finals.
  func isDue(now: UInt64, minimumAge: UInt64, heartbeat: UInt64) -> Bool {
    func hasPassed(_ nanoseconds: UInt64, since time: UInt64) -> Bool { now >= time && now - time >= nanoseconds }
    return switch phase {
    case .open where !hasSnapshot: isDropped || hasPassed(minimumAge, since: begun)
    case .open: hasNews || (!isDropped && hasPassed(heartbeat, since: lastObserved))
    case .ended: true
    case .written: false
    }
  }
}

/// One span's content, shared by its handle and by the recorder.
final class SpanCell: Sendable {
  let content: Mutex<SpanContent>

  init(_ content: sending SpanContent) { self.content = Mutex(content) }
}
