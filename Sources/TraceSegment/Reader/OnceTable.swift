import Synchronization

/// A fixed number of places, each of which holds no object or, once one was put there, that object for ever.
/// Thread-safe without locks: a reader pays one load.
final class OnceTable: @unchecked Sendable {
  private let places: UnsafeMutablePointer<Atomic<UnsafeRawPointer?>>
  let count: Int

  init(count: Int) {
    self.count = count
    places = .allocate(capacity: count)
    for place in 0..<count { (places + place).initialize(to: Atomic(nil)) }
  }

  deinit {
    for place in 0..<count {
      if let held = places[place].load(ordering: .acquiring) { Unmanaged<AnyObject>.fromOpaque(held).release() }
    }
    places.deinitialize(count: count)
    places.deallocate()
  }

  var byteCount: Int { count * MemoryLayout<UnsafeRawPointer?>.stride }

  /// The object at a place below `count`.
  @inline(__always)
  func object(at place: Int) -> AnyObject? {
    precondition(place >= 0 && place < count, "a place outside of the table")
    guard let held = places[place].load(ordering: .acquiring) else { return nil }
    return Unmanaged<AnyObject>.fromOpaque(held).takeUnretainedValue()
  }

  /// The object at a place below `count` if it is exactly an `Object`. A comparison of classes, where `as?` walks them.
  @inline(__always)
  func object<Object: AnyObject>(at place: Int, as type: Object.Type) -> Object? {
    guard let held = object(at: place), ObjectIdentifier(Swift.type(of: held)) == ObjectIdentifier(type) else {
      return nil
    }
    return unsafeDowncast(held, to: type)
  }

  /// What `body` makes of the object at a place below `count`, which has to be an `Object`; nil when there is none.
  /// The table keeps the object alive, so that nobody counts references.
  @inline(__always)
  func withObject<Object: AnyObject, Result>(
    at place: Int, as type: Object.Type, _ body: (Object) throws -> Result
  ) rethrows -> Result? {
    precondition(place >= 0 && place < count, "a place outside of the table")
    guard let held = places[place].load(ordering: .acquiring) else { return nil }
    return try Unmanaged<Object>.fromOpaque(held)._withUnsafeGuaranteedRef { try body($0) }
  }

  /// Puts an object at a place below `count` unless one is there. True when it was put there.
  func put(_ object: AnyObject, at place: Int) -> Bool {
    precondition(place >= 0 && place < count, "a place outside of the table")
    let kept = Unmanaged.passRetained(object)
    let (isFirst, _) = places[place].compareExchange(
      expected: nil, desired: UnsafeRawPointer(kept.toOpaque()), successOrdering: .acquiringAndReleasing,
      failureOrdering: .acquiring)
    if !isFirst { kept.release() }
    return isFirst
  }
}
