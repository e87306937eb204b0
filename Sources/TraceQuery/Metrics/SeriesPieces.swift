/// The pieces of each series, side by side: a list of its own for each of thousands would cost more than what they say.
struct SeriesPieces: Sendable {
  /// Series by series, those of one in the order of their parts.
  private let pieces: [LocatedPiece]
  /// By series, where its pieces begin; then where those of the last one end.
  private let firsts: [Int]

  /// - Parameter series: by part, which series of all each of its own is; none for a part that is left out.
  init(of parts: [any CallPart], series: [[Int]]) {
    self.init(count: (series.lazy.compactMap { $0.max() }.max() ?? -1) + 1) { add in
      for (part, places) in series.enumerated() where !places.isEmpty {
        for piece in parts[part].pieces {
          add(places[Int(piece.series)], LocatedPiece(part: UInt32(part), piece: piece))
        }
      }
    }
  }

  /// By rank of their series. What has none turned up behind the ranking, because damage hid it the first time.
  func grouped(by ranks: [Int]) -> SeriesPieces {
    SeriesPieces(count: (ranks.max() ?? -1) + 1) { add in
      for (series, rank) in zip(0..<count, ranks) { for located in self[series] { add(rank, located) } }
    }
  }

  /// - Parameter forEach: calls its argument with each piece and its series, the same ones each time.
  private init(count: Int, _ forEach: (_ add: (_ series: Int, LocatedPiece) -> Void) -> Void) {
    var firsts = [Int](repeating: 0, count: count + 1)
    forEach { series, _ in firsts[series + 1] += 1 }
    for series in 0..<count { firsts[series + 1] += firsts[series] }
    var next = firsts
    pieces = [LocatedPiece](unsafeUninitializedCapacity: firsts[count]) { pieces, initializedCount in
      forEach { series, located in
        precondition(next[series] < firsts[series + 1], "a series has more pieces than were counted")
        pieces.initializeElement(at: next[series], to: located)
        next[series] += 1
      }
      precondition(zip(next, firsts.dropFirst()).allSatisfy { $0 == $1 }, "a series has fewer pieces than were counted")
      initializedCount = firsts[count]
    }
    self.firsts = firsts
  }

  /// How many series there are.
  var count: Int { firsts.count - 1 }

  subscript(series: Int) -> ArraySlice<LocatedPiece> { pieces[firsts[series]..<firsts[series + 1]] }
}
