/// Shows progress ten times a second at most, with the time that is left when the whole is known.
struct ProgressLine {
  private let started = ContinuousClock.now
  private var shown: ContinuousClock.Instant?
  private let total: UInt64?

  init(total: UInt64?) { self.total = total }

  var seconds: Double { Self.seconds(ContinuousClock.now - started) }

  static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
  }

  mutating func update(done: UInt64, _ text: (_ remaining: String) -> String) {
    guard Terminal.isErrorInteractive else { return }
    let now = ContinuousClock.now
    if let shown, now - shown < .milliseconds(100) { return }
    shown = now
    Terminal.showProgress(DisplayWidth.cut(text(remaining(done)), to: Terminal.width - 1))
  }

  private func remaining(_ done: UInt64) -> String {
    guard let total, total > 0, done > 0 else { return "\(Figure.duration(UInt64(seconds * 1e9))) so far" }
    let share = min(1, Double(done) / Double(total))
    let left = UInt64(min(seconds / share - seconds, 1e9) * 1e9)
    let bar = Figure.bar(share, width: 20)
    return "[\(DisplayWidth.padded(bar, to: 20))] \(UInt64(share * 100))%, \(Figure.duration(left)) left"
  }
}
