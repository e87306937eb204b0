import Synchronization
import TraceEngine

/// Remembers what a store that was opened for writing has found damaged: its next reader knows nothing of a log whose spans
/// have gone into segments.
final class DamageWatch: Sendable {
  private let seen = Mutex<[String]>([])

  /// Each place once.
  var places: [String] { seen.withLock { $0 } }

  func observe(_ event: StoreEvent) {
    guard case .damaged(let place) = event else { return }
    seen.withLock { if !$0.contains(place) { $0.append(place) } }
  }

  /// Those that none of some sentences names.
  func places(besides known: [String]) -> [String] {
    places.filter { place in !known.contains { $0.contains(place) } }
  }
}
