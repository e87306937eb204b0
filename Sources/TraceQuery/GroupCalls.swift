import Synchronization
import TraceGraph
import TraceModel
import TraceSegment
import TraceSource

/// What the calls of a group of stripes come to, but for the traces that other sources have a part of (`SplitTraces`).
///
/// Leaving out a trace that stands nowhere else any more is right too, so that what is kept stays true until another
/// segment comes that has a part of a trace counted here.
final class GroupCalls: CachedBlock {
  private static let lastNumber = Atomic<UInt64>(0)

  /// Never that of another one in this process.
  let number: UInt64
  let names: [[UInt8]]
  let tally: PackedTally
  /// Traces with spans elsewhere, of which nothing is counted.
  let leftOut: Set<TraceID>
  /// The same in the order in which stripes have them.
  let leftOutTraces: [TraceID]
  /// Consumers whose links name spans of traces that are not counted here.
  let linked: [NamedConsumer]
  /// Of the traces that are counted.
  let producers: ProducerTable
  /// Numbers of segments that have no part of a trace that is counted.
  private let compared: Mutex<Set<UInt64>>

  init(_ tally: GroupTally, comparedWith segments: [Segment]) {
    number = Self.lastNumber.add(1, ordering: .relaxed).newValue
    (names, self.tally) = tally.sums.packed()
    leftOut = tally.leftOut
    leftOutTraces = tally.leftOutTraces
    linked = tally.linked
    producers = tally.producers
    compared = Mutex(Set(segments.map(\.number)))
  }

  func isComparedWith(_ number: UInt64) -> Bool { compared.withLock { $0.contains(number) } }

  /// - Parameter segments: others are forgotten.
  func compared(with number: UInt64, among segments: [Segment]) {
    compared.withLock { compared in
      compared.formIntersection(segments.map(\.number))
      compared.insert(number)
    }
  }

  static let passCount = 1024

  var residentByteCount: Int {
    256 + names.reduce(0) { $0 + $1.count + 32 } + tally.byteCount + leftOut.count * 48
      + linked.reduce(0) { $0 + $1.byteCount } + producers.byteCount + compared.withLock { $0.count } * 16
  }
}

/// What the calls of a part of a group come to. It is of use while windows cut the group nearby, and goes soon after.
final class PartCalls: CachedBlock {
  let calls: GroupCalls

  init(_ calls: GroupCalls) { self.calls = calls }

  static let passCount = 64
  var residentByteCount: Int { calls.residentByteCount }
}

/// Adds up the calls of a group, stripe by stripe.
struct GroupTally {
  private(set) var sums = GraphSums()
  private(set) var leftOut: Set<TraceID> = []
  private(set) var leftOutTraces: [TraceID] = []
  private(set) var linked: [NamedConsumer] = []
  private(set) var producers = ProducerTable([])
  private(set) var damage = DamageReport()

  /// - Parameters:
  ///   - calls: of each stripe.
  ///   - segments: all of the snapshot.
  ///   - isSplit: true of traces that are counted elsewhere for certain.
  init(
    _ calls: ArraySlice<Result<StripeCalls, any Error>>, of group: StripeGroup, _ window: ClosedRange<UInt64>,
    among segments: [Segment], leavingOut isSplit: (TraceID) -> Bool
  ) {
    let loose = Set(group.loose)
    var read: [TraceCalls] = []
    var found: [(target: LinkTarget, producer: FoundProducer)] = []
    for (stripe, result) in zip(group.stripes, calls) {
      guard let kept = damage.collect({ try result.get() }) else { continue }
      let calls = kept.calls
      read.append(calls)
      var isLeftOut: [Bool] = []
      func leave(out ordinal: Int) {
        if isLeftOut.isEmpty { isLeftOut = [Bool](repeating: false, count: calls.traces.count) }
        isLeftOut[ordinal] = true
      }
      for segment in segments {
        // A segment that cannot be asked is named by whoever reads it; here its traces count as far as they stand.
        for ordinal in damage.collect({ try stripe.sharedOrdinals(kept, with: segment) }) ?? [] {
          leave(out: Int(ordinal))
        }
      }
      for (ordinal, trace) in calls.traces.enumerated() where loose.contains(trace) || isSplit(trace) {
        leave(out: ordinal)
      }
      for ordinal in isLeftOut.indices where isLeftOut[ordinal] && leftOut.insert(calls.traces[ordinal]).inserted {
        leftOutTraces.append(calls.traces[ordinal])
      }
      let isWhole = window.contains(stripe.bounds.minimumStart) && window.contains(stripe.bounds.maximumStart)
      sums.add(calls, in: isWhole ? nil : window, leavingOut: isLeftOut)
      func isCounted(_ ordinal: UInt32) -> Bool { isLeftOut.isEmpty || !isLeftOut[Int(ordinal)] }
      for (ordinal, consumer) in calls.linked where isCounted(ordinal) && window.contains(consumer.span.start) {
        linked.append(NamedConsumer(consumer, calls.names))
      }
      for producer in calls.producers where isCounted(producer.ordinal) { found.append(calls.found(producer)) }
    }
    producers = ProducerTable(found)
    settleLinks(read)
  }

  /// Counts consumers all of whose links name spans of traces that are counted here.
  private mutating func settleLinks(_ read: [TraceCalls]) {
    if linked.isEmpty { return }
    let wanted = Set(linked.lazy.flatMap(\.consumer.targets))
    let wantedTraces = Set(wanted.lazy.map(\.trace)).subtracting(leftOut)
    let here = Set(read.lazy.flatMap(\.traces).filter(wantedTraces.contains))
    let found = FoundProducers(wanted, among: [producers])
    let consumers = linked
    linked = []
    for named in consumers {
      if named.consumer.targets.allSatisfy({ here.contains($0.trace) }) {
        sums.add(named) { found.service(of: $0) }
      } else {
        linked.append(named)
      }
    }
  }
}

/// A consumer and the name of its service.
struct NamedConsumer: Sendable {
  var service: [UInt8]
  var consumer: LinkedConsumer

  /// - Parameter names: which the service of the span is a code of.
  init(_ consumer: LinkedConsumer, _ names: [[UInt8]]) {
    service = names[Int(consumer.span.service)]
    self.consumer = consumer
  }

  /// What it takes in memory, with its links; its name is one of a few.
  var byteCount: Int {
    MemoryLayout<NamedConsumer>.stride + 32 + consumer.targets.count * MemoryLayout<LinkTarget>.stride
  }
}
