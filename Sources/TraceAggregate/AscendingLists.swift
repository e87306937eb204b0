/// Lists of durations that ascend, each by itself: values by their rank among all of them, of which few are looked at.
///
/// For one thread, one question after the other in the same memory.
package struct AscendingLists {
  private struct List {
    var durations: PackedDurations
    /// Places that may have the value looked for: what stands before them is not greater, what stands behind not less.
    var places: Range<Int>
    /// Of those, the ones that are equal to a pivot; less before them, greater behind.
    var equal = 0..<0
  }

  /// So few values are brought together: to look at them all costs less than to cut them once more.
  private static let gatheredCount = 128
  /// Mostly two or three cuts are enough. Lists that were laid out to be cut badly are brought together then.
  private static let maximumCutCount = 16

  private var lists: [List] = []
  private var values: [UInt64] = []

  package init() {}

  package mutating func clear() { lists.removeAll(keepingCapacity: true) }

  /// - Precondition: the durations ascend.
  package mutating func append(_ durations: PackedDurations) {
    lists.append(List(durations: durations, places: 0..<Int(durations.count)))
  }

  /// The values at a rank and behind it.
  ///
  /// - Precondition: the rank is of as many values as all lists have.
  package mutating func neighbours(of rank: QuantileRank) -> (lower: UInt64, upper: UInt64) {
    for index in lists.indices { lists[index].places = 0..<Int(lists[index].durations.count) }
    var count = lists.reduce(0) { $0 &+ $1.places.count }
    var place = Int(rank.lower)
    var cutCount = 0
    while count > Self.gatheredCount, cutCount < Self.maximumCutCount {
      let pivot = pivot(at: place, of: count)
      let (lessCount, equalCount) = cut(at: pivot)
      if place < lessCount {
        for index in lists.indices {
          lists[index].places = lists[index].places.lowerBound..<lists[index].equal.lowerBound
        }
        count = lessCount
      } else if place < lessCount &+ equalCount {
        let isLast = place == lessCount &+ equalCount &- 1
        return (pivot, rank.fraction > 0 && isLast ? least { $0.equal.upperBound } : pivot)
      } else {
        for index in lists.indices {
          lists[index].places = lists[index].equal.upperBound..<lists[index].places.upperBound
        }
        place &-= lessCount &+ equalCount
        count &-= lessCount &+ equalCount
      }
      cutCount &+= 1
    }
    return gather(place, of: count, needsUpper: rank.fraction > 0)
  }

  /// A value whose place is near the one looked for, and a little further from the end that is nearer: what the cut leaves
  /// reaches to that end, where it would else be nearly all as often as not.
  private mutating func pivot(at place: Int, of count: Int) -> UInt64 {
    let share = (Double(place) + 0.5) / Double(count)
    let slack = 1 / Double(count).squareRoot()
    let aim = share < 0.5 ? share + slack : share - slack
    values.removeAll(keepingCapacity: true)
    for list in lists where !list.places.isEmpty {
      values.append(list.durations[list.places.lowerBound &+ Int(aim * Double(list.places.count))])
    }
    return values.withUnsafeMutableBufferPointer { Selection.select($0.count / 2, in: $0) }
  }

  /// Finds what is less than a value, and equal to it, in each list.
  private mutating func cut(at pivot: UInt64) -> (lessCount: Int, equalCount: Int) {
    var (lessCount, equalCount) = (0, 0)
    for index in lists.indices {
      let places = lists[index].places
      let durations = lists[index].durations
      let first = durations.firstPlace(in: places, notLessThan: pivot)
      // Mostly there is none, or one.
      var end = first
      if first < places.upperBound, durations[first] == pivot {
        end =
          pivot == .max
          ? places.upperBound : durations.firstPlace(in: first..<places.upperBound, notLessThan: pivot + 1)
      }
      lists[index].equal = first..<end
      lessCount &+= first &- places.lowerBound
      equalCount &+= end &- first
    }
    return (lessCount, equalCount)
  }

  /// The least of the values at a place of each list, for lists that reach so far.
  private func least(_ place: (List) -> Int) -> UInt64 {
    var least = UInt64.max
    for list in lists where place(list) < Int(list.durations.count) { least = min(least, list.durations[place(list)]) }
    return least
  }

  private mutating func gather(_ place: Int, of count: Int, needsUpper: Bool) -> (lower: UInt64, upper: UInt64) {
    if values.count < count { values += repeatElement(0, count: count &- values.count) }
    let behind = needsUpper ? least { $0.places.upperBound } : 0
    let lists = lists
    return values.withUnsafeMutableBufferPointer { room in
      let own = UnsafeMutableBufferPointer(rebasing: room[..<count])
      var end = 0
      for list in lists where !list.places.isEmpty {
        guard let first = own.baseAddress else { break }
        list.durations.unpack(list.places, into: first + end)
        end &+= list.places.count
      }
      let lower = Selection.select(place, in: own)
      // What stands behind a selected place is not less than its value, and what was cut off behind is not less than that.
      return (lower, needsUpper ? own[(place &+ 1)...].min() ?? behind : lower)
    }
  }
}
